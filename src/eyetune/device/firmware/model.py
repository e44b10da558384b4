"""What firmware is made of: an int8 network and what its firmware must know of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from eyetune.device.firmware.image import checked_shape
from eyetune.errors import UsageError

_MARK = b"TFL3"  # at byte 4 of a TensorFlow Lite file


@dataclass(frozen=True)
class FirmwareModel:
    """An int8 network and what its firmware must know of it.

    Attributes:
        content: The .tflite file.
        title: What it is, for comments and the README; may hold anything.
        image_shape: Height, width and channels (1 or 3).
        class_names: In the order of the scores; may hold anything.
        operators: Builtin operators by their names in TensorFlow Lite's schema, for example
            CONV_2D.
        arena_bytes: How much memory it needs at most, measured or predicted.
        output_scale: A probability is (score - output_zero_point) * output_scale.
        output_zero_point: From -128 to 127.
        expected: Lines of serial output for the README, as a computer answers, with the time that
            is predicted.

    Raises:
        UsageError: A value cannot be used.
    """

    content: bytes
    title: str
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    operators: tuple[str, ...]
    arena_bytes: int
    output_scale: float
    output_zero_point: int
    expected: str = ""

    def __post_init__(self) -> None:
        checked_shape(self.image_shape)
        if self.content[4:8] != _MARK:
            raise UsageError(
                "The network is no TensorFlow Lite file.",
                expected="TFL3 at byte 4",
                received=f"{len(self.content):,} bytes that begin with {self.content[:8]!r}",
            )
        if not self.class_names or not self.operators:
            raise UsageError(
                "The network has no classes or no operators.", expected="one or more of both"
            )
        if self.arena_bytes < 1:
            raise UsageError(
                "The tensor arena is too small.",
                expected="1 byte or more",
                received=self.arena_bytes,
            )
        if not (
            math.isfinite(self.output_scale)
            and self.output_scale > 0
            and -128 <= self.output_zero_point <= 127
        ):
            raise UsageError(
                "The scores of the network cannot be read.",
                expected="a finite scale above 0 and a zero point from -128 to 127",
                received=f"{self.output_scale} and {self.output_zero_point}",
            )

    @property
    def height(self) -> int:
        """Of the images, in pixels."""
        return self.image_shape[0]

    @property
    def width(self) -> int:
        """Of the images, in pixels."""
        return self.image_shape[1]

    @property
    def channels(self) -> int:
        """Of the images: 1 or 3."""
        return self.image_shape[2]
