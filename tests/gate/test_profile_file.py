"""Profile files: what they say, and every way to get them wrong, with its place."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_npu_compat.gate.errors import GateError
from pytest_npu_compat.gate.profile_file import load_profile
from pytest_npu_compat.render.schema import profile_schema
from pytest_npu_compat.target.profile.condition import Condition
from pytest_npu_compat.target.profile.declaration import OperatorRule, Profile

VALID = """\
version: 1
name: acme-npu
rules: ACME SDK 2.1
defaults:
  dtypes: [int8, uint8]
  batch: 1
  remedy: See the manual.
  attributes: {auto_pad: NOTSET}
operators:
  Conv:
    - {kernel: "1..7", group: 1}
    - {kernel: [3, 5], group: depthwise, batch: "<= 4", remedy: Use 3x3.}
  Relu:
  MaxPool: {attributes: {ceil_mode: 0, auto_pad: VALID}}
  com.microsoft.Gelu: {dtypes: null}
"""


def written(directory: Path, text: str) -> Path:
    path = directory / "acme.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def profile_or_error(path: Path) -> object:
    """The operators of a profile, or what is said of it."""
    try:
        return load_profile(path).operators
    except GateError as error:
        return error.message


def test_profile(tmp_path: Path) -> None:
    dtypes = ("dtypes", Condition(one_of=("int8", "uint8")))
    batch = ("batch", Condition(one_of=(1,)))
    no_pad = ("auto_pad", Condition(one_of=("NOTSET",)))
    manual = "See the manual."
    assert load_profile(written(tmp_path, VALID)) == Profile(
        "acme-npu",
        "ACME SDK 2.1",
        (
            (
                "Conv",
                (
                    OperatorRule(
                        (
                            dtypes,
                            batch,
                            ("kernel", Condition(min=1, max=7)),
                            ("group", Condition(one_of=(1,))),
                        ),
                        (no_pad,),
                        manual,
                    ),
                    OperatorRule(
                        (
                            dtypes,
                            ("batch", Condition(max=4)),
                            ("kernel", Condition(one_of=(3, 5))),
                            ("group", Condition(one_of=("depthwise",))),
                        ),
                        (no_pad,),
                        "Use 3x3.",
                    ),
                ),
            ),
            # A Relu has no attribute auto_pad, so the default is not about it.
            ("Relu", (OperatorRule((dtypes, batch), (), manual),)),
            (
                "MaxPool",
                (
                    OperatorRule(
                        (dtypes, batch),
                        (
                            ("auto_pad", Condition(one_of=("VALID",))),
                            ("ceil_mode", Condition(one_of=(0,))),
                        ),
                        manual,
                    ),
                ),
            ),
            # A key without a value takes a default away.
            ("com.microsoft.Gelu", (OperatorRule((batch,), (), manual),)),
        ),
    )


@pytest.mark.parametrize(
    ("old", "new", "where", "message", "hint"),
    [
        ("version: 1", "version: 2", (1, 10), "This version reads profiles of version 1.", "1"),
        ("version: 1", "version: true", (1, 10), "This version reads", "version: 1"),
        ("name: acme-npu\n", "", (1, 1), "The key 'name' is missing.", "name:"),
        ("acme-npu", "a b", (2, 7), "A name has letters", "acme-npu"),
        ("acme-npu", "a.b", (2, 7), "A name has letters", "acme-npu"),
        ("acme-npu", "ethos-n78", (2, 7), "ethos-n78 is a target of its own.", "another name"),
        ("rules: ACME SDK 2.1", "rules: ' '", (3, 8), "The text is empty.", "Write it"),
        ("defaults:", "default:", (4, 1), "Unknown key 'default'.", "'defaults'"),
        ("  batch: 1\n", "  bach: 1\n", (6, 3), "Unknown key 'bach'.", "'batch'"),
        ("batch: 1\n", "batch: 1 to 2\n", (6, 10), "Write a value", ""),
        ("batch: 1\n", "batch: {mni: 1}\n", (6, 11), "Unknown key 'mni'.", "'min'"),
        ("batch: 1\n", "batch: [[1]]\n", (6, 11), "This is no condition.", "[1, 2]"),
        ("  Relu:", "  Rleu:", (13, 3), "ONNX has no operator 'Rleu'.", "'Relu'"),
        ("  Relu:", "  Relu: 3", (13, 9), "A mapping is expected here.", ""),
        ("  Relu:", "  Relu: []", (13, 9), "Relu has no form that fits.", "Leave it out."),
        ("ceil_mode", "ceil", (14, 26), "MaxPool has no attribute 'ceil'.", "'ceil_mode'"),
        ("  Relu:", "  Relu: {kernel: 3}", (13, 10), "Relu has no kernel", "Leave it out."),
        ("  Relu:", "  Relu: {attributes: {a: 3}}", (13, 23), "Relu has no attribute 'a'.", ""),
        ("auto_pad", "auto_pda", (8, 16), "No operator of this profile", "'auto_pad'"),
        ('"1..7"', '"7..1"', (11, 16), "The lowest value is above", ""),
        ("kernel: [3", "kernal: [3", (12, 8), "Unknown key 'kernal'.", "'kernel'"),
        ("  Relu:", "  Conv:", (13, 3), "The key 'Conv' stands twice", "Keep one"),
    ],
)
def test_errors(
    tmp_path: Path, old: str, new: str, where: tuple[int, int], message: str, hint: str
) -> None:
    assert old in VALID
    with pytest.raises(GateError) as caught:
        load_profile(written(tmp_path, VALID.replace(old, new, 1)))
    error = caught.value
    assert (error.position.line, error.position.column) == where
    assert error.message.startswith(message)
    assert hint in error.hint


@pytest.mark.parametrize("text", ["", "[]", "operators", "\tversion: 1"])
def test_what_is_no_mapping(tmp_path: Path, text: str) -> None:
    with pytest.raises(GateError):
        load_profile(written(tmp_path, text))


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="Cannot be read"):
        load_profile(tmp_path / "nothing.yaml")


KEYS = st.sampled_from(
    ["version", "name", "rules", "defaults", "operators", "Conv", "kernel", "min"]
)
TREES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), KEYS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
)


@given(TREES)
@settings(deadline=None)
def test_any_tree_is_a_profile_or_an_error(tree: Any) -> None:
    base = yaml.safe_load(VALID)
    for value in (tree, {**base, "operators": tree}, {**base, "defaults": tree}):
        with TemporaryDirectory() as directory:
            path = written(Path(directory), yaml.safe_dump(value))
            assert profile_or_error(path)


@given(st.integers(0, len(VALID) - 1), st.text(max_size=3), st.integers(0, 4))
@settings(deadline=None)
def test_mutated_profile_is_a_profile_or_an_error(at: int, inserted: str, removed: int) -> None:
    text = VALID[:at] + inserted + VALID[at + removed :]
    with TemporaryDirectory() as directory:
        path = Path(directory) / "acme.yaml"
        path.write_bytes(text.encode(errors="surrogatepass"))
        assert profile_or_error(path)


def test_schema_accepts_what_the_loader_takes_and_refuses_what_it_does_not() -> None:
    validator = jsonschema.Draft202012Validator(profile_schema())
    assert not list(validator.iter_errors(yaml.safe_load(VALID)))
    for old, new in (("batch: 1\n", "bach: 1\n"), ("version: 1", "version: 2"), ("name:", "nam:")):
        assert list(validator.iter_errors(yaml.safe_load(VALID.replace(old, new, 1))))
