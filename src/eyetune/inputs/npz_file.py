"""Reads .npz files of plain arrays: nothing is unpickled, and no header is believed."""

from __future__ import annotations

import math
import sys
import zipfile
from collections.abc import Container
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune.inputs.limits import WEIGHTS_BYTES, Limit
from eyetune.inputs.zip_file import open_zip

_SUFFIX = ".npy"
Shape = tuple[int, ...]


def read_arrays(
    path: Path, limit: Limit = WEIGHTS_BYTES, *, names: Container[str] | None = None
) -> dict[str, NDArray[Any]]:
    """Return the arrays in an .npz file by name.

    Args:
        path: The file.
        limit: The limit on its unpacked size.
        names: Names of the arrays to read. Default: all.

    Raises:
        OSError: It cannot be read, or is not a regular file.
        LimitExceededError: It is too large.
        ValueError: It contains something else than plain arrays. Damaged files raise all kinds
            of other errors: see `damage.explaining_damage`.
    """
    with open_zip(path, limit) as archive:
        members = {member.filename: member for member in archive.infolist()}
        arrays = {}
        for filename, member in members.items():
            name = filename.removesuffix(_SUFFIX)
            if names is not None and name not in names:
                continue
            if not filename.endswith(_SUFFIX):
                raise ValueError(f"{name} is not an array")
            read_header(archive, member)
            with archive.open(member) as stream:
                values: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
            if values.dtype.kind == "U":
                _check_texts(name, values)
            arrays[name] = values
        return arrays


def _check_texts(name: str, texts: NDArray[Any]) -> None:
    """Refuse texts with numbers that are no characters, which Python could not read.

    Raises:
        ValueError: There are some.
    """
    number_type = np.dtype(np.uint32).newbyteorder(texts.dtype.byteorder)
    if np.frombuffer(texts.tobytes(), number_type).max(initial=0) > sys.maxunicode:
        raise ValueError(f"{name} contains numbers that are no characters")


def read_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[Shape, np.dtype[Any]]:
    """Return the shape and the type of an array in a zip file, without reading the array.

    Args:
        archive: The zip file.
        member: The member that holds the array.

    Raises:
        ValueError: It is not a plain array, or the member has another size than the array.
    """
    name = member.filename.removesuffix(_SUFFIX)
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):  # later versions are for arrays with fields, and of unlimited length
            raise ValueError(f"{name} is not a plain array")
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        num_bytes = member.file_size - stream.tell()
    if dtype.hasobject:
        raise ValueError(f"Object arrays cannot be loaded: {name}")
    if dtype.names is not None or dtype.subdtype is not None:
        raise ValueError(f"{name} is not a plain array")
    if any(size < 0 for size in shape):
        raise ValueError(f"{name} has a negative size")
    described_bytes = math.prod(shape) * dtype.itemsize
    # Values of 0 bytes could be any number.
    if described_bytes != num_bytes or (dtype.itemsize == 0 and math.prod(shape) > 1):
        raise ValueError(
            f"{name} has {num_bytes:,} bytes, and its header describes {described_bytes:,}"
        )
    return tuple(shape), dtype
