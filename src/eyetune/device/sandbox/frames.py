"""Messages between a process and an interpreter's process: JSON and bytes, never pickles."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

MAX_HEADER_BYTES = 1_000_000
_LENGTH = struct.Struct("<Q")
_TYPES = frozenset({"int8", "uint8", "float32"})


class BrokenStreamError(Exception):
    """What arrives is not a message: the other process has ended, or is out of control."""


@dataclass(frozen=True)
class Message:
    """A message.

    Attributes:
        values: Plain values, as JSON can hold them.
        content: The content of a file; may be empty.
        arrays: Arrays of int8, uint8 or float32.
    """

    values: Mapping[str, Any]
    content: bytes = b""
    arrays: Sequence[NDArray[Any]] = field(default_factory=tuple)


def send(stream: IO[bytes], message: Message) -> None:
    """Write a message.

    Raises:
        OSError: The other process has ended.
    """
    arrays = [np.ascontiguousarray(array) for array in message.arrays]
    described = [{"dtype": array.dtype.name, "shape": array.shape} for array in arrays]
    header = {"values": dict(message.values), "size": len(message.content), "arrays": described}
    line = json.dumps(header).encode()
    stream.write(_LENGTH.pack(len(line)) + line + message.content)
    for array in arrays:
        stream.write(array.reshape(-1).view(np.uint8).data)
    stream.flush()


def receive(stream: IO[bytes], max_bytes: int) -> Message:
    """Read a message.

    Args:
        stream: The stream.
        max_bytes: Size of its content and arrays, at most.

    Raises:
        BrokenStreamError: There is none, or it is larger.
    """
    try:
        (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size, MAX_HEADER_BYTES))
        header = json.loads(_exactly(stream, length, MAX_HEADER_BYTES))
        content = _exactly(stream, int(header["size"]), max_bytes)
        arrays = []
        for described in header["arrays"]:
            dtype, shape = str(described["dtype"]), tuple(map(int, described["shape"]))
            if dtype not in _TYPES or min(shape, default=0) < 0:
                raise BrokenStreamError("an array of another type")
            kind: np.dtype[Any] = np.dtype(dtype)
            size = kind.itemsize
            for length in shape:
                size *= length
            arrays.append(np.frombuffer(_exactly(stream, size, max_bytes), kind).reshape(shape))
        values = header["values"]
        if not isinstance(values, dict):
            raise BrokenStreamError("a message without values")
        return Message(values, content, arrays)
    except (ValueError, KeyError, TypeError, RecursionError, OSError) as error:
        raise BrokenStreamError(f"{type(error).__name__}: {error}") from None


def _exactly(stream: IO[bytes], size: int, max_bytes: int) -> bytes:
    if not 0 <= size <= max_bytes:
        raise BrokenStreamError(f"{size} bytes")
    content = stream.read(size)
    if len(content) < size:
        raise BrokenStreamError("the stream has ended")
    return content
