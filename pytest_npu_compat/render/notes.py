"""Where a note belongs, said once: an error of a gate file begins with its place."""

from __future__ import annotations

from pytest_npu_compat.gate.outcome import Note

__all__ = ["place_before", "placed"]


def place_before(note: Note) -> str:
    """``npu-compat.yaml:4``; empty if there is none, or if the message itself begins with it."""
    if not note.gate_file:
        return ""
    place = f"{note.gate_file}:{note.line}" if note.line else note.gate_file
    return "" if note.message.startswith(f"{place}:") else place


def placed(note: Note) -> str:
    """The message behind its place; what kind of note it is if there is no message."""
    said = note.message or note.kind or note.level
    place = place_before(note)
    return f"{place}: {said}" if place else said
