"""Numbers agree with their nouns."""

from __future__ import annotations

from pytest_npu_compat.render.words import counted, plural


def test_one_is_not_many() -> None:
    assert [counted(n, "model") for n in (0, 1, 2)] == ["0 models", "1 model", "2 models"]
    assert [counted(n, "analysis", "analyses") for n in (1, 2)] == ["1 analysis", "2 analyses"]
    assert [plural(n, "it does", "they do") for n in (1, 2)] == ["it does", "they do"]
