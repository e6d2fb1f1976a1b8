"""The wiring of the composite action and the reusable workflow: every name in them leads somewhere.

GitHub evaluates a name that there is not to an empty string, without a word: an input that is misspelled
where it is used would be an option that does nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_npu_compat.gate.outcome import GateRun
from pytest_npu_compat.render.github import outputs

ROOT = Path(__file__).resolve().parents[1]
ACTION = ROOT / ".github" / "actions" / "npu-compat"
METADATA: dict[str, Any] = yaml.safe_load((ACTION / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = METADATA["runs"]["steps"]
BY_ID = {step["id"]: step for step in STEPS if "id" in step}
CALLED: dict[Any, Any] = yaml.safe_load(
    (ROOT / ".github" / "workflows" / "npu-compat.yml").read_text(encoding="utf-8")
)
CALL = CALLED[True]["workflow_call"]  # YAML's "on"
(JOB,) = CALLED["jobs"].values()

OUTPUTS_OF_OTHERS = {"restore": {"cache-primary-key"}}
"""What steps put out that are actions of others, by id."""


def texts(tree: Any) -> Iterator[str]:
    """All strings of a tree."""
    if isinstance(tree, dict):
        for value in tree.values():
            yield from texts(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from texts(value)
    elif isinstance(tree, str):
        yield tree


def expressions(tree: Any) -> Iterator[str]:
    """All expressions of a tree: what stands in braces, and conditions, which need none."""
    for text in texts(tree):
        yield from re.findall(r"\$\{\{(.*?)\}\}", text)
    if isinstance(tree, list):
        yield from (step["if"] for step in tree if "if" in step)


def used(pattern: str, tree: Any) -> set[tuple[str, ...]]:
    return {match.groups() for e in expressions(tree) for match in re.finditer(pattern, e)}


def script(step: Mapping[str, Any]) -> str:
    """The script that a step calls, if it calls one."""
    called = re.fullmatch(r'\w+ "\$GITHUB_ACTION_PATH/([\w.-]+)"', step.get("run", "").strip())
    return (ACTION / called[1]).read_text(encoding="utf-8") if called else ""


def written_by(identifier: str) -> set[str]:
    """Outputs that a step writes."""
    if identifier in OUTPUTS_OF_OTHERS:
        return OUTPUTS_OF_OTHERS[identifier]
    names = set(re.findall(r"echo ['\"]([\w-]+)=", script(BY_ID[identifier])))
    return names | (set(outputs(GateRun())) if identifier == "gate" else set())


def test_every_input_is_used_and_every_used_one_exists() -> None:
    assert {name for (name,) in used(r"\binputs\.([\w-]+)", STEPS)} == set(METADATA["inputs"])


def test_every_output_that_is_read_is_written_by_a_step_before() -> None:
    known: set[str] = set()
    for step in STEPS:
        for identifier, rest in used(r"\bsteps\.([\w-]+)\.([\w.-]+)", [step]):
            assert identifier in known, f"steps.{identifier}"
            if rest not in ("outcome", "conclusion"):
                kind, _, name = rest.partition(".")
                assert kind == "outputs", rest
                assert name in written_by(identifier), f"steps.{identifier}.{rest}"
        known.add(step.get("id", ""))


def test_every_output_of_the_action_is_the_one_of_its_name_that_the_gate_writes() -> None:
    for name, output in METADATA["outputs"].items():
        assert output["value"] == f"${{{{ steps.gate.outputs.{name} }}}}"
        assert name in written_by("gate")


def test_every_context_is_one_that_a_composite_action_has() -> None:
    contexts = {
        context for (context,) in used(r"(?<![\w.'-])([a-z]+)\.", [*STEPS, METADATA["inputs"]])
    }
    assert contexts == {"github", "inputs", "steps", "strategy"}


def test_every_variable_of_a_script_is_handed_to_it_and_is_its_own_input() -> None:
    """`INPUT_STRICT` is `inputs.strict`, and a script that reads it is given it."""
    others = {
        "INPUT_AUTHOR": "${{ inputs.comment-author }}",
        "INPUT_FILE": "${{ steps.gate.outputs.directory }}/comment.md",
        "INPUT_ID": "${{ steps.identify.outputs.id }}",
        "INPUT_INDEX": "${{ strategy.job-index }}",
        "INPUT_TOTAL": "${{ strategy.job-total }}",
    }
    for step in STEPS:
        given = step.get("env", {})
        assert set(given) == set(re.findall(r"\bINPUT_[A-Z]+\b", script(step))), step
        for name, value in given.items():
            own = f"${{{{ inputs.{name.removeprefix('INPUT_').lower()} }}}}"
            assert value == others.get(name, own)


def test_every_script_is_called_and_every_called_one_is_there() -> None:
    called = [re.findall(r"GITHUB_ACTION_PATH/([\w.-]+)", step.get("run", "")) for step in STEPS]
    there = {path.name for path in ACTION.iterdir() if path.is_file()}
    assert {name for names in called for name in names} == there - {"action.yml"}


def test_cache_is_saved_as_it_is_restored() -> None:
    (restore,), (save,) = (
        [step["with"] for step in STEPS if f"cache/{verb}" in step.get("uses", "")]
        for verb in ("restore", "save")
    )
    assert save["path"] == restore["path"]
    assert save["key"] == "${{ steps.restore.outputs.cache-primary-key }}"
    for prefix in restore["restore-keys"].split("\n"):
        assert restore["key"].startswith(prefix)


def test_reusable_workflow_passes_each_input_to_the_input_of_its_name() -> None:
    checkout, gate = JOB["steps"]
    assert gate["uses"] == f"$/{ACTION.relative_to(ROOT)}"
    passed = {name: f"${{{{ inputs.{name} }}}}" for name in CALL["inputs"]}
    assert {**gate["with"], "lfs": checkout["with"]["lfs"]} == passed


def test_reusable_workflow_has_the_inputs_of_the_action() -> None:
    """All but those of the token: a caller cannot pass a secret as an input."""
    without = {"comment-author", "token"}
    assert set(CALL["inputs"]) - {"lfs"} == set(METADATA["inputs"]) - without
    for name in set(CALL["inputs"]) - {"lfs"}:
        default = CALL["inputs"][name]["default"]
        shown = str(default).lower() if isinstance(default, bool) else default
        assert shown == METADATA["inputs"][name]["default"], name


def test_reusable_workflow_puts_out_what_the_action_does() -> None:
    (identifier,) = CALLED["jobs"]
    for name, output in CALL["outputs"].items():
        assert output["value"] == f"${{{{ jobs.{identifier}.outputs.{name} }}}}"
        assert JOB["outputs"][name] == f"${{{{ steps.{JOB['steps'][1]['id']}.outputs.{name} }}}}"
        assert name in METADATA["outputs"]
    assert set(JOB["outputs"]) == set(CALL["outputs"])


def holds(condition: str, values: Mapping[str, str]) -> bool:
    """Whether a step runs: `always()` alone makes it run after a failed one.

    Raises:
        AssertionError: The condition is not made of comparisons of known names.
    """
    always, *terms = condition.split(" && ")
    assert always == "always()", condition
    held = []
    for term in terms:
        match = re.fullmatch(r"([\w.-]+) (==|!=) '([^']*)'", term)
        assert match, term
        assert match[1] in values, term
        held.append((values[match[1]] == match[3]) == (match[2] == "=="))
    return all(held)


DONE = {
    "steps.gate.outputs.directory": "/tmp/npu-compat.x",
    "steps.upload.outcome": "success",
    "inputs.artifact": "",
    "inputs.comment": "true",
}
RED_GATE = [
    ({}, ["save", "upload", "comment"]),
    ({"inputs.comment": "false"}, ["save", "upload"]),
    ({"inputs.artifact": "none"}, ["save", "comment"]),
    ({"steps.upload.outcome": "failure"}, ["save", "upload", "upload-failed", "comment"]),
    ({"steps.gate.outputs.directory": ""}, ["comment"]),
]


@pytest.mark.parametrize(("change", "run"), RED_GATE, ids=lambda case: str(case))
def test_red_stays_red_until_reports_are_uploaded(change: dict[str, str], run: list[str]) -> None:
    """Reports are uploaded and the comment is written although the gate has failed the job."""
    names = ["save", "upload", "upload-failed", "comment"]
    after = STEPS[STEPS.index(BY_ID["gate"]) + 1 :]
    for name, step in zip(names, after, strict=True):
        assert name in f"{step.get('uses', '')} {step.get('run', '')}"
    ran = [
        name
        for name, step in zip(names, after, strict=True)
        if holds(step["if"], {**DONE, **change})
    ]
    assert ran == run


def test_nothing_forgives_a_red_gate() -> None:
    """Only the cache may fail quietly, and what comes before the gate runs whatever its verdict was."""
    forgiven = [step["uses"].split("@")[0] for step in STEPS if "continue-on-error" in step]
    assert forgiven == ["actions/cache/save"]
    before = STEPS[: STEPS.index(BY_ID["gate"]) + 1]
    conditions = [step["if"] for step in before if "if" in step]
    assert conditions == ["inputs.python-version != ''"]


def test_what_is_uploaded_is_the_directory_of_the_gate_and_no_other_gates() -> None:
    given = BY_ID["upload"]["with"]
    assert given == {
        "name": "${{ steps.identify.outputs.artifact }}",
        "path": "${{ steps.gate.outputs.directory }}",
        "overwrite": "${{ github.run_attempt != '1' }}",
    }
