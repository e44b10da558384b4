"""Verification of an int8 model on real images, in TensorFlow Lite Micro and in LiteRT.

The two interpreters do not agree bit for bit. The accuracy to report is that of TensorFlow Lite
Micro, which the board will reach; LiteRT's reference kernels must predict the same class for
almost all images. This says that the int8 model computes what it should, not that it is any good:
`Verification.conclusion` also compares its accuracy with guessing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis.class_metrics import balanced_accuracy, class_metrics
from eyetune.analysis.guessing import Judgement, judge
from eyetune.analysis.imbalance import imbalance
from eyetune.analysis.metrics import confident_mistakes
from eyetune.device.estimate.tflite import read
from eyetune.device.export import litert, tflm
from eyetune.device.export.export_text import accuracy_rows
from eyetune.device.export.int8_values import (
    Images,
    OnImage,
    Scores,
    confusion_matrix,
    no_progress,
    probabilities_of,
)
from eyetune.device.export.parallel import in_parts
from eyetune.device.export.tflm import Arena
from eyetune.device.sandbox import client
from eyetune.errors import BoardError
from eyetune.values.renamed_attributes import renamed_to
from eyetune.values.summary import Summarized, Summary
from eyetune.values.versions import library_versions

MIN_AGREEMENT = 0.995  # with LiteRT's reference kernels; ResNet-8 agreed on 500 of 500 images
MAX_ACCURACY_DROP = 0.01  # from float to int8
# From as many images on, 100% agreement shows at least 99.5% (95% interval).
SURE_FROM = 765
MAX_MISTAKES = 18  # that are listed
_LIBRARIES = ("eyetune", "tensorflow", "tensorflow-cpu", "keras", "numpy", "tflite-micro")
_WITHOUT_TFLM = (
    "TensorFlow Lite Micro is not available for this computer: LiteRT's reference kernels "
    "classified the images instead, and the size of the tensor arena is predicted, not measured."
)


class Conclusion(StrEnum):
    """What a verification shows, as a sentence."""

    FAILED = "The verification failed."
    GUESSING = "The int8 model computes correctly, but is not shown to be better than guessing."
    FEW_IMAGES = "The verification passed, but on too few images to be sure."
    PASSED = "The verification passed."


@dataclass(frozen=True)
class Mistake:
    """An image that the int8 model classifies incorrectly.

    Attributes:
        image: Number of the image in its split, from 0.
        true: Its class.
        predicted: The class that the model predicts.
        confidence: The probability that the model gives to this class, 0 to 1.
    """

    image: int
    true: int
    predicted: int
    confidence: float


@dataclass(frozen=True, repr=False)
class Verification(Summarized):
    """The result of a verification.

    Attributes:
        split: The split that the images are from.
        num_images: Number of images.
        float_accuracy: Accuracy of the float network on the same images, 0 to 1; None if unknown.
        confusion: Number of images of each true class (row) by class that the int8 model predicts
            in the deciding interpreter (column).
        agreement: Fraction of the images for which LiteRT's reference kernels predict the same
            class; None if there is nothing to compare.
        arena: Used part of the tensor arena; None if it was not measured.
        arena_limit_bytes: Size of the tensor arena in the firmware, in bytes; None without
            firmware.
        arena_scratch_bytes: Its part for scratch memory of the board's kernels, which is computed.
        interpreter: Name and version of the deciding interpreter.
        reference: Name and version of the interpreter that it was compared with.
        versions: Versions of the libraries.
        was_trained_on: Whether the network was trained on these images.
        left_out: What could not be verified on this computer; "" if nothing.
        changed_files: Files of the export that changed after it was written.
        mistakes: Some images that are classified incorrectly, the most confident mistake first.
    """

    split: str
    num_images: int
    float_accuracy: float | None
    confusion: tuple[tuple[int, ...], ...]
    agreement: float | None
    arena: Arena | None
    arena_limit_bytes: int | None
    interpreter: str
    reference: str
    versions: Mapping[str, str]
    arena_scratch_bytes: int = 0
    was_trained_on: bool = False
    left_out: str = ""
    changed_files: tuple[str, ...] = ()
    mistakes: tuple[Mistake, ...] = ()

    @property
    def judgement(self) -> Judgement:
        """Accuracy of the int8 model, with its interval, beside the accuracy of guessing."""
        return judge(np.array(self.confusion), self.split)

    @property
    def int8_accuracy(self) -> float:
        """Accuracy of the int8 model in the deciding interpreter, 0 to 1."""
        return self.judgement.accuracy.value

    @property
    def is_on_few_images(self) -> bool:
        """Whether there are too few images to show the agreement that is asked for."""
        return self.agreement is not None and self.num_images < SURE_FROM

    @property
    def conclusion(self) -> Conclusion:
        """What the verification shows."""
        if not self.passed:
            return Conclusion.FAILED
        if not self.judgement.is_better_than_guessing:
            return Conclusion.GUESSING
        return Conclusion.FEW_IMAGES if self.is_on_few_images else Conclusion.PASSED

    @property
    def accuracy_drop(self) -> float | None:
        """Accuracy that int8 costs, 0 to 1, negative for a gain; None if it is unknown."""
        if self.float_accuracy is None:
            return None
        return self.float_accuracy - self.int8_accuracy

    lost = renamed_to("accuracy_drop")

    @property
    def failures(self) -> tuple[str, ...]:
        """Reasons why the verification failed; empty if it passed."""
        failures = [f"{name} changed after the export." for name in self.changed_files]
        if self.agreement is not None and self.agreement < MIN_AGREEMENT:
            failures.append(
                f"{self.interpreter} and {self.reference} agree on {self.agreement:.2%} of the "
                f"images; at least {MIN_AGREEMENT:.1%} are expected."
            )
        limit = self.arena_limit_bytes
        if self.arena is not None and limit is not None:
            scratch = self.arena_scratch_bytes
            if self.arena.bytes + scratch > limit:
                more = f" and {scratch:,} for the board's kernels" if scratch else ""
                failures.append(
                    f"The tensor arena took {self.arena.bytes:,} bytes{more}; "
                    f"the firmware sets aside {limit:,}."
                )
        return tuple(failures)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know, although the verification passed."""
        warnings = []
        if self.was_trained_on:
            warnings.append(
                f"The network was trained on these {self.split} images, so their accuracy is too "
                "high: only test images count."
            )
        if self.is_on_few_images:
            warnings.append(
                f"{self.num_images:,} images are few: only from {SURE_FROM} on can they show that "
                f"{MIN_AGREEMENT:.1%} of all images get the same class."
            )
        if self.accuracy_drop is not None and self.accuracy_drop > MAX_ACCURACY_DROP:
            warnings.append(f"int8 costs {100 * self.accuracy_drop:.1f} points of accuracy.")
        confusion = np.array(self.confusion)
        uneven = imbalance(confusion.sum(axis=1).tolist())
        if uneven.is_large and not self.is_on_few_images:  # in few images, it may be chance
            warnings.append(
                f"The largest class has {uneven.ratio:.1f} times as many images as the smallest, "
                "so judge by balanced accuracy, the mean over classes: "
                f"{balanced_accuracy(confusion).text()}. A constant answer has "
                f"{uneven.constant_balanced_accuracy:.1%}."
            )
        if self.left_out:
            warnings.append(self.left_out)
        return tuple(warnings)

    @property
    def remarks(self) -> tuple[str, ...]:
        """The failures, then the warnings."""
        return (*self.failures, *self.warnings)

    @property
    def passed(self) -> bool:
        """Whether the int8 model can be trusted."""
        return not self.failures

    @property
    def headline(self) -> str:
        """What it is, and the outcome, in one line."""
        images = f"{self.num_images:,} {self.split} images"
        return f"{self.conclusion} Accuracy in int8: {self.int8_accuracy:.2%} of {images}"

    @property
    def summary(self) -> Summary:
        """What a notebook shows below the headline."""
        rows = accuracy_rows(self.float_accuracy, self.int8_accuracy, self.num_images, self.split)
        rows["accuracy in int8"] += f", {self.interpreter}"
        if self.agreement is not None:
            rows["same class"] = f"{self.agreement:.2%} ({self.reference})"
        if self.arena is not None:
            parts = [f"{self.arena.bytes:,} bytes used"]
            if self.arena_limit_bytes is not None:
                if self.arena_scratch_bytes:
                    parts.append(f"{self.arena_scratch_bytes:,} computed for ESP-NN's kernels")
                parts.append(f"{self.arena_limit_bytes:,} set aside")
            rows["tensor arena"] = ", ".join(parts)
        return Summary(rows, (self.judgement.text, *self.remarks))

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        arena = None if self.arena is None else {**asdict(self.arena), "bytes": self.arena.bytes}
        judgement, confusion = self.judgement, np.array(self.confusion)
        balanced = balanced_accuracy(confusion).to_json()
        return {
            "passed": self.passed,
            "conclusion": self.conclusion.name.lower(),
            "headline": str(self.conclusion),
            "text": judgement.text,
            "failures": list(self.failures),
            "warnings": list(self.warnings),
            **asdict(self),
            "int8_accuracy": judgement.accuracy.value,
            "int8_accuracy_interval": judgement.accuracy.to_json()["interval"],
            "guessing_accuracy": judgement.guess,
            "is_better_than_guessing": judgement.is_better_than_guessing,
            "balanced_accuracy": balanced["value"],
            "balanced_accuracy_interval": balanced["interval"],
            "by_class": [metrics.to_json() for metrics in class_metrics(confusion)],
            "arena": arena,
            "accuracy_drop": self.accuracy_drop,
            "lost": self.accuracy_drop,  # the earlier name of accuracy_drop
        }


