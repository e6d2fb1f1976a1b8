"""Quantize/dequantize islands: where an integer graph leaves the integers and comes back."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_npu_compat.analysis.report import Conversion
from pytest_npu_compat.model.program import Call, Program

__all__ = ["find_islands"]


def find_islands(program: Program, on_npu: Mapping[int, bool]) -> tuple[Conversion, ...]:
    """The islands of a program, in order of execution.

    An island is a connected set of calls on float tensors that begins with a dequantize and ends with
    a quantize. Float tails that never come back to integers are not islands.

    Args:
        program: A model in integer form.
        on_npu: Call index -> whether it runs on the NPU.
    """
    group: dict[int, int] = {}

    def find(index: int) -> int:
        while group[index] != index:
            group[index] = group[group[index]]
            index = group[index]
        return index

    for call in program.calls:
        if call.operator is None or not _is_float(program, call):
            continue
        group[call.index] = call.index
        if call.op == "qnn.dequantize":
            continue
        for ref in call.args:
            if isinstance(ref, int) and ref in group and program.calls[ref].op != "qnn.quantize":
                group[find(ref)] = find(call.index)
    islands: dict[int, list[Call]] = {}
    for index in group:
        islands.setdefault(find(index), []).append(program.calls[index])
    found = []
    for calls in islands.values():
        ops = {call.op for call in calls}
        if {"qnn.dequantize", "qnn.quantize"} <= ops:
            found.append(_conversion(program, sorted(calls, key=lambda c: c.index), on_npu))
    return tuple(found)


def _is_float(program: Program, call: Call) -> bool:
    if call.op in ("qnn.dequantize", "qnn.quantize"):
        return True
    return any(
        program.type_of(ref).dtype in ("float32", "float16", "float64", "bfloat16")
        for ref in call.args
        if isinstance(ref, int)
    )


def _conversion(program: Program, calls: list[Call], on_npu: Mapping[int, bool]) -> Conversion:
    operators = list(dict.fromkeys(c.operator for c in calls if c.operator is not None))
    before = [c.attrs.get("quantization_node") for c in calls if c.op == "qnn.dequantize"]
    after = [c.attrs.get("quantization_node") for c in calls if c.op == "qnn.quantize"]
    inside = [name for index in operators for name in program.operators[index].nodes]
    nodes = dict.fromkeys(name for name in (*before, *inside, *after) if name)
    return Conversion(
        nodes=tuple(nodes),
        operator=program.operators[operators[0]].name,
        placement="npu" if all(on_npu[c.index] for c in calls) else "cpu",
        calls=sum(call.op not in ("tuple", "tuple_get_item") for call in calls),
    )
