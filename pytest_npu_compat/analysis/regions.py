"""Regions of NPU operators, formed exactly as the reference forms them.

TVM 0.18 merges offloaded operators into partitions with Relay's AnnotateTarget, MergeCompilerRegions
and PartitionGraph. TVM 0.27's MergeCompositeFunctions forms other regions in some graphs, so this is the
reference's algorithm (rules 2.3 and 2.4) on a plain graph. Its quirks are kept: host regions merge too,
so the result can depend on the order of the graph's outputs, and rare shapes give cyclic partitions.

Sources: Apache TVM 0.18.0, src/relay/transforms/annotate_target.cc:66-286,
merge_compiler_regions.cc:85-163, partition_graph.cc:138-610,
src/relay/analysis/annotated_region_set.cc:40-133.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["NodeKind", "RegionNode", "Regions", "form_regions", "post_order"]

NodeKind = str
"""``call``, ``tuple`` or ``item`` (an element of a tuple)."""


@dataclass(frozen=True)
class RegionNode:
    """A node of the annotated graph.

    Attributes:
        kind: ``call``, ``tuple`` or ``item``.
        inputs: Ids of the nodes it reads, left to right; None for a graph input or a constant.
        npu: Whether the NPU takes it; for tuples and items this follows from their inputs.
    """

    kind: NodeKind
    inputs: tuple[int | None, ...]
    npu: bool = False


@dataclass(frozen=True)
class Regions:
    """Partitions of a graph.

    Attributes:
        partitions: Node ids of the calls in each partition, in order of execution.
        pass_through: Partitions that only pass one tensor on (a quirk of dissolved tuples).
        cyclic: Calls of partitions that need each other's results: the reference crashes there.
    """

    partitions: tuple[tuple[int, ...], ...]
    pass_through: int = 0
    cyclic: frozenset[int] = frozenset()


def post_order(nodes: Mapping[int, RegionNode], root: int) -> list[int]:
    """Nodes in the order Relay visits them: arguments left to right, then the node."""
    order: list[int] = []
    seen: set[int] = set()
    stack: list[tuple[int, bool]] = [(root, False)]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            order.append(node)
            continue
        if node in seen:
            continue
        seen.add(node)
        stack.append((node, True))
        stack.extend((i, False) for i in reversed(nodes[node].inputs) if i is not None)
    return order


def form_regions(nodes: Mapping[int, RegionNode], root: int) -> Regions:
    """Forms the partitions of a graph.

    Args:
        nodes: The graph by node id. Ids must be unique; gaps are allowed.
        root: The node that the function returns.
    """
    order = post_order(nodes, root)
    on_npu = _annotate(nodes, order)
    region = _merge(nodes, order, on_npu)
    return _partition(nodes, order, on_npu, region, root)


def _annotate(nodes: Mapping[int, RegionNode], order: Sequence[int]) -> dict[int, bool]:
    """Tuples and items take the common target of their inputs; inputs and constants are host."""
    on_npu: dict[int, bool] = {}
    for node in order:
        if nodes[node].kind == "call":
            on_npu[node] = nodes[node].npu
        else:
            inputs = nodes[node].inputs
            on_npu[node] = bool(inputs) and all(i is not None and on_npu[i] for i in inputs)
    return on_npu


def _merge(
    nodes: Mapping[int, RegionNode], order: Sequence[int], on_npu: Mapping[int, bool]
) -> dict[int, int]:
    """MergeCompilerRegions: node -> id of its region."""
    region = {node: node for node in order}
    members = {node: [node] for node in order}
    restricted: dict[int, set[int]] = {node: set() for node in order}
    # The inverse of `restricted`: renaming a region must not look at every other one.
    restricting: dict[int, set[int]] = {node: set() for node in order}
    for node in order:
        parents = list(dict.fromkeys(region[i] for i in nodes[node].inputs if i is not None))
        for parent in parents:
            for other in restricted[parent]:
                restricted[node].add(other)
                restricting[other].add(node)
        for parent in parents:
            if on_npu[parent] != on_npu[node]:
                restricted[node].add(parent)
                restricting[parent].add(node)
            elif parent not in restricted[node]:
                for member in members[parent]:
                    region[member] = node
                members[node] += members.pop(parent)
                for other in restricted.pop(parent):
                    restricting[other].discard(parent)
                for other in restricting.pop(parent):
                    restricted[other].discard(parent)
                    restricted[other].add(node)
                    restricting[node].add(other)
    return region


def _partition(
    nodes: Mapping[int, RegionNode],
    order: Sequence[int],
    on_npu: Mapping[int, bool],
    region: Mapping[int, int],
    root: int,
) -> Regions:
    users: dict[int, list[int]] = {node: [] for node in order}
    for node in order:
        for i in nodes[node].inputs:
            if i is not None:
                users[i].append(node)

    def leaves_region(node: int) -> bool:
        return node == root or any(region[user] != region[node] for user in users[node])

    dissolved = {
        node
        for node in order
        if nodes[node].kind == "tuple" and on_npu[node] and leaves_region(node)
    }
    pass_through = sum(
        region[i] != region[node] for node in dissolved for i in nodes[node].inputs if i is not None
    )
    component = {node: node for node in order if on_npu[node] and node not in dissolved}

    def find(node: int) -> int:
        while component[node] != node:
            component[node] = component[component[node]]
            node = component[node]
        return node

    for node in order:
        for i in nodes[node].inputs:
            if i in component and node in component and region[i] == region[node]:
                component[find(i)] = find(node)
    groups: dict[int, list[int]] = {}
    for node in order:
        if node in component:
            groups.setdefault(find(node), []).append(node)
    calls = [tuple(n for n in group if nodes[n].kind == "call") for group in groups.values()]
    partitions = tuple(group for group in calls if group)
    return Regions(partitions, pass_through, _cyclic(nodes, order, groups))


def _cyclic(
    nodes: Mapping[int, RegionNode],
    order: Sequence[int],
    groups: Mapping[int, Sequence[int]],
) -> frozenset[int]:
    """Nodes of the partitions that lie on a cycle once every partition is contracted to one node."""
    owner = {node: ("partition", root) for root, group in groups.items() for node in group}
    edges: set[tuple[object, object]] = set()
    for node in order:
        for i in nodes[node].inputs:
            if i is not None:
                edge: tuple[object, object] = (owner.get(i, i), owner.get(node, node))
                if edge[0] != edge[1]:
                    edges.add(edge)
    # What has no producer or no consumer left lies on no cycle; peel it off until nothing changes.
    while edges:
        sources, targets = {a for a, _ in edges}, {b for _, b in edges}
        on_cycle = {(a, b) for a, b in edges if a in targets and b in sources}
        if on_cycle == edges:
            break
        edges = on_cycle
    left = {node for edge in edges for node in edge}
    return frozenset(node for node, region in owner.items() if region in left)
