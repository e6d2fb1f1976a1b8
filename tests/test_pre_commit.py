"""The hook for pre-commit: what it reacts to, and that its command is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

MANIFEST = Path(__file__).resolve().parents[1] / ".pre-commit-hooks.yaml"
(HOOK,) = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("path", "reacts"),
    [
        ("npu-compat.yaml", True),
        ("gates/npu-compat.yml", True),
        ("gates/detectors.npu.yaml", True),
        ("models/a b.onnx", True),
        ("npu-baseline.json", True),
        ("docs/npu-compat.yaml.md", False),
        ("not-npu-compat.yaml", False),
        ("models/a.onnx.txt", False),
        ("package.json", False),
    ],
)
def test_files(path: str, reacts: bool) -> None:
    assert bool(re.search(HOOK["files"], path)) is reacts


def test_entry_is_a_command() -> None:
    command, argument = HOOK["entry"].split()
    assert command == "npu-compat"
    done = subprocess.run(
        [Path(sys.executable).with_name(command), argument, "--help"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0


def test_manifest_is_valid() -> None:
    clientlib = pytest.importorskip("pre_commit.clientlib", reason="needs the extra 'dev'")
    assert clientlib.load_manifest(str(MANIFEST))
