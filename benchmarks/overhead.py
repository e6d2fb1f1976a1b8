"""What the plugin adds to a pytest run without gate files, and what such a run imports.

Prints ratios within one run: the same empty test run with the plugin and with `-p no:npu_compat`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 15
HEAVY = ("tvm", "onnx", "pydantic", "numpy")


def run(directory: Path, *options: str) -> float:
    """Seconds of one pytest run."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    start = time.perf_counter()
    subprocess.run(command, cwd=directory, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Prints the overhead."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        probe = f"import sys\ndef test():\n    print([m for m in {HEAVY!r} if m in sys.modules])\n"
        (directory / "test_probe.py").write_text(probe, encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:hypothesispytest"]
        output = subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True)
        print(f"imported by a run without gate files: {output.stdout.splitlines()[0]}")
        run(directory)
        pairs = [(run(directory, "-p", "no:npu_compat"), run(directory)) for _ in range(ROUNDS)]
    without = statistics.median(a for a, _ in pairs)
    difference = statistics.median(b - a for a, b in pairs)
    print(f"run without the plugin: {without * 1000:.0f} ms (median of {ROUNDS})")
    print(f"the plugin adds:        {difference * 1000:.1f} ms ({difference / without:+.1%})")


if __name__ == "__main__":
    main()
