"""Lets actionlint see the steps of a composite action, of which it reads no more than the names.

The action becomes a workflow that is called: its steps are those of a job, its inputs and outputs those of
the call. So actionlint checks every expression in them, and shellcheck every `run`.

    lint_action.py ACTION.yml [OPTION OF ACTIONLINT ...]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml


def as_workflow(action: Mapping[str, Any]) -> dict[str, Any]:
    """The workflow that does what an action does.

    Defaults are left out: those of actions are expressions of contexts that a call does not have.
    """
    names = action.get("outputs", {})
    return {
        "name": action["name"],
        "on": {
            "workflow_call": {
                "inputs": {
                    name: {"description": value["description"], "type": "string"}
                    for name, value in action.get("inputs", {}).items()
                },
                "outputs": {
                    name: {"value": f"${{{{ jobs.action.outputs.{name} }}}}"} for name in names
                },
            }
        },
        "permissions": {},
        "jobs": {
            "action": {
                "runs-on": "ubuntu-latest",
                "outputs": {name: value["value"] for name, value in names.items()},
                "steps": action["runs"]["steps"],
            }
        },
    }


def main(arguments: Sequence[str]) -> int:
    """Runs actionlint, the one beside this Python if it is there.

    Returns:
        Its exit code.
    """
    action = yaml.safe_load(Path(arguments[0]).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as directory:
        workflow = Path(directory) / "action-as-workflow.yml"
        workflow.write_text(yaml.safe_dump(as_workflow(action), sort_keys=False), encoding="utf-8")
        places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        linter, shellcheck = (
            shutil.which(name, path=places) or name for name in ("actionlint", "shellcheck")
        )
        command = [linter, "-shellcheck", shellcheck, *arguments[1:], str(workflow)]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
