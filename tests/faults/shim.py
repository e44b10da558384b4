"""Builds the library that simulates a full or read-only disk, and a clock that was set back."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("shim.c")


def build_shim(folder: Path) -> Path:
    """Return the path of the library; the test is skipped where it cannot be built."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not Path("/proc/self/fd").exists():
        pytest.skip("simulated disks need Linux and a C compiler")
    library = folder / "shim.so"
    if not library.exists():
        options = ["-shared", "-fPIC", "-O1", "-o", str(library)]
        subprocess.run([compiler, *options, str(SOURCE), "-ldl"], check=True)
    return library
