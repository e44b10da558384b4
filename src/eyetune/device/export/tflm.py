"""TensorFlow Lite Micro's interpreter on this computer: it answers as a board will.

The package `tflite_micro` is used in this module only. It has no stable releases;
tests/device/export/test_tflm.py names the version that this module was checked with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata, util
from typing import Any

import numpy as np

from eyetune._stderr import caught
from eyetune.device.estimate.tflite import footprint_of, read
from eyetune.device.export.int8_values import Images, OnImage, Scores, as_int8, no_progress
from eyetune.errors import BoardError

_DISTRIBUTION = "tflite-micro"
_MIN_ARENA_BYTES = 16 * 1024
_MAX_ARENA_BYTES = 256 * 1024 * 1024
_MAX_SHOWN = 300  # characters of the interpreter's message in an error


@dataclass(frozen=True)
class Arena:
    """The part of the tensor arena that TensorFlow Lite Micro used on this computer.

    The tail is larger on a 64-bit computer than on a 32-bit board.

    Attributes:
        head_bytes: Size of the tensors in bytes.
        tail_bytes: Size of what the interpreter keeps about operators and tensors, in bytes.
    """

    head_bytes: int
    tail_bytes: int

    @property
    def bytes(self) -> int:
        """Size of head and tail in bytes."""
        return self.head_bytes + self.tail_bytes


def is_available() -> bool:
    """Return whether the interpreter is installed: there are wheels for Linux on x86-64 only."""
    return util.find_spec("tflite_micro") is not None


def load_library() -> None:
    """Load the interpreter.

    Raises:
        ImportError: It is not installed.
    """
    from tflite_micro import runtime  # noqa: F401


def version() -> str:
    """Return the name and version of the interpreter, for a report."""
    return f"{_DISTRIBUTION} {metadata.version(_DISTRIBUTION)}"


class MicroInterpreter:
    """An int8 model in TensorFlow Lite Micro's interpreter.

    Args:
        content: The content of a .tflite file.
        arena_bytes: Size of the tensor arena in bytes; it is doubled until the model fits.

    Raises:
        BoardError: The interpreter lacks an operator, or the model needs too large an arena.
    """

    def __init__(self, content: bytes, arena_bytes: int = _MIN_ARENA_BYTES) -> None:
        self._interpreter = _load(content, max(arena_bytes, _MIN_ARENA_BYTES))

    def scores(self, images: Images, on_image: OnImage = no_progress) -> Scores:
        """Return the int8 scores of each image, shape (N, classes).

        Args:
            images: Pixels, uint8 of shape (N, height, width, channels).
            on_image: Called after each image with the number of images that are done.
        """
        rows = []
        for number, image in enumerate(as_int8(images), start=1):
            self._interpreter.set_input(np.ascontiguousarray(image[np.newaxis]), 0)
            self._interpreter.invoke()
            rows.append(self._interpreter.get_output(0)[0].copy())
            on_image(number)
        return np.array(rows, np.int8)

    def arena(self) -> Arena:
        """Return the used part of the arena; at least one image must have been classified."""
        with caught() as printed:
            self._interpreter.print_allocations()
        return read_allocations(printed())


def read_allocations(text: str) -> Arena:
    """Return the used part of the arena from what the interpreter prints.

    The Python interface has no other way to get at these numbers.

    Args:
        text: What `print_allocations` wrote to standard error.

    Example:
        >>> read_allocations("Arena allocation head 36000 bytes\\nArena allocation tail 3696 bytes")
        Arena(head_bytes=36000, tail_bytes=3696)
    """
    sizes = dict(re.findall(r"Arena allocation (head|tail) (\d+)", text))
    return Arena(int(sizes["head"]), int(sizes["tail"]))


def _load(content: bytes, arena_bytes: int) -> Any:
    from tflite_micro import runtime

    unsupported = footprint_of(read(content)).unsupported
    if unsupported:
        raise _cannot_run(", ".join(unsupported))
    reason = ""
    while arena_bytes <= _MAX_ARENA_BYTES:
        try:
            with caught() as printed:
                return runtime.Interpreter.from_bytes(content, arena_size=arena_bytes)
        except RuntimeError as error:
            reason = _last_line(printed()) or str(error)
            arena_bytes *= 2
    raise _cannot_run(reason)


def _cannot_run(reason: str) -> BoardError:
    return BoardError(
        "TensorFlow Lite Micro cannot run the model.",
        received=reason,
        fix="eyetune fit-check names the layers that a board cannot run, and replacements.",
    )


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:_MAX_SHOWN] if lines else ""
