"""Checks that were collected and not judged, in words."""

from __future__ import annotations

from pytest_npu_compat.missed import Missed, missed


def test_judged_checks_are_not_missed() -> None:
    assert (
        list(missed({"a.yaml::m::x", "a.yaml::m::y"}, {"a.yaml::m::x", "a.yaml::m::y"}, {})) == []
    )


def test_each_gate_file_and_the_skipped_ones_apart() -> None:
    ids = {"a.yaml::m::x", "a.yaml::m::y", "b.yaml::m::x", "b.yaml::n::x"}
    found = list(missed(ids, {"a.yaml::m::x"}, {"b.yaml::m::x": "not today"}))
    assert found == [
        Missed("a.yaml", ("m::y",), ()),
        Missed("b.yaml", ("m::x",), ("not today",)),
        Missed("b.yaml", ("n::x",), ()),
    ]


def test_text() -> None:
    names = ("m::a", "m::b", "m::c", "m::d", "m::e")
    ended = (
        "5 checks were collected and not judged, the run ended before: m::a, m::b, m::c and 2 more"
    )
    assert Missed("a.yaml", names, ()).text == ended
    skipped = "1 check was skipped (no; never) and not judged: m::a"
    assert Missed("a.yaml", names[:1], ("no", "never")).text == skipped
