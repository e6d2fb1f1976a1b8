"""Times and sizes as a gate file and the command line write them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_npu_compat.run.limits import (
    BYTES,
    MAX_MEMORY,
    MIN_MEMORY,
    parse_memory,
    parse_timeout,
    show_memory,
    show_timeout,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120 s", 120),
        ("120s", 120),
        ("2 min", 120),
        ("500 ms", 0.5),
        ("1.5 h", 5400),
        ("24 h", 86400),
    ],
)
def test_timeout(text: str, seconds: float) -> None:
    assert parse_timeout(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4 GB", 4 * 10**9),
        ("4GiB", 4 * 2**30),
        ("1.5 GB", 15 * 10**8),
        ("600 MB", 6 * 10**8),
        ("512 MiB", 2**29),
    ],
)
def test_memory(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (120, "A time needs its unit: write, say, 120 s"),
        (0.5, "A time needs its unit: write, say, 0.5 s"),
        ("120", "A time needs its unit: write, say, 120 s"),
        ("120 sec", "There is no unit 'sec' here; write ms, s, min, h"),
        ("0 s", "A timeout is more than 0 s and at most 24 h"),
        ("25 h", "A timeout is more than 0 s and at most 24 h"),
        ("-1 s", "A time is written as 120 s"),
        ("", "A time is written as 120 s"),
        ("1e3 s", "A time is written as 120 s"),
        (True, "A time is written as 120 s"),
        (None, "A time is written as 120 s"),
        (["120 s"], "A time is written as 120 s"),
    ],
)
def test_no_timeout(raw: object, message: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_timeout(raw)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (4, "A size needs its unit: write, say, 4 GB"),
        ("4 kB", "There is no unit 'kB' here; write GB, GiB, MB, MiB"),
        ("511 MB", "An analysis needs some memory for itself: at least 512 MB"),
        ("much", "A size is written as 4 GB"),
    ],
)
def test_no_memory(raw: object, message: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_memory(raw)
    assert str(error.value) == message


@given(number=st.integers(MIN_MEMORY // 10**6, MAX_MEMORY // 2**30), unit=st.sampled_from([*BYTES]))
@settings(max_examples=150, deadline=None)
def test_shown_size_is_read_back_unchanged(number: int, unit: str) -> None:
    size = parse_memory(f"{number} {unit}")
    assert size == number * BYTES[unit]
    assert parse_memory(show_memory(size)) == size


@given(milliseconds=st.integers(1, 10**5))
@settings(max_examples=150, deadline=None)
def test_shown_time_is_read_back_unchanged(milliseconds: int) -> None:
    seconds = parse_timeout(f"{milliseconds} ms")
    assert parse_timeout(show_timeout(seconds)) == seconds


@pytest.mark.parametrize("parse", [parse_timeout, parse_memory])
@given(text=st.text(max_size=20))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_or_refused(parse: Callable[[object], float], text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse(text) > 0