def num_classifications(num_images: int) -> int:
    """Return how many classifications `verify` needs: one per image and interpreter."""
    return num_images * len(_interpreters())


def warm_up() -> None:
    """Load the interpreters in a process of their own, while this one does something else."""
    client.warm_up(_interpreters())


def _interpreters() -> list[client.Interpreter]:
    return ["micro", "litert"] if tflm.is_available() else ["litert"]


def verify(
    content: bytes,
    images: Images,
    labels: NDArray[np.int64],
    *,
    split: str,
    arena_limit_bytes: int | None,
    arena_scratch_bytes: int = 0,
    float_accuracy: float | None = None,
    changed_files: tuple[str, ...] = (),
    was_trained_on: bool = False,
    num_processes: int = 1,
    on_image: OnImage = no_progress,
) -> Verification:
    """Classify images with an int8 model as a board does, and compare with LiteRT.

    The interpreters run in processes of their own: the model may come from anywhere.

    Args:
        content: The content of the .tflite file.
        images: Pixels, uint8 of shape (N, height, width, channels), at least one image.
        labels: Classes, int64 of shape (N,).
        split: Name of the split that the images are from.
        arena_limit_bytes: Size of the tensor arena in the firmware, in bytes; None without
            firmware.
        arena_scratch_bytes: Its part for scratch memory of the board's kernels, which is computed
            and not measured. Default: 0.
        float_accuracy: Accuracy of the float network on the same images, 0 to 1. Default: unknown.
        changed_files: Files of the export that changed after it was written.
        was_trained_on: Whether the network was trained on these images. Default: False.
        num_processes: Number of processes that share the images. Default: 1.
        on_image: Called with the number of classifications so far, of `num_classifications(N)`.

    Raises:
        BoardError: An interpreter cannot run the model, crashes, or exceeds a limit.
    """
    _check_classes(content, labels)
    interpreters = _interpreters()

    def classified(part: Images, on_part: OnImage) -> client.Classified:
        return client.classify(content, part, interpreters, on_image=on_part)

    parts = in_parts(classified, images, num_processes, on_image)
    scores_by_name = {
        name: np.concatenate([part.scores[name] for part in parts]) for name in interpreters
    }
    micro_scores, reference_scores = scores_by_name.get("micro"), scores_by_name["litert"]
    arena = parts[0].arena
    reference = litert.reference_name(content)
    if micro_scores is None:
        scores, agreement = reference_scores, None
    else:
        scores = micro_scores
        same_class = micro_scores.argmax(axis=1) == reference_scores.argmax(axis=1)
        agreement = float(np.mean(same_class))
    return Verification(
        split=split,
        num_images=len(images),
        float_accuracy=float_accuracy,
        confusion=confusion_matrix(scores, labels),
        agreement=agreement,
        arena=arena,
        arena_limit_bytes=arena_limit_bytes,
        arena_scratch_bytes=arena_scratch_bytes,
        interpreter=reference if micro_scores is None else tflm.version(),
        reference=reference,
        versions=library_versions(*_LIBRARIES),
        was_trained_on=was_trained_on,
        left_out=_WITHOUT_TFLM if micro_scores is None else "",
        changed_files=changed_files,
        mistakes=_mistakes(content, scores, labels),
    )


def _mistakes(content: bytes, scores: Scores, labels: NDArray[np.int64]) -> tuple[Mistake, ...]:
    """Return the most confident mistakes."""
    output = read(content).output
    probabilities = probabilities_of(scores, output)
    mistakes = []
    for image in confident_mistakes(probabilities, labels, MAX_MISTAKES).tolist():
        predicted = int(probabilities[image].argmax())
        confidence = float(np.clip(probabilities[image, predicted], 0, 1))
        mistakes.append(Mistake(image, int(labels[image]), predicted, confidence))
    return tuple(mistakes)


def _check_classes(content: bytes, labels: NDArray[np.int64]) -> None:
    """Refuse a model whose output does not match the classes of the images."""
    output = read(content).output
    num_scores = output.shape[0] if len(output.shape) == 1 else 0
    if num_scores <= labels.max(initial=0) or not np.isfinite(output.scale):
        raise BoardError(
            "The output of the .tflite model does not match the classes of the images.",
            expected=f"a score with a known scale for each of {labels.max(initial=0) + 1} classes",
            received=f"shape {output.shape}, scale {output.scale:g}",
            fix="Export the network again.",
        )
