"""The hook for pre-commit: what it reacts to, and that it stops a commit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import models
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
MANIFEST = ROOT / ".pre-commit-hooks.yaml"
(HOOK,) = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("path", "reacts"),
    [
        ("npu-compat.yaml", True),
        ("gates/npu-compat.yml", True),
        ("gates/detectors.npu.yaml", True),
        ("models/a b.onnx", True),
        ("npu-baseline.json", True),
        ("gates/detectors-baseline.json", True),
        ("baseline.v2.json", True),
        ("targets/acme.yaml", True),
        ("gates/targets/acme.yml", True),
        ("models/a.onnx.data", True),
        ("models/a.onnx_data", True),
        ("models/a.onnx_data_1", True),
        ("mytargets/acme.yaml", False),
        ("docs/baseline.md", False),
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
    clientlib = pytest.importorskip("pre_commit.clientlib", reason="needs the extra 'test'")
    assert clientlib.load_manifest(str(MANIFEST))


GATE = """\
version: 1
thresholds: {npu_ratio: ">= 96%"}
models: [models/on_npu.onnx]
"""
NO_NETWORK = "No matching distribution found for setuptools"


@dataclass(frozen=True)
class Repository:
    """A repository whose commits pre-commit checks with the hook of this checkout."""

    root: Path
    home: Path

    def git(self, *arguments: str) -> str:
        return git(self.root, *arguments)

    def commit(self) -> subprocess.CompletedProcess[str]:
        """Checks what is staged, as a commit does.

        The environment of the hook is built from the package alone; what that needs is here already.
        """
        places = [sysconfig.get_path(name) for name in ("purelib", "platlib")]
        return subprocess.run(
            [sys.executable, "-m", "pre_commit", "run", "--verbose"],
            cwd=self.root,
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith("GIT_")},
                "PRE_COMMIT_HOME": str(self.home),
                "PIP_NO_DEPS": "1",
                "PYTHONPATH": os.pathsep.join(dict.fromkeys(places)),
            },
            capture_output=True,
            text=True,
            check=False,
        )


def git(directory: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=directory, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    pytest.importorskip("pre_commit", reason="needs the extra 'test'")
    if shutil.which("git") is None:
        pytest.skip("needs git")
    hook, root = tmp_path / "hook", tmp_path / "models"
    hook.mkdir()
    for name in (MANIFEST.name, "pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, hook)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "pytest_npu_compat", hook / "pytest_npu_compat", ignore=ignored)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "hook"]):
        git(hook, *command)
    (root / "models").mkdir(parents=True)
    for net in (models.on_npu(), models.half_on_npu()):
        models.save(net, root / "models")
    (root / "npu-compat.yaml").write_text(GATE, encoding="utf-8")
    config = {
        "repos": [
            {
                "repo": str(hook),
                "rev": git(hook, "rev-parse", "HEAD"),
                "hooks": [{"id": HOOK["id"]}],
            }
        ]
    }
    (root / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    git(root, "init", "-q")
    return Repository(root, tmp_path / "home")


def test_hook_stops_a_commit(repository: Repository) -> None:
    repository.git("add", "-A")
    green = repository.commit()
    if NO_NETWORK in green.stdout:
        pytest.skip("pre-commit cannot build the environment of a hook without a package index")
    assert green.returncode == 0, green.stdout + green.stderr
    assert "passed: 1 passed" in green.stdout
    repository.git("commit", "-qm", "models")
    assert repository.git("status", "--porcelain") == ""  # its cache is none of the commit's

    gate = repository.root / "npu-compat.yaml"
    gate.write_text(GATE.replace("on_npu", "half_on_npu"), encoding="utf-8")
    repository.git("add", "-A")
    red = repository.commit()
    assert red.returncode == 1
    assert "half_on_npu[ethos-n78]" in red.stdout
    assert "FAILED: 1 failed" in red.stdout

    gate.write_text(GATE, encoding="utf-8")
    shutil.copy(
        repository.root / "models" / "half_on_npu.onnx",
        repository.root / "models" / "on_npu.onnx",
    )
    repository.git("add", "-A")
    assert repository.commit().returncode == 1  # a model that got worse under the same gate

    repository.git("reset", "-q", "--hard")
    (repository.root / "notes.md").write_text("Nothing to judge.", encoding="utf-8")
    repository.git("add", "-A")
    other = repository.commit()
    assert other.returncode == 0
    assert "no files to check" in other.stdout
