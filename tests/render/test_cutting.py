"""Cutting a page: room is shared fairly, used, and never exceeded; lines are whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_npu_compat.render.cutting import Entry, Section, cut, size


def short(count: int, length: int = 100) -> list[Entry]:
    return [Entry("x" * (length - 1) + "\n") for _ in range(count)]


def long(lines: int = 1000) -> Entry:
    return Entry("<pre>\n", [f"{'y' * 99}\n"] * lines, "</pre>\n")


def test_what_fits_is_whole() -> None:
    sections = [Section("rows", "head\n", short(3)), Section("none", "nothing\n", [])]
    found = cut(sections, 1000)
    assert (found.text, found.missing) == (sections[0].whole, [])


def test_little_section_is_whole_and_large_ones_share_the_rest() -> None:
    sections = [
        Section("a", "", short(1000)),
        Section("b", "", short(3)),
        Section("c", "", short(900)),
    ]
    found = cut(sections, 20_000)
    assert 19_800 < size(found.text) <= 20_000
    assert found.missing == ["902 of 1000 a", "802 of 900 c"]


def test_long_entry_is_cut_within_itself_and_the_others_stay() -> None:
    found = cut([Section("failures", "", [long(), *short(3, 1000)])], 60_000)
    assert 59_000 < size(found.text) <= 60_000
    assert found.text.count("x" * 999) == 3
    assert "… (cut)\n</pre>\n" in found.text
    assert found.missing == ["lines of 1 of 4 failures"]


def test_entry_without_lines_that_does_not_fit_is_skipped() -> None:
    huge = Entry("z" * 50_000)
    found = cut([Section("rows", "", [huge, *short(3)])], 10_000)
    assert found.text.count("x" * 99) == 3
    assert found.missing == ["1 of 4 rows"]


def test_many_entries_are_not_all_cut_to_nothing() -> None:
    found = cut([Section("failures", "", [long(20)] * 500)], 60_000)
    assert found.text.count(long(20).whole) >= 29


pieces = st.text("aä€🚀\n", max_size=40)
entries = st.builds(
    Entry,
    pieces.map("- {}".format),
    st.lists(pieces.map(lambda text: f"{text}\n"), max_size=30),
    pieces,
)
pages = st.lists(
    st.builds(Section, st.just("x"), pieces, st.lists(entries, max_size=9)), max_size=5
)


@given(pages, st.integers(-50, 3000))
def test_never_more_than_the_room_and_nothing_left_out_in_silence(
    sections: list[Section], room: int
) -> None:
    found = cut(sections, room)
    assert size(found.text) <= max(room, 0)
    whole = "".join(section.whole for section in sections)
    assert (found.text == whole) or found.missing
    if size(whole) <= room:
        assert (found.text, found.missing) == (whole, [])
