"""What a part of a program costs on the CPU: operations and DRAM bytes, and from them its time.

The calls of an operator are one fused kernel, as TVM generates them: what they hand to each other never
reaches DRAM, what they read and make for others always does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_npu_compat.analysis.costs import Range
from pytest_npu_compat.analysis.dataflow import STRUCTURAL, Dataflow, size
from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.model.program import Call, Operator, Program

__all__ = ["Kernel", "kernel"]

_INTEGER_PRODUCTS = {"qnn.conv2d", "qnn.conv2d_transpose", "qnn.dense"}
_FLOAT_PRODUCTS = {f"onnx.{kind}" for kind in ("Conv", "ConvTranspose", "Gemm", "MatMul")}
_FLOAT_PRODUCTS |= {"onnx.ConvInteger", "onnx.MatMulInteger"}
_RENAMES = {"reshape", *STRUCTURAL}
_PREFIXES = {"qnn", "nn", "image", "onnx"}
_WORK_UNKNOWN = {
    f"onnx.{kind}"
    for kind in (
        *("Attention", "DFT", "DeformConv", "Det", "Einsum", "GRU", "If", "LSTM", "Loop", "RNN"),
        *("STFT", "Scan", "SequenceMap"),
    )
}
"""Operators whose work does not follow from the shapes of their tensors as this model counts it."""


@dataclass(frozen=True)
class Kernel:
    """What runs on the CPU as one.

    Attributes:
        macs: 8-bit multiply-accumulates.
        operations: 32-bit operations; a float multiply-accumulate is one.
        read_bytes: Bytes read from DRAM, weights included.
        write_bytes: Bytes written to DRAM.
    """

    macs: int = 0
    operations: int = 0
    read_bytes: int = 0
    write_bytes: int = 0

    def seconds(self, platform: Platform) -> Range:
        """The slower of arithmetic and memory."""
        cycles = self.macs / platform.cpu_int8_macs + self.operations / platform.cpu_operations
        at_peak = cycles / (platform.cpu_cores * platform.cpu_clock)
        memory = (self.read_bytes + self.write_bytes) / platform.dram_bandwidth
        used = platform.cpu_utilization
        return Range(
            max(at_peak / used.high, memory),
            max(at_peak / used.nominal, memory),
            max(at_peak / used.low, memory),
        )


def kernel(
    program: Program, flow: Dataflow, operator: Operator | None, calls: Sequence[int]
) -> Kernel | None:
    """The cost of an operator's calls, or of a conversion at the graph's border.

    Args:
        program: The program.
        flow: Its flow of data.
        operator: The operator that the calls belong to, if any.
        calls: Those of its calls that run on the CPU.

    Returns:
        None if it cannot be told: a shape is not known, or what the operator computes is not.
    """
    working = [program.calls[i] for i in calls if program.calls[i].op not in _RENAMES]
    if not working:
        return Kernel()
    reads, makes = flow.reads(calls), flow.leaving(calls)
    types = [program.type_of(ref) for ref in (*reads, *makes)]
    types += [t for call in working for t in call.types]
    unknown = any(type_.elements is None for type_ in types)
    if unknown or any(_unknown(call) for call in working):
        return None
    products = [call for call in working if call.op in _INTEGER_PRODUCTS | _FLOAT_PRODUCTS]
    macs = operator.macs if operator is not None and products else 0
    quantized = bool(products) and products[0].op in _INTEGER_PRODUCTS
    others = sum(_elements(program, call) for call in working if call not in products)
    return Kernel(
        macs=macs if quantized else 0,
        operations=others + (0 if quantized else macs),
        read_bytes=sum(size(program.type_of(ref)) for ref in reads),
        write_bytes=sum(size(program.type_of(ref)) for ref in makes),
    )


def _unknown(call: Call) -> bool:
    prefix, dot, _ = call.op.partition(".")
    return call.op in _WORK_UNKNOWN or (bool(dot) and prefix not in _PREFIXES)


def _elements(program: Program, call: Call) -> int:
    """Operations of a call that multiplies no matrices: one for each element it reads or makes."""
    made = sum(type_.elements or 0 for type_ in call.types)
    window = call.attrs.get("pool_size")
    if window is not None:
        return made * int(math.prod(window))
    return max(made, *(program.type_of(ref).elements or 0 for ref in call.args), 0)
