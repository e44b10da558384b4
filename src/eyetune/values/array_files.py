"""Arrays that eyetune wrote into an `.npz` file, read within bounds of memory and without code."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_KINDS = "biufcSU"  # NumPy's letters for the types of arrays that eyetune writes


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return all arrays of a file by name.

    eyetune writes such files without compression, so they cannot hold more than their own size.

    Raises:
        ValueError: The file is compressed, or holds objects instead of numbers and texts.
        Exception: It is damaged; NumPy and zipfile raise all kinds of errors.
    """
    with zipfile.ZipFile(path) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise ValueError("the arrays are compressed")
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    for name, values in arrays.items():
        if not isinstance(values, np.ndarray) or values.dtype.kind not in _KINDS:
            raise ValueError(f"{name} has a type that cannot be used")
    return arrays
