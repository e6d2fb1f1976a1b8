"""Packs a folder of reference data into the compact form that travels with the repository.

Usage: ``python tests/conformance/pack.py FOLDER``, FOLDER holding vectors/, models/, goldens.json and
unit_cases.json. The same input gives the same bytes.
"""

from __future__ import annotations

import io
import lzma
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

DATA = Path(__file__).parent / "data"


def pack(files: Iterable[Path], target: Path) -> None:
    """Writes files into a compressed archive, without owners and dates."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for file in sorted(files):
            info = tarfile.TarInfo(file.name)
            info.size = file.stat().st_size
            archive.addfile(info, io.BytesIO(file.read_bytes()))
    target.write_bytes(lzma.compress(buffer.getvalue(), preset=9))


def main(folder: Path) -> None:
    """Packs all archives."""
    DATA.mkdir(exist_ok=True)
    pack((folder / "vectors").iterdir(), DATA / "vectors.tar.xz")
    pack([*(folder / "models").iterdir(), folder / "goldens.json"], DATA / "networks.tar.xz")
    pack([folder / "unit_cases.json"], DATA / "unit_cases.tar.xz")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
