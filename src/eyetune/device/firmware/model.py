"""An int8 network with everything that its firmware needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from eyetune.device.estimate.tflite_schema import IDENTIFIER
from eyetune.device.firmware.golden import GoldenPicture
from eyetune.device.firmware.image import checked_shape
from eyetune.device.firmware.result import UnknownRule, check_vote_frames
from eyetune.errors import UsageError
from eyetune.recipe import Resize


@dataclass(frozen=True)
class FirmwareModel:
    """An int8 network with everything that its firmware needs.

    Attributes:
        content: The content of the .tflite file.
        title: A title for comments and the README; may contain any characters.
        image_shape: Height, width and channels (1 or 3) of the images.
        class_names: The classes in the order of the scores; may contain any characters.
        operators: Names of the builtin operators in TensorFlow Lite's schema, for example CONV_2D.
        arena_bytes: Size of the tensor arena in bytes, measured or predicted.
        output_scale: A probability is (score - output_zero_point) * output_scale; or a logit, if
            `unknown` is for logits.
        output_zero_point: From -128 to 127.
        golden: A picture with which the firmware tests itself.
        resize: How a frame of the camera becomes an image, as photos did in training.
        unknown: When a picture is unknown. None: every picture gets a class.
        vote_frames: Number of frames that vote, if pictures can be unknown: 1 to 32.
        expected: Lines of answers for the README, as computed here, with the predicted time.

    Raises:
        UsageError: A value is out of range.
    """

    content: bytes
    title: str
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    operators: tuple[str, ...]
    arena_bytes: int
    output_scale: float
    output_zero_point: int
    golden: GoldenPicture
    resize: Resize = "crop"
    expected: str = ""
    unknown: UnknownRule | None = None
    vote_frames: int = 1

    def __post_init__(self) -> None:
        checked_shape(self.image_shape)
        if self.content[4:8] != IDENTIFIER:
            raise UsageError(
                "The network is not a TensorFlow Lite file.",
                expected="TFL3 at bytes 4 to 7",
                received=f"{len(self.content):,} bytes that begin with {self.content[:8]!r}",
            )
        if not self.class_names or not self.operators:
            raise UsageError(
                "The network has no classes or no operators.",
                expected="at least 1 class and 1 operator",
                received=f"{len(self.class_names)} and {len(self.operators)}",
            )
        if self.arena_bytes < 1:
            raise UsageError(
                "The tensor arena must have at least 1 byte.",
                expected="1 byte or more",
                received=self.arena_bytes,
            )
        has_scale = math.isfinite(self.output_scale) and self.output_scale > 0
        if not has_scale or not -128 <= self.output_zero_point <= 127:
            raise UsageError(
                "The output of the network has an invalid scale or zero point.",
                expected="a finite scale above 0, and a zero point from -128 to 127",
                received=f"{self.output_scale} and {self.output_zero_point}",
            )
        check_vote_frames(self.vote_frames)

    @property
    def height(self) -> int:
        """Height of the images in pixels."""
        return self.image_shape[0]

    @property
    def width(self) -> int:
        """Width of the images in pixels."""
        return self.image_shape[1]

    @property
    def channels(self) -> int:
        """Channels of the images: 1 or 3."""
        return self.image_shape[2]
