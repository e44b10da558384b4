"""Proof that an int8 model does on a board what it should: TensorFlow Lite Micro on real images,
against LiteRT.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune.device.export.interpreters import (
    Arena,
    Images,
    Micro,
    Scores,
    has_micro,
    litert_scores,
    litert_version,
    micro_version,
)

MIN_AGREEMENT = (
    0.995  # of the likeliest class with LiteRT's reference kernels; ResNet-8 agreed on 500 of 500
)
MAX_LOST = 0.01  # of the accuracy, by int8
WITHOUT_MICRO = (
    "TensorFlow Lite Micro has no wheel for this machine: LiteRT's reference kernels classified in its place, and what "
    "the tensor arena takes was predicted and not measured."
)


@dataclass(frozen=True)
class Verification:
    """What came of a proof.

    Attributes:
        split: Of the images that were classified.
        num_images: How many.
        float_accuracy: Of the float network on the same images, 0 to 1 (None: not known).
        int8_accuracy: Of the int8 model, in the interpreter that decides.
        agreement: Share of the images to which LiteRT's reference kernels give the same class
            (None: nothing to compare).
        arena: What the tensor arena took (None: not measured).
        arena_limit_bytes: What the firmware sets aside for it.
        interpreter: Which interpreter decides, with its version.
        reference: Which it was compared with.
        versions: Of the libraries.
        left_out: What could not be tested on this machine ("": nothing).
        changed_files: Files of the export that are not as they were written.
    """

    split: str
    num_images: int
    float_accuracy: float | None
    int8_accuracy: float
    agreement: float | None
    arena: Arena | None
    arena_limit_bytes: int
    interpreter: str
    reference: str
    versions: Mapping[str, str]
    left_out: str = ""
    changed_files: tuple[str, ...] = ()

    @property
    def lost(self) -> float | None:
        """The accuracy that int8 cost, in shares: below 0 where it won some."""
        return None if self.float_accuracy is None else self.float_accuracy - self.int8_accuracy

    @property
    def failures(self) -> tuple[str, ...]:
        """Why the model is not to be trusted; none where the proof holds."""
        found = [f"{name} is not as it was exported." for name in self.changed_files]
        if self.agreement is not None and self.agreement < MIN_AGREEMENT:
            found.append(
                f"{self.interpreter} and {self.reference} agree on {self.agreement:.2%} of the images; at least "
                f"{MIN_AGREEMENT:.1%} are expected."
            )
        if self.arena and self.arena.bytes > self.arena_limit_bytes:
            found.append(
                f"The tensor arena took {self.arena.bytes:,} bytes; the firmware has {self.arena_limit_bytes:,}."
            )
        return tuple(found)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to mind, though the proof holds."""
        found = []
        if self.lost is not None and self.lost > MAX_LOST:
            found.append(f"int8 costs {100 * self.lost:.1f} points of accuracy.")
        if self.left_out:
            found.append(self.left_out)
        return tuple(found)

    @property
    def passed(self) -> bool:
        """Whether the proof holds."""
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        arena = None if self.arena is None else {**asdict(self.arena), "bytes": self.arena.bytes}
        return {
            "passed": self.passed,
            "failures": list(self.failures),
            "warnings": list(self.warnings),
            **asdict(self),
            "arena": arena,
            "lost": self.lost,
        }


def verify(
    content: bytes,
    images: Images,
    labels: NDArray[np.int64],
    *,
    split: str,
    arena_limit_bytes: int,
    float_accuracy: float | None = None,
    changed_files: tuple[str, ...] = (),
    on_image: Callable[[int], object] = lambda _: None,
) -> Verification:
    """Classify images with an int8 model as the board does, and compare.

    Args:
        content: Of the .tflite file.
        images: uint8, shape (N, height, width, channels), at least one.
        labels: int64, shape (N,).
        split: What the images are.
        arena_limit_bytes: What the firmware sets aside for the tensor arena.
        float_accuracy: Of the float network on the same images.
        changed_files: Of the export, as the caller found them.
        on_image: Called with how many images are done, of twice their number where two interpreters
            classify.

    Raises:
        BoardError: The interpreter cannot run the model.
    """
    arena, micro = None, None
    done = 0
    if has_micro():
        board = Micro(content)
        micro = board.scores(images, on_image)
        arena, done = board.arena(), len(images)
    reference = litert_scores(content, images, on_image=lambda number: on_image(done + number))
    decides = reference if micro is None else micro
    words = f"{litert_version()}, reference kernels"
    return Verification(
        split=split,
        num_images=len(images),
        float_accuracy=float_accuracy,
        int8_accuracy=accuracy(decides, labels),
        agreement=None
        if micro is None
        else float(np.mean(micro.argmax(axis=1) == reference.argmax(axis=1))),
        arena=arena,
        arena_limit_bytes=arena_limit_bytes,
        interpreter=words if micro is None else micro_version(),
        reference=words,
        versions=_versions(),
        left_out=WITHOUT_MICRO if micro is None else "",
        changed_files=changed_files,
    )


def accuracy(scores: Scores, labels: NDArray[np.int64]) -> float:
    """Return the share of the images whose largest score is that of their class, 0 to 1.

    Example:
        >>> accuracy(np.array([[3, -5], [-128, 127]], np.int8), np.array([0, 0]))
        0.5
    """
    return float(np.mean(scores.argmax(axis=1) == labels))


def _versions() -> dict[str, str]:
    from importlib import metadata

    names = ("eyetune", "tensorflow", "tensorflow-cpu", "keras", "numpy", "tflite-micro")
    return {
        name: metadata.version(name) for name in names if any(metadata.distributions(name=name))
    }
