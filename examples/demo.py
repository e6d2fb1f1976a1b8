"""Runs the example gates and compares their outcome with `expected.yaml`: green and red, on purpose."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

import yaml

HERE = Path(__file__).resolve().parent


def run_gate(gate: str) -> dict[str, list[str]]:
    """Runs pytest on one gate file; returns model -> checks that failed."""
    with tempfile.TemporaryDirectory() as directory:
        junit = Path(directory) / "junit.xml"
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", gate]
        subprocess.run([*command, f"--junitxml={junit}"], cwd=HERE.parent, check=False)
        cases = ElementTree.parse(junit).iter("testcase")
        outcome: dict[str, list[str]] = defaultdict(list)
        for case in cases:
            model, check = case.attrib["classname"].split(".yaml.")[-1], case.attrib["name"]
            bad = case.find("failure") is not None or case.find("error") is not None
            outcome[model].extend([check] if bad else [])
        return dict(outcome)


def main() -> int:
    """Runs all gates.

    Returns:
        0 if every model behaves as documented, else 1.
    """
    expected = yaml.safe_load((HERE / "expected.yaml").read_text(encoding="utf-8"))
    surprises = []
    for gate, models in expected.items():
        print(f"\n$ pytest {gate}\n", flush=True)
        outcome = run_gate(gate)
        for model in sorted({*models, *outcome}):
            wanted, found = models.get(model), outcome.get(model)
            if wanted is None or found is None or sorted(wanted) != sorted(found):
                surprises.append(f"{gate}::{model}: expected {wanted}, found {found}")
    red = sum(bool(checks) for models in expected.values() for checks in models.values())
    green = sum(len(models) for models in expected.values()) - red
    if surprises:
        print("\nDEMO: not as documented\n  " + "\n  ".join(surprises))
        return 1
    print(
        f"\nDEMO: as documented in examples/expected.yaml: {green} models pass the gate, {red} fail it "
        "on purpose.\nexamples/v3/README.md says what the failures mean."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
