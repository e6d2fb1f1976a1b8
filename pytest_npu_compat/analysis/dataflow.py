"""Who makes and who reads each tensor of a program, with tuples looked through."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence

from pytest_npu_compat.model.graph import TensorType
from pytest_npu_compat.model.program import Program, Ref

__all__ = ["STRUCTURAL", "Dataflow", "size"]

STRUCTURAL = frozenset({"tuple", "tuple_get_item"})
"""Calls that move nothing: they make a tuple or name an element of one."""

_BYTES = {
    "float64": 8,
    "int64": 8,
    "uint64": 8,
    "float32": 4,
    "int32": 4,
    "uint32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int16": 2,
    "uint16": 2,
}


def size(type_: TensorType) -> int:
    """Bytes of a tensor; unknown dimensions count as 1."""
    dims: Iterable[int | None] = type_.shape or ()
    return math.prod(dim or 1 for dim in dims) * _BYTES.get(type_.dtype, 1)


class Dataflow:
    """The tensors of a program.

    A tensor is a leaf or the result of a call; an element of a tuple is known by its
    ``tuple_get_item``.

    Args:
        program: A model in integer form.

    Attributes:
        readers: Tensor -> indices of the calls that read it.
        returned: Tensors that the program returns.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.readers: dict[Ref, list[int]] = {}
        self._items: dict[int, list[int]] = {}
        for call in program.calls:
            if call.op == "tuple_get_item":
                source = call.args[0]
                assert isinstance(source, int)
                self._items.setdefault(source, []).append(call.index)
            elif call.op != "tuple":
                for ref in dict.fromkeys(self._fields(call.args)):
                    self.readers.setdefault(ref, []).append(call.index)
        self.returned = set(self._fields(program.outputs))

    def _fields(self, refs: Iterable[Ref]) -> list[Ref]:
        """The tensors behind references, tuples replaced by their fields."""
        found: list[Ref] = []
        for ref in refs:
            if isinstance(ref, int) and self.program.calls[ref].op == "tuple":
                found.extend(self._fields(self.program.calls[ref].args))
            else:
                found.append(ref)
        return found

    def made(self, calls: Iterable[int]) -> tuple[int, ...]:
        """The tensors that calls make, in order of execution."""
        found: list[int] = []
        for index in calls:
            if self.program.calls[index].returns_tuple:
                found.extend(self._items.get(index, ()))
            else:
                found.append(index)
        return tuple(sorted(found))

    def reads(self, calls: Collection[int]) -> tuple[Ref, ...]:
        """The tensors that a group of calls reads and does not make, constants included."""
        own = set(self.made(calls))
        refs = [ref for i in calls for ref in self._fields(self.program.calls[i].args)]
        return tuple(dict.fromkeys(ref for ref in refs if ref not in own))

    def leaving(self, calls: Collection[int]) -> tuple[int, ...]:
        """The tensors that a group of calls makes for others, or for the caller of the program."""
        inside = set(calls)
        return tuple(
            tensor
            for tensor in self.made(calls)
            if tensor in self.returned
            or any(reader not in inside for reader in self.readers.get(tensor, ()))
        )

    def maker(self, tensor: Ref) -> int | None:
        """The call that makes a tensor; None for a leaf."""
        if isinstance(tensor, str):
            return None
        call = self.program.calls[tensor]
        source = call.args[0] if call.op == "tuple_get_item" else tensor
        assert isinstance(source, int)
        return source

    def touched(self, groups: Iterable[Collection[int]]) -> frozenset[Ref]:
        """Activations that have to be whole in DRAM if groups of calls run on the CPU.

        They are what the groups read and make for others, and the graph's own inputs and outputs. More
        groups can only add to them.
        """
        found: set[Ref] = {name for name in self.program.leaves if name in self.readers}
        found.update(self.returned)
        for calls in groups:
            found.update(self.reads(calls), self.leaving(calls))
        return frozenset(ref for ref in found if not self.program.is_constant(ref))

    def connected(self, groups: Sequence[Collection[int]]) -> list[list[int]]:
        """Groups of calls that hand tensors to one another, each merged into one."""
        merged: list[tuple[set[int], set[Ref]]] = []
        for calls in groups:
            members = set(calls)
            tensors: set[Ref] = set(self.leaving(calls))
            tensors |= {ref for ref in self.reads(calls) if self.maker(ref) is not None}
            apart = []
            for other, known in merged:
                if tensors & known and self._linked(members, other):
                    members |= other
                    tensors |= known
                else:
                    apart.append((other, known))
            merged = [*apart, (members, tensors)]
        return [sorted(members) for members, _ in merged]

    def _linked(self, one: set[int], other: set[int]) -> bool:
        """Whether one of two sets of calls reads what the other makes."""
        return any(
            self.maker(ref) in source
            for source, reader in ((one, other), (other, one))
            for ref in self.reads(reader)
        )
