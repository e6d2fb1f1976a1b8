"""Renaming, reordering, identities and duplicated dequantizes change no verdict (property tests)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
import pytest
import rewrites
from conformance import reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from models import half_on_npu, leaky, on_npu

from pytest_npu_compat import analyze
from pytest_npu_compat.analysis.report import Report

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NETWORKS = (
    "resnet8_cifar__relu__qdq.onnx",
    "dscnn_kws__relu__qdq_sym.onnx",
    "fsrcnn_x2__prelu__qdq.onnx",
    "espcn_x3__tanh__qdq.onnx",
    "mbv1_025_vww__relu__qdq_pc.onnx",
)
SEEDS = st.integers(0, 2**32)
SETTINGS = settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _models() -> dict[str, onnx.ModelProto]:
    _, files = reference.networks()
    models = {net.name: net.build() for net in (on_npu(), half_on_npu(), leaky())}
    models |= {name: onnx.load_from_string(files[name]) for name in NETWORKS}
    models |= {path.stem: onnx.load(path) for path in sorted(EXAMPLES.glob("zoo/models/*.onnx"))}
    models["level4_leaky"] = onnx.load(EXAMPLES / "v3" / "models" / "level4_leaky.onnx")
    return models


MODELS = _models()
every_model = pytest.mark.parametrize("name", MODELS)


def report_of(model: onnx.ModelProto) -> Report:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.onnx"
        path.write_bytes(model.SerializeToString())
        report = analyze(path)
    assert report.analyzed, report.error
    return report


def verdicts(report: Report) -> dict[str, tuple[object, str, tuple[str, ...]]]:
    return {
        o.name: (o.supported, o.kind, tuple(reason.rule for reason in o.reasons))
        for o in report.operators
    }


@every_model
@SETTINGS
@given(seed=SEEDS)
def test_renaming_changes_nothing(name: str, seed: int) -> None:
    before = report_of(MODELS[name])
    renamed, names = rewrites.rename(MODELS[name], seed)
    after = report_of(renamed)
    assert {names[n]: v for n, v in verdicts(after).items()} == verdicts(before)
    assert after.metrics == before.metrics


@every_model
@SETTINGS
@given(seed=SEEDS)
def test_order_of_independent_nodes_changes_no_verdict(name: str, seed: int) -> None:
    after = report_of(rewrites.reorder(MODELS[name], seed))
    assert verdicts(after) == verdicts(report_of(MODELS[name]))


@every_model
@SETTINGS
@given(seed=SEEDS)
def test_identities_change_nothing(name: str, seed: int) -> None:
    before = report_of(MODELS[name])
    after = report_of(rewrites.insert_identities(MODELS[name], seed))
    assert verdicts(after) == verdicts(before)
    assert after.metrics == before.metrics


@every_model
@SETTINGS
@given(seed=SEEDS)
def test_duplicated_dequantizes_change_nothing(name: str, seed: int) -> None:
    before = report_of(MODELS[name])
    after = report_of(rewrites.duplicate_dequantizes(MODELS[name], seed))
    assert verdicts(after) == verdicts(before)
    assert after.metrics == before.metrics


@pytest.mark.parametrize(
    "name",
    [
        *sorted(n for n in reference.networks()[1] if n.endswith(".onnx")),
        *sorted(p.name for p in EXAMPLES.glob("*/models/*.onnx") if p.stem != "level2_leaky"),
    ],
)
def test_all_rewrites_together_on_every_network(name: str) -> None:
    content = reference.networks()[1].get(name)
    if content is None:
        content = next(EXAMPLES.glob(f"*/models/{name}")).read_bytes()
    model = onnx.load_from_string(content)
    changed, names = rewrites.rename(model, seed=1)
    changed = rewrites.duplicate_dequantizes(changed, seed=2)
    changed = rewrites.reorder(rewrites.insert_identities(changed, seed=3), seed=4)
    after = verdicts(report_of(changed))
    assert {names[n]: v for n, v in after.items()} == verdicts(report_of(model))
