"""Opens HDF5 files that hold all of their data themselves, within a limit on its size."""

from __future__ import annotations

import io
import math
import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eyetune.inputs.limits import WEIGHTS_BYTES, Limit
from eyetune.inputs.regular_file import check_file

_HEAP = b"GCOL\x01\0\0\0"  # signature, version and reserved bytes of a global heap
MAX_OBJECTS = 100_000  # groups and data sets; a network has a few for each layer


@contextmanager
def open_hdf5(source: Path | bytes, limit: Limit = WEIGHTS_BYTES) -> Iterator[Any]:
    """Open an HDF5 file. Data that other files hold, or that a link names, is refused.

    Args:
        source: The file, or its content.
        limit: The limit on the size of all data sets in memory. The size of the file counts where
            it is larger.

    Yields:
        The file, an `h5py.File`.

    Raises:
        OSError: It cannot be read, or is not a regular file.
        LimitExceededError: Its data sets are too large.
        ValueError: It names other files. Damaged files raise other errors too: KeyError, TypeError
            and RuntimeError.
    """
    import h5py  # comes with Keras

    if isinstance(source, bytes):
        size_bytes = len(source)
        check_heaps(source)
        opened = h5py.File(io.BytesIO(source), "r")
    else:
        check_file(source)
        size_bytes = source.stat().st_size
        with source.open("rb") as stream:
            if size_bytes:
                with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
                    check_heaps(content)
        opened = h5py.File(source, "r")
    with opened as file:
        num_bytes = _checked_bytes(file)
        if num_bytes > size_bytes:
            limit.check(num_bytes, "data sets")
        yield file


def check_heaps(content: bytes | mmap.mmap) -> None:
    """Refuse a file in which the HDF5 library would search for the end of a heap forever.

    Strings are kept in global heaps. The library walks through the objects of a heap by their
    sizes, and does not stop at one without a size.

    Source: HDF5 file format specification, version 3.0, section III.E.

    Args:
        content: The content of the file.

    Raises:
        ValueError: A heap has an object without a size.
    """
    start = content.find(_HEAP)
    while start >= 0:
        if start % 8 == 0 and start + 16 <= len(content):
            (size,) = struct.unpack_from("<Q", content, start + 8)
            position, end = start + 16, min(start + size, len(content))
            while position + 16 <= end:
                index, _, _, data_size = struct.unpack_from("<HHIQ", content, position)
                step = data_size if index == 0 else 16 + -(-data_size // 8) * 8
                if step < 16:
                    raise ValueError("a heap of strings has an object without a size")
                position += step
        start = content.find(_HEAP, start + 1)


def _checked_bytes(file: Any) -> int:
    """Return the size of all data sets in memory, in bytes.

    Raises:
        ValueError: A data set is in another file, or a link names it.
    """
    import h5py

    num_bytes = 0
    for path in _paths(file):
        link = file.get(path, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{path[:200]} is a link ({type(link).__name__})")
        value = file[path]
        if isinstance(value, h5py.Dataset):
            if value.external or value.is_virtual:
                raise ValueError(f"{path[:200]} is stored in another file")
            if value.dtype.hasobject:
                raise ValueError(f"{path[:200]} is not an array of numbers")
            num_bytes += math.prod(value.shape or ()) * value.dtype.itemsize
    return num_bytes


def _paths(file: Any) -> list[str]:
    """Return the paths of all links in a file.

    Raises:
        ValueError: There are too many.
    """
    paths: list[str] = []

    def add(path: str) -> bool | None:
        """Stop where it returns something. h5py does not pass on what is raised here."""
        paths.append(path)
        return True if len(paths) > MAX_OBJECTS else None

    if file.visit_links(add):
        raise ValueError(f"more than {MAX_OBJECTS:,} groups and data sets")
    return paths
