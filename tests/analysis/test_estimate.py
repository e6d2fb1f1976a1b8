"""Estimates: hand-computed figures, and the invariants that any model of costs must keep."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from builder import Builder
from conformance import topologies
from conformance.sketch import Sketch
from estimates import LAYERS, estimated, layer, owned, without
from hypothesis import given, settings
from hypothesis import strategies as st
from models import half_on_npu, leaky, on_npu, save

from pytest_npu_compat import analyze
from pytest_npu_compat.analysis.costs import Cost, Range
from pytest_npu_compat.analysis.cpu import Kernel
from pytest_npu_compat.analysis.metrics import METRICS, Facts, measure
from pytest_npu_compat.analysis.parts import invocation, pass_seconds
from pytest_npu_compat.analysis.placement import Placement, place
from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.model.graph import TensorType
from pytest_npu_compat.model.program import Leaf, Ref
from pytest_npu_compat.target.cost import PassCost, Stream
from pytest_npu_compat.target.ethos_n78.target import EthosN78

ESTIMATES = [name for name, metric in METRICS.items() if metric.estimated]
P = Platform()


def test_pass_by_hand() -> None:
    """56x56x64->64 3x3: everything moves alone, then 25088 cycles (rules 7.2, 7.5)."""
    cost = PassCost("conv", 25088, Stream(200704), Stream(200704), Stream(37632))
    cycles = (200704 + 200704 + 37632) / 9.6 + 25088
    assert pass_seconds(cost, P) == pytest.approx(cycles / 1.25e9)


@pytest.mark.parametrize(
    ("cost", "cycles"),
    [
        # nothing to do still costs the overhead of its one stripe
        (PassCost("overhead", 5), 10_000),
        (PassCost("stripes", 5, Stream(96, 96, 3)), 10 + 30_000),
        (PassCost("engines", 50_000, Stream(96, 96, 3)), 10 + 50_000),
        (PassCost("memory", 5, Stream(96, 960_000, 3)), 10 + 100_000),
        # 320x320 of rules 7.5: the input moves in stripes, but nothing of it beside the engines
        (PassCost("blocked", 7, Stream(96, 0, 2), Stream(0, 960_000, 2)), 10 + 100_000 + 7),
        (PassCost("not blocked", 7, Stream(96, 0, 2), Stream(0, 96, 2)), 10 + 20_000),
        (PassCost("joined", 7, joined=True), 0),
    ],
    ids=lambda value: value.name if isinstance(value, PassCost) else "",
)
def test_each_branch_of_the_time_of_a_pass(cost: PassCost, cycles: int) -> None:
    assert pass_seconds(cost, P) == pytest.approx(cycles / 1.25e9)


def test_weight_saving_takes_its_share_of_the_weights_alone() -> None:
    half = dataclasses.replace(P, weight_saving=0.5)
    cost = PassCost("conv", 0, Stream(96), Stream(), Stream(192))
    assert pass_seconds(cost, P) == pytest.approx((30 + 10_000) / 1.25e9)
    assert pass_seconds(cost, half) == pytest.approx((20 + 10_000) / 1.25e9)


def test_kernel_by_hand() -> None:
    """4 cores x 2 GHz x 32 MACs = 256 GMAC/s at peak, half of it nominally; 12 GB/s."""
    assert Kernel(macs=128_000_000).seconds(P) == Range(
        pytest.approx(0.5e-3 / 0.8), pytest.approx(1e-3), pytest.approx(2e-3)
    )
    assert Kernel(operations=32_000_000).seconds(P).nominal == pytest.approx(1e-3)
    assert Kernel(10, 10, 6_000_000, 6_000_000).seconds(P) == Range.exactly(1e-3)


def test_invocation_by_hand() -> None:
    part = invocation(6_000_000, P)
    assert part.seconds == Range(*(pytest.approx(1e-3 + x) for x in (20e-6, 100e-6, 500e-6)))
    assert part.dram_bytes == Range.exactly(12_000_000)


def test_network_of_one_convolution_by_hand() -> None:
    """conv 56x56x64->64 3x3 between CPU buffers: 70821.3 cycles, 100 us, two copies of 401408 bytes."""
    facts = estimated(place(owned(layer(**LAYERS["conv 56×56×64→64 3×3"])), EthosN78()))
    figures = facts.figures
    assert figures is not None
    weights = 64 * (9 * 64 + 12)
    work = ((200704 * 2 + weights) / 9.6 + 25088) / 1.25e9
    copies = 2 * 401408 / 12e9
    assert figures.latency_ms.nominal == pytest.approx((work + 100e-6 + copies) * 1e3)
    assert figures.latency_ms.low == pytest.approx((work + 20e-6 + copies) * 1e3)
    assert figures.latency_ms.high == pytest.approx((work + 500e-6 + copies) * 1e3)
    macs = 56 * 56 * 64 * 64 * 9
    cpu = (macs / 32 + 2 * 200704 / 8) / 8e9 / 0.5
    assert figures.speedup.nominal == pytest.approx(cpu / (work + 100e-6 + copies))
    assert figures.dram_bytes == Range.exactly(pytest.approx(200704 * 2 + weights + 2 * 401408))
    on_cpu = 200704 * 2 + 9 * 64 * 64 + 64 * 4
    joules = macs * 4.6e-12 + 2 * 200704 * 22e-12 + on_cpu * 244e-12
    placed = macs * 0.5e-12 + figures.dram_bytes.nominal * 244e-12
    assert figures.energy_ratio.nominal == pytest.approx(joules / placed)
    assert facts.operators[0].estimate == Cost(
        25088, 200704 + weights, 200704, Range.exactly(pytest.approx(work * 1e6))
    )


def assert_sound(facts: Facts) -> None:
    """What must hold of every estimate."""
    figures, info = facts.figures, facts.estimate
    assert figures is not None
    assert info is not None
    for value in vars(figures).values():
        assert 0 < value.low <= value.nominal <= value.high
    assert info.borders is not None
    parts = [o.estimate for o in facts.operators] + [p.estimate for p in facts.partitions]
    costs = [cost for cost in (*parts, info.borders) if cost is not None]
    assert len(costs) == len(parts) + 1
    for end in ("low", "nominal", "high"):
        microseconds = sum(getattr(cost.latency_us, end) for cost in costs)
        assert microseconds == pytest.approx(getattr(figures.latency_ms, end) * 1e3)
    moved = sum(cost.dram_read_bytes + cost.dram_write_bytes for cost in costs)
    assert moved == pytest.approx(figures.dram_bytes.nominal, abs=len(costs))
    islands = [name for island in info.cpu_islands for name in island.operators]
    assert len(islands) == len(set(islands))
    assert set(islands) == {o.name for o in facts.operators if o.placement != "npu"}


def touched(placement: Placement) -> int:
    info = estimated(placement).estimate
    assert info is not None
    return info.cpu_touched_bytes


@pytest.mark.parametrize("name", sorted(topologies.NAMED))
def test_invariants_hold_of_every_topology(name: str) -> None:
    program = owned(topologies.build(name))
    placement = place(program, EthosN78())
    facts = estimated(placement)
    if facts.figures is None:
        assert not facts.partitions
        return
    assert_sound(facts)
    before = touched(placement)
    moved = {root for partition in placement.partitions for root in partition}
    for root in moved:
        assert touched(without(placement, {root})) >= before
    alone = estimated(without(placement, moved)).figures
    assert alone is not None
    assert (alone.speedup, alone.energy_ratio) == (Range.exactly(1), Range.exactly(1))


GROWTH: dict[str, Callable[[Sketch, list[Ref]], Ref]] = {
    "1x1": lambda g, made: g.conv(made[-1], 32),
    "3x3": lambda g, made: g.conv(made[-1], 16, 3),
    "5x5 stride 2": lambda g, made: g.conv(made[-1], 16, 5, 2),
    "wide": lambda g, made: g.conv(made[-1], 256, 3),
    "clip": lambda g, made: g.clip(made[-1]),
    "leaky": lambda g, made: g.leaky(made[-1]),
    "sigmoid": lambda g, made: g.sigmoid(made[-1]),
    "skip": lambda g, made: g.add(made[-1], g.conv(made[-1], g.shape(made[-1])[3])),
    "concat": lambda g, made: g.concat(made[-1], g.conv(made[-1], 16)),
    "resize": lambda g, made: g.resize(made[-1]),
    "host": lambda g, made: g.host(made[-1]),
}
NETWORKS = st.tuples(
    st.lists(st.sampled_from(sorted(GROWTH)), min_size=1, max_size=6), st.sampled_from([8, 20, 64])
)


def network(growth: list[str], side: int) -> Placement:
    g = Sketch()
    made: list[Ref] = [g.input((1, side, side, 16))]
    for name in growth:
        made.append(GROWTH[name](g, made))
    return place(owned(g.finish(made[-1])), EthosN78())


@given(NETWORKS, st.data())
@settings(max_examples=25, deadline=None)
def test_invariants_hold_of_drawn_networks(
    drawn: tuple[list[str], int], data: st.DataObject
) -> None:
    placement = network(*drawn)
    assert_sound(estimated(placement))
    roots = [root for partition in placement.partitions for root in partition]
    if roots:
        fewer = without(placement, {data.draw(st.sampled_from(roots))})
        assert_sound(estimated(fewer))
        assert touched(fewer) >= touched(placement)
    alone = estimated(without(placement, roots)).figures
    assert alone is not None
    assert alone.speedup == alone.energy_ratio == Range.exactly(1)


@given(NETWORKS)
@settings(max_examples=15, deadline=None)
def test_more_tops_never_cost_more_cycles(drawn: tuple[list[str], int]) -> None:
    program = network(*drawn).program
    cycles = []
    for variant in ("1tops-2ple", "2tops-2ple", "4tops-2ple", "8tops-2ple"):
        target = EthosN78(variant)
        facts = estimated(place(program, target), target=target)
        cycles.append(sum(o.estimate.mce_cycles for o in facts.operators if o.estimate))
    assert cycles == sorted(cycles, reverse=True)


@pytest.mark.parametrize("field", ["clock", "dram_bandwidth", "cpu_clock", "cpu_cores"])
def test_faster_machine_is_never_slower(field: str) -> None:
    placement = network(["3x3", "host", "leaky", "wide"], 64)
    faster = dataclasses.replace(P, **{field: getattr(P, field) * 2})
    before, after = estimated(placement), estimated(placement, faster)
    assert before.figures is not None
    assert after.figures is not None
    assert before.estimate is not None
    assert after.estimate is not None
    assert before.estimate.cpu_only is not None
    assert after.estimate.cpu_only is not None
    pairs = [
        (before.figures.latency_ms, after.figures.latency_ms),
        (before.estimate.cpu_only.latency_us, after.estimate.cpu_only.latency_us),
    ]
    assert all(new.nominal <= old.nominal for old, new in pairs)
    assert any(new.nominal < old.nominal for old, new in pairs)


def test_cpu_island_names_its_operators_and_transfers() -> None:
    g = Sketch()
    x = g.conv(g.input(), 16)
    y = g.conv(g.host(g.host(x)), 16)
    facts = estimated(place(owned(g.finish(g.host(y))), EthosN78()))
    assert facts.estimate is not None
    islands = {island.operators: island.transfer_bytes for island in facts.estimate.cpu_islands}
    size = 16 * 16 * 16
    assert islands == {("op1", "op2"): 2 * size, ("op4",): size}
    # the input, both sides of each host operator, and nothing that one convolution made for another
    assert facts.estimate.cpu_touched_bytes == 6 * size


def test_unknown_shape_makes_every_estimate_impossible() -> None:
    g = Sketch()
    program = owned(g.finish(g.host(g.conv(g.input()))))
    leaf = dataclasses.replace(program.calls[-1], types=(TensorType((1, None, 16, 16), "int8"),))
    program = dataclasses.replace(program, calls=(*program.calls[:-1], leaf))
    facts = estimated(place(program, EthosN78()))
    assert facts.figures is None
    assert facts.estimate is not None
    assert facts.estimate.not_estimable == ("op1",)
    assert not set(ESTIMATES) & set(measure(facts))


@pytest.mark.parametrize("op", ["onnx.LSTM", "com.example.Mystery"])
def test_operator_of_unknown_work_makes_every_estimate_impossible(op: str) -> None:
    g = Sketch()
    facts = estimated(place(owned(g.finish(g.host(g.conv(g.input()), op=op))), EthosN78()))
    assert facts.figures is None
    assert facts.estimate is not None
    assert facts.estimate.not_estimable == ("op1",)


def test_network_that_only_renames_costs_nothing_and_has_no_estimate() -> None:
    g = Sketch()
    facts = estimated(place(owned(g.finish(g.reshape(g.input(), (1, 4096)))), EthosN78()))
    assert facts.figures is None


def test_target_without_a_model_of_costs_gives_no_estimate() -> None:
    from pytest_npu_compat.analysis.estimate import estimate
    from pytest_npu_compat.analysis.facts import collect

    g = Sketch()
    placement = place(owned(g.finish(g.conv(g.input()))), EthosN78())
    facts = collect(placement)
    assert estimate(facts, placement, object(), P) is facts


def test_platform_survives_the_trip_through_a_dictionary() -> None:
    changed = dataclasses.replace(P, clock=1e9, invocation=Range(1, 2, 3))
    assert Platform.from_dict(dataclasses.asdict(changed)) == changed
    assert hash(changed) != hash(P)
    assert all(a.source and a.meaning and a.unit for a in P.assumptions().values())


@pytest.mark.parametrize("make", [on_npu, half_on_npu, leaky], ids=lambda m: m.__name__)
def test_estimates_are_made_only_when_asked_for(make: Callable[..., object], tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = save(make(), tmp_path)  # type: ignore[arg-type]
    plain, asked = analyze(path), analyze(path, estimate=True)
    assert set(asked.metrics) - set(plain.metrics) == set(ESTIMATES)
    data = asked.to_dict()
    assert data.pop("platform")
    assert data.pop("estimate")
    for part in (*data["operators"], *data["partitions"]):
        assert part.pop("estimate")
    for name in ESTIMATES:
        del data["metrics"][name]
    assert data == plain.to_dict()


def test_float_operators_run_at_the_float_rate() -> None:
    b = Builder()
    x = b.input(1, 16, 8, 8)
    b.output(b.qdq(b.conv(x)))
    quantized = {o.name: o for o in b.report().operators}
    assert quantized["conv"].estimate is None
    assert Kernel(macs=800).seconds(P).nominal * 4 == pytest.approx(
        Kernel(operations=800).seconds(P).nominal
    )


def test_input_leaf_types_are_counted() -> None:
    """A float graph input costs four bytes for each element at its border."""
    g = Sketch()
    g.leaves["image"] = Leaf(TensorType((1, 16, 16, 16), "float32"), constant=False)
    q = g.emit("qnn.quantize", "image", dtype="int8", border=True, output=None)
    facts = estimated(place(owned(g.finish(g.conv(q))), EthosN78()))
    assert facts.estimate is not None
    assert facts.estimate.borders is not None
    assert facts.estimate.borders.dram_read_bytes == 4 * 16**3
    assert facts.estimate.borders.dram_write_bytes == 16**3
