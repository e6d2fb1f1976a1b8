"""Where the time of an analysis goes, on the reference networks, as shares of one run."""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))


def main() -> None:
    """Prints the shares."""
    from conformance import reference

    spent: Counter[str] = Counter()
    start = time.perf_counter()
    import tvm  # noqa: F401

    spent["import tvm"] = time.perf_counter() - start
    from pytest_npu_compat.analysis.facts import collect
    from pytest_npu_compat.analysis.placement import place
    from pytest_npu_compat.model import integer_form, onnx_file
    from pytest_npu_compat.target.ethos_n78.target import EthosN78

    _, files = reference.networks()
    nodes = count = 0
    with tempfile.TemporaryDirectory() as directory:
        for name, content in files.items():
            if not name.endswith(".onnx"):
                continue
            path = Path(directory) / name
            path.write_bytes(content)
            marks = [time.perf_counter()]
            model = onnx_file.read(path)
            marks.append(time.perf_counter())
            program = integer_form.lower(model.graph)
            marks.append(time.perf_counter())
            placement = place(program, EthosN78())
            marks.append(time.perf_counter())
            collect(placement)
            marks.append(time.perf_counter())
            steps = ("read the file", "integer form", "place with TVM", "collect facts")
            for step, before, after in zip(steps, marks, marks[1:], strict=False):
                spent[step] += after - before
            nodes += len(model.graph.nodes)
            count += 1
    total = sum(spent.values())
    print(f"{count} networks, {nodes} nodes, {total:.2f} s in one process")
    for step, seconds in spent.items():
        print(f"  {step:16} {seconds:6.2f} s  {seconds / total:6.1%}")
    per_network = (total - spent["import tvm"]) / count
    print(f"importing TVM costs as much as {spent['import tvm'] / per_network:.0f} networks")


if __name__ == "__main__":
    main()
