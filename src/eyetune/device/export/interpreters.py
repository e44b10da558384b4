"""Run an int8 model on this machine: as a board does (TensorFlow Lite Micro), and as LiteRT does.

The two do not agree bit for bit. What a board will answer is what TensorFlow Lite Micro answers
here.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata, util
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune._stderr import caught, silenced
from eyetune.errors import BoardError

Images = NDArray[np.uint8]
Scores = NDArray[np.int8]
OnImage = Callable[[int], object]

MICRO = "tflite-micro"
_ALLOCATION = re.compile(r"Arena allocation (total|head|tail) (\d+)")
_MIN_ARENA = 16 * 1024
_MAX_ARENA = 256 * 1024 * 1024


@dataclass(frozen=True)
class Arena:
    """What TensorFlow Lite Micro used of its tensor arena on this machine, in bytes.

    Its tail is larger on a 64-bit machine than on a 32-bit board.
    """

    head_bytes: int
    tail_bytes: int

    @property
    def bytes(self) -> int:
        """All of it."""
        return self.head_bytes + self.tail_bytes


def as_int8(images: Images) -> Scores:
    """Return what the int8 model takes for images: each byte less 128.

    Example:
        >>> as_int8(np.array([0, 128, 255], np.uint8)).tolist()
        [-128, 0, 127]
    """
    return (images ^ np.uint8(128)).view(np.int8)


def has_micro() -> bool:
    """Tell whether TensorFlow Lite Micro's interpreter is installed: it has wheels for Linux on
    x86-64 alone.
    """
    return util.find_spec("tflite_micro") is not None


def micro_version() -> str:
    """Return its version, for a report."""
    return f"{MICRO} {metadata.version(MICRO)}"


def litert_version() -> str:
    """Return that of LiteRT, for a report."""
    return f"LiteRT of TensorFlow {metadata.version(_tensorflow())}"


def _tensorflow() -> str:
    names = ("tensorflow-cpu", "tensorflow")
    return next(name for name in names if any(metadata.distributions(name=name)))


class Micro:
    """An int8 model in TensorFlow Lite Micro's interpreter.

    Args:
        content: Of a .tflite file.
        arena_bytes: The tensor arena to begin with; it is doubled until the model finds room.

    Raises:
        BoardError: It cannot run the model: an operator is missing, or no arena is large enough.
    """

    def __init__(self, content: bytes, arena_bytes: int = _MIN_ARENA) -> None:
        self._interpreter = _micro_interpreter(content, max(arena_bytes, _MIN_ARENA))

    def scores(self, images: Images, on_image: OnImage = lambda _: None) -> Scores:
        """Return the int8 output for each image, shape (N, classes).

        Args:
            images: uint8, shape (N, height, width, channels).
            on_image: Called with the number of images that are done.
        """
        rows = []
        for number, values in enumerate(as_int8(images), start=1):
            self._interpreter.set_input(np.ascontiguousarray(values[np.newaxis]), 0)
            self._interpreter.invoke()
            rows.append(self._interpreter.get_output(0)[0].copy())
            on_image(number)
        return np.array(rows, np.int8)

    def arena(self) -> Arena:
        """Return what it used of the arena; at least one image must have been classified."""
        with caught() as words:
            self._interpreter.print_allocations()
        found = {name: int(size) for name, size in _ALLOCATION.findall(words())}
        return Arena(found["head"], found["tail"])


def _micro_interpreter(content: bytes, arena_bytes: int) -> Any:
    from tflite_micro import runtime

    words = ""
    while arena_bytes <= _MAX_ARENA:
        try:
            with caught() as heard:
                return runtime.Interpreter.from_bytes(content, arena_size=arena_bytes)
        except RuntimeError as error:
            words = _last_line(heard()) or str(error)
            if "opcode" in words or "operator" in words.lower():
                break
            arena_bytes *= 2
    raise BoardError(
        "TensorFlow Lite Micro cannot run the model.",
        received=words,
        fix="eyetune fit-check names the layers that a board cannot run, and what to use instead.",
    )


def _last_line(words: str) -> str:
    return next((line.strip() for line in reversed(words.splitlines()) if line.strip()), "")[:300]


def litert_scores(
    content: bytes, images: Images, *, reference: bool = True, on_image: OnImage = lambda _: None
) -> Scores:
    """Return LiteRT's int8 output for each image, shape (N, classes).

    Args:
        content: Of a .tflite file.
        images: uint8, shape (N, height, width, channels).
        reference: Use the reference kernels, which compute as TensorFlow Lite Micro's do but for
            rounding; else the fast ones, which differ more often.
        on_image: Called with the number of images that are done.
    """
    import tensorflow as tf

    kinds = tf.lite.experimental.OpResolverType
    kind = kinds.BUILTIN_REF if reference else kinds.AUTO
    with silenced(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it moves to a package of its own
        interpreter = tf.lite.Interpreter(model_content=content, experimental_op_resolver_type=kind)
        interpreter.allocate_tensors()
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for number, values in enumerate(as_int8(images), start=1):
        interpreter.set_tensor(given["index"], values[np.newaxis])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(answer["index"])[0])
        on_image(number)
    return np.array(rows, np.int8)
