"""The accuracy of an int8 network: a worker measures it, and the record of a trial holds it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Int8Accuracy:
    """The accuracy of an int8 network on validation images.

    Attributes:
        num_correct: Number of images that it classifies correctly.
        num_images: Number of images, 1 or more.
        interpreter: Name and version of the interpreter that classified them.

    Example:
        >>> Int8Accuracy(900, 1000, "tflite-micro 0.1").accuracy
        0.9
    """

    num_correct: int
    num_images: int
    interpreter: str

    @property
    def accuracy(self) -> float:
        """Share of the images that it classifies correctly, 0 to 1."""
        return self.num_correct / self.num_images
