"""Region forming: the reference's random graphs are in the conformance test; here are invariants."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_npu_compat.analysis.regions import RegionNode, form_regions, post_order


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[int, RegionNode], int]:
    """Random graphs of calls and tuples whose last node returns a tuple of some of them."""
    size = draw(st.integers(1, 14))
    nodes: dict[int, RegionNode] = {}
    for index in range(size):
        earlier = st.one_of(st.none(), st.sampled_from(sorted(nodes))) if nodes else st.none()
        inputs = tuple(draw(st.lists(earlier, min_size=1, max_size=3)))
        kind = draw(st.sampled_from(["call", "call", "call", "tuple"]))
        nodes[index] = RegionNode(kind, inputs, kind == "call" and draw(st.booleans()))
    outputs = draw(st.lists(st.sampled_from(sorted(nodes)), min_size=1, max_size=4))
    nodes[size] = RegionNode("tuple", tuple(outputs))
    return nodes, size


@given(graphs())
def test_partitions_cover_the_reachable_npu_calls_exactly_once(
    graph: tuple[dict[int, RegionNode], int],
) -> None:
    nodes, root = graph
    found = [node for partition in form_regions(nodes, root).partitions for node in partition]
    reachable = post_order(nodes, root)
    wanted = [n for n in reachable if nodes[n].kind == "call" and nodes[n].npu]
    assert sorted(found) == sorted(wanted)


@given(graphs())
def test_without_host_calls_no_partition_is_cyclic(
    graph: tuple[dict[int, RegionNode], int],
) -> None:
    nodes, root = graph
    # A tuple that a region and the world outside both read is dissolved, so it is a host node.
    readers = {i: {n.kind for n in nodes.values() if i in n.inputs} for i in nodes}
    assume(all(n.kind == "call" or readers[i] != {"call", "tuple"} for i, n in nodes.items()))
    on_npu = {i: RegionNode(n.kind, n.inputs, n.kind == "call") for i, n in nodes.items()}
    assert form_regions(on_npu, root).cyclic == frozenset()


@given(graphs())
def test_post_order_visits_inputs_first(graph: tuple[dict[int, RegionNode], int]) -> None:
    nodes, root = graph
    order = post_order(nodes, root)
    position = {node: i for i, node in enumerate(order)}
    assert len(order) == len(set(order))
    for node in order:
        assert all(position[i] < position[node] for i in nodes[node].inputs if i is not None)


def test_long_chain_needs_no_recursion() -> None:
    nodes = {0: RegionNode("call", (None,), npu=True)}
    nodes |= {i: RegionNode("call", (i - 1,), npu=True) for i in range(1, 5000)}
    assert len(form_regions(nodes, 4999).partitions) == 1


def test_cycle_is_found_and_limited_to_its_partitions() -> None:
    """b, a convolutions; h = host(b), j = host(a); k = add(a, conv(h)); z = add(b, j)."""
    call = {
        0: RegionNode("call", (None,), npu=True),
        1: RegionNode("call", (None,), npu=True),
        2: RegionNode("call", (0,)),
        3: RegionNode("call", (1,)),
        4: RegionNode("call", (2,), npu=True),
        5: RegionNode("call", (1, 4), npu=True),
        6: RegionNode("call", (0, 3), npu=True),
        7: RegionNode("call", (6,)),
        8: RegionNode("call", (7,), npu=True),
        9: RegionNode("tuple", (3, 5, 8)),
    }
    regions = form_regions(call, 9)
    assert regions.cyclic
    assert 8 not in regions.cyclic
