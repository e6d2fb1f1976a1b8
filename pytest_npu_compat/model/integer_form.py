"""Operators of an ONNX Q/DQ model -> the TFLite-like integer form that the rules speak about.

The reference stack accepts integer operators in NHWC, as TFLite's converter and TVM's TFLite importer
present them. `kinds.py` states for each kind of operator what the reference would be given. What
has no integer form is dequantized, computed in float and quantized again.

What is assumed: a missing bias is a bias of zeros; activations absorbed in a zero point cost nothing;
an activation before a quantize becomes a clip only where its bounds are tighter than the data type's;
rank-4 activations are NHWC, so the layout change at a graph's border is the application's.
"""

from __future__ import annotations

from pytest_npu_compat.model.graph import Graph
from pytest_npu_compat.model.kinds import HANDLERS
from pytest_npu_compat.model.lowering import Lowering
from pytest_npu_compat.model.program import Program

__all__ = ["lower"]


def lower(graph: Graph) -> Program:
    """Brings a graph to integer form.

    Args:
        graph: As read from the file.

    Returns:
        The program; every operator of the model appears in it exactly once.
    """
    return Lowering(graph, HANDLERS).run()
