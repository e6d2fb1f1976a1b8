"""The likeliest mistakes in a gate file: where the caret stands, what is said, and what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_npu_compat.gate.errors import GateError
from pytest_npu_compat.gate.loading import load, load_gate
from pytest_npu_compat.gate.yaml_tree import parse

HEAD = "version: 1\nthresholds:\n  qdq_pairs: 0\n"
JARGON = (
    "chomping",
    "token",
    "block mapping",
    "stream",
    "alphabetic",
    "validation",
    "Input should",
)
"""Words of PyYAML's and pydantic's messages, which say nothing to the author of a gate file."""

UNQUOTED = [
    ("  npu_ratio: {}\n", ">= 96%", "starts a block of text"),
    ("  npu_ratio: {}\n", "> 96%", "starts a block of text"),
    ("  npu_ratio: {}   # of 105\n", ">=96%", "starts a block of text"),
    ("  npu_ratio: {}\n", "%96", "starts a directive"),
    ("  npu_ratio: {{min: {}}}\n", ">= 96%", "starts a block of text"),
    ("  npu_ratio: {{min: {}, severity: warn}}\n", "> 96%", "starts a block of text"),
    ("models:\n  - {}\n", "*.onnx", "starts an alias"),
    ("models:\n  - {}\n", "**/*.onnx", "starts an alias"),
    ("models:\n  - {}\n", "*_int8.onnx", "starts an alias"),
    ("models:\n  - {}\n", "*", "starts an alias"),
    ("models:\n  - {}\n", "*int8", "starts an alias"),
    ("models:\n  - path: {}\n", "*.onnx", "starts an alias"),
    ("models: [{}]\n", "*.onnx", "starts an alias"),
    ("models: [a.onnx, {}, b.onnx]\n", "*.onnx", "starts an alias"),
    ("models: [{{path: {}}}]\n", "*.onnx", "starts an alias"),
    ("models:\n  - {}\n", "&.onnx", "starts an anchor"),
    ("models:\n  - {}\n", "!int8.onnx", "starts a tag"),
    ("models:\n  - {}\n", "@int8.onnx", "is reserved"),
    ("models:\n  - {}\n", "`int8`.onnx", "is reserved"),
]


def error_of(text: str) -> GateError:
    with pytest.raises(GateError) as caught:
        load(_written(text))
    assert not any(word in caught.value.render("gate") for word in JARGON)
    return caught.value


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _written(text: str) -> Path:
    path = Path("npu-compat.yaml").absolute()
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("line", "value", "why"), UNQUOTED)
def test_text_that_needs_quotes(line: str, value: str, why: str) -> None:
    error = error_of(HEAD + line.format(value))
    assert error.message == f"Not valid YAML: without quotes, the {value[0]} of {value} {why}."
    assert error.hint == f'Put it in quotes: "{value}".'
    assert error.source[error.position.column - 1 :].startswith(value)
    # What the hint says is then read as the text that was meant.
    quoted = parse(Path("x.yaml"), (HEAD + line.format(f'"{value}"')).encode())
    assert value in str(quoted.value)


@pytest.mark.parametrize(
    ("text", "line", "column", "message", "hint"),
    [
        ("version: 1\nthresholds:\n\tqdq_pairs: 0\n", 3, 1, "a tab stands", "Indent with spaces."),
        (f"{HEAD}models:\n  -\ta.onnx\n", 5, 4, "a tab stands", "Put a space in its place."),
        (f"{HEAD}target: ethos-n78: 4tops\n", 4, 18, "before this colon", "in quotes"),
        (f"{HEAD}   hazards: 0\n", 4, 11, "before this colon", "as far in as its siblings"),
        (f"{HEAD} hazards: 0\n", 4, 2, "neither beside nor below", "same number of spaces"),
        (f"{HEAD}models: [a.onnx\n", 4, 9, "this [ is never closed", "Close it by ]."),
        (f"{HEAD}limits: {{timeout: 5 s\n", 4, 9, "this { is never closed", "Close it by }."),
        (f"{HEAD}models: ['a' 'b']\n", 4, 14, "a comma or ] is missing", "opened in line 4"),
        (f'{HEAD}baseline: "a.json\nmodels: [a]\n', 4, 11, "quote is never closed", "same line"),
        (f'{HEAD}baseline: "a" b\n', 4, 15, "a value that has ended", "a quote that is missing"),
        (f"{HEAD}models\ntarget: x\n", 4, 1, "a colon is missing behind this", "`key: value`"),
        (f'{HEAD}models: ["a\\d.onnx"]\n', 4, 13, "a backslash", "Write paths with /"),
        (f"{HEAD}---\nversion: 1\n", 4, 1, "a second document", "`---`"),
        (f"{HEAD}models: []\n", 4, 9, "This names no models.", "models/detector.onnx"),
        (f"{HEAD}models:\n", 4, 8, "This names no models.", "models/detector.onnx"),
        (f"{HEAD}models: a.onnx\n", 4, 9, "A list is expected", "models/detector.onnx"),
        (
            f"{HEAD}targets: {{}}\nmodels: [a]\n",
            4,
            10,
            "The mapping is empty.",
            "leave the key out",
        ),
        (f"{HEAD}models: [{{path: a, targets: []}}]\n", 4, 29, "The list is empty.", "an entry"),
        (f"{HEAD}models: [3]\n", 4, 10, "Text is expected here.", 'Write "3".'),
        (f"{HEAD}  npu_ratio:1\nmodels: [a]\n", 4, 3, "a colon is missing", "`key: value`"),
        (
            'version: 1\nlimits:\n  timeout:"5 s"\nmodels: [a]\n',
            3,
            3,
            "A mapping",
            "a space behind",
        ),
        (f"{HEAD}models: [{{path: a, inputs: {{x: [-1]}}}}]\n", 4, 33, "at least 1", "1 or more"),
        (f"{HEAD}models: [{{path: a, inputs: {{x: [a]}}}}]\n", 4, 33, "A whole number", "digits"),
        (
            f"{HEAD}models: [{{path: a, inputs: {{x: 3}}}}]\n",
            4,
            32,
            "A list is expected",
            "Write [3].",
        ),
        (f"{HEAD}models: [{{path: a, name: a b}}]\n", 4, 26, "A name has no white space", "Write"),
    ],
)
def test_mistake_has_a_place_a_word_and_a_hint(
    text: str, line: int, column: int, message: str, hint: str
) -> None:
    error = error_of(text)
    assert (error.position.line, error.position.column) == (line, column)
    assert message in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    ("severity", "hint"),
    [
        ("warning", "Did you mean 'warn'?"),
        ("Error", "Did you mean 'error'?"),
        ("fatal", "Known here: error, warn, off."),
        ("on", "Known here: error, warn, off."),
        ("1", "Known here: error, warn, off."),
    ],
)
def test_severity_that_does_not_exist(severity: str, hint: str) -> None:
    text = (
        f"version: 1\nthresholds: {{npu_ratio: {{min: 96%, severity: {severity}}}}}\nmodels: [a]\n"
    )
    error = error_of(text)
    assert "none of 'error', 'warn' or 'off'" in error.message
    assert error.hint == hint


def test_kinds_are_among_the_keys_of_a_threshold() -> None:
    text = "version: 1\nthresholds: {cpu_operators: {denny: [Softmax]}}\nmodels: [a]\n"
    assert error_of(text).hint == "Did you mean 'deny'?"


@pytest.mark.parametrize("name", ["net[1].onnx", "[a]/net[v2].onnx"])
def test_brackets_of_a_file_name_have_to_be_escaped(name: str) -> None:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).touch()
    text = f'{HEAD}models: ["{name}"]\n'
    with pytest.raises(GateError, match="No file matches") as caught:
        load_gate(_written(text))
    assert "[ starts a set of characters" in caught.value.hint
    written = caught.value.hint.partition('"')[2].partition('"')[0]
    gate = load_gate(_written(text.replace(name, written)))
    assert [model.request.shown_path for model in gate.models] == [name]


def test_glob_without_brackets_is_told_where_it_is_looked_for() -> None:
    with pytest.raises(GateError, match="No file matches") as caught:
        load_gate(_written(f'{HEAD}models: ["*.onnx"]\n'))
    assert "the gate file's directory" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}models:\n  - *\u2029a\n",
        f"{HEAD}models:\n  - &\ud7fc\n",
        f'{HEAD}models: [{{path: a, targets: "\\u00a0"}}]\n',
        'version: 1\nthresholds: {cpu_operators: {deny: ["\\u00a0"]}}\nmodels: [a]\n',
        f'{HEAD}models: ["[\\u00a0]"]\n',
    ],
    ids=ascii,
)
def test_nothing_that_cannot_be_printed_is_repeated(text: str) -> None:
    with pytest.raises(GateError) as caught:
        load_gate(_written(text))
    assert all(line.isprintable() for line in caught.value.render("gate").splitlines())
