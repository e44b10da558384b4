"""The gap: how much accuracy falls from the pictures of a data set to those of a camera, and why.

A property of pictures is the cause of a part of the gap if accuracy changes when this property
alone is changed. Either it is corrected in the camera's pictures, and accuracy rises; or pictures
of the data set are made like the camera's, and accuracy falls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis.class_metrics import Share, wilson_share
from eyetune.analysis.comparison import CONFIDENCE, bootstrap_contrast, bootstrap_differences

FEW_PICTURES = 100  # with fewer, an accuracy is known to 10 points at best
MAX_SHIFT = 99.0  # standard deviations, where pictures of the data set do not differ at all
TINY = 1e-12
LARGE_SHIFT = 0.5  # standard deviations: a property that differs by less is much the same

Right = NDArray[np.bool_]
Labels = NDArray[np.int64]
Values = NDArray[np.float64]


class Points(NamedTuple):
    """A difference of accuracies with its 95% interval; 0.01 is one point."""

    value: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether it is above 0 beyond doubt."""
        return self.low > 0

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"value": self.value, "interval": [self.low, self.high]}


@dataclass(frozen=True)
class Shift:
    """How a measured property differs between two sets of pictures.

    Attributes:
        measure: What is measured.
        clean: Its median in the data set.
        camera: Its median in the camera's pictures.
        shift: Difference of the medians in robust standard deviations of the data set.
    """

    measure: str
    clean: float
    camera: float
    shift: float

    @property
    def is_large(self) -> bool:
        """Whether the sets differ clearly."""
        return abs(self.shift) >= LARGE_SHIFT

    def to_json(self) -> dict[str, Any]:
        """Return the shift as plain JSON values."""
        return {
            "measure": self.measure,
            "clean_median": self.clean,
            "camera_median": self.camera,
            "shift": self.shift,
        }


@dataclass(frozen=True)
class Cause:
    """A property, and how much of the gap it explains.

    Attributes:
        name: The property, for example "sharpness".
        test: What was changed to measure that, as text.
        explained: By how much accuracy changed; None if there was nothing to change.
        setting: The strength with which it was changed, by name.
    """

    name: str
    test: str
    explained: Points | None
    setting: Mapping[str, float | str]

    @property
    def certain(self) -> bool:
        """Whether it is a cause beyond doubt."""
        return self.explained is not None and self.explained.certain

    def to_json(self) -> dict[str, Any]:
        """Return the cause as plain JSON values."""
        return {
            "property": self.name,
            "test": self.test,
            "explained": None if self.explained is None else self.explained.to_json(),
            "certain": self.certain,
            **self.setting,
        }


@dataclass(frozen=True)
class Gap:
    """How much accuracy falls from a data set to a camera, and why. Shares are 0 to 1.

    Attributes:
        run: Id of the run.
        label: The run as people call it.
        source: Folder of the camera's pictures.
        split: Split of the data set that they are compared with.
        num_clean: Number of its pictures.
        num_camera: Number of the camera's pictures.
        clean: Accuracy on the data set, if it had the camera's share of each class. None where
            the camera's pictures have no labels.
        camera: Accuracy on the camera's pictures; None without labels.
        fall: By how much accuracy falls; None without labels.
        shifts: How the measured properties differ.
        causes: Properties by the part of the gap that they explain, the largest first.
        edits: Recipe values that train on such pictures, by path.
        command: The command that does it; "" if there is none.
        advice: What to do, in sentences.
        notes: What limits the result, in sentences.
    """

    run: str
    label: str
    source: str
    split: str
    num_clean: int
    num_camera: int
    clean: Share | None
    camera: Share | None
    fall: Points | None
    shifts: tuple[Shift, ...]
    causes: tuple[Cause, ...]
    edits: Mapping[str, Any]
    command: str
    advice: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def main_cause(self) -> Cause | None:
        """The property that explains most of the gap; None if none does beyond doubt."""
        certain = [cause for cause in self.causes if cause.certain]
        return certain[0] if certain else None

    def to_json(self) -> dict[str, Any]:
        """Return the gap as plain JSON values."""
        main = self.main_cause
        return {
            "run": self.run,
            "camera_data": self.source,
            "split": self.split,
            "num_clean": self.num_clean,
            "num_camera": self.num_camera,
            "clean_accuracy": None if self.clean is None else self.clean.to_json(),
            "camera_accuracy": None if self.camera is None else self.camera.to_json(),
            "gap": None if self.fall is None else self.fall.to_json(),
            "properties": [shift.to_json() for shift in self.shifts],
            "causes": [cause.to_json() for cause in self.causes],
            "main_cause": None if main is None else main.name,
            "recipe_values": dict(self.edits),
            "command": self.command,
            "advice": list(self.advice),
            "notes": list(self.notes),
        }


def shift_of(measure: str, clean: Values, camera: Values) -> Shift:
    """Compare the distributions of a measured property by their medians.

    Args:
        measure: What was measured.
        clean: Its value in each picture of the data set.
        camera: Its value in each picture of the camera.

    Example:
        >>> shift_of("brightness", np.arange(100.0), np.arange(100.0) + 74).shift
        2.02
    """
    low, middle, high = np.quantile(clean, (0.25, 0.5, 0.75))
    deviation = (high - low) / 1.349  # as a normal distribution has it
    difference = float(np.median(camera) - middle)
    shift = difference / max(deviation, abs(difference) / MAX_SHIFT, TINY)
    return Shift(measure, float(middle), float(np.median(camera)), round(float(shift), 2))


def class_weights(clean_labels: Labels, camera_labels: Labels) -> Values:
    """Return the weight of each picture of the data set, 1 on average.

    With these weights each class has the share that it has among the camera's pictures, so that the
    gap does not depend on which things were photographed more often.

    Args:
        clean_labels: Class numbers of the data set, of classes that the camera's pictures have.
        camera_labels: Class numbers of the camera's pictures.

    Example:
        >>> class_weights(np.array([0, 0, 0, 1]), np.array([0, 1])).round(2).tolist()
        [0.67, 0.67, 0.67, 2.0]
    """
    num_classes = int(max(clean_labels.max(), camera_labels.max())) + 1
    clean = np.bincount(clean_labels, minlength=num_classes)
    camera = np.bincount(camera_labels, minlength=num_classes)
    shares = np.where(clean > 0, camera, 0) / np.maximum(clean, 1)
    weights = shares[clean_labels]
    return np.asarray(weights / weights.mean(), np.float64)


def accuracies(clean_right: Right, weights: Values, camera_right: Right) -> tuple[Share, Share]:
    """Return the accuracies on the data set and on the camera's pictures, with 95% intervals."""
    value = float((clean_right * weights).mean())
    low, high = _interval(bootstrap_contrast([(1, (clean_right * weights)[np.newaxis])]))
    camera = wilson_share(int(camera_right.sum()), len(camera_right))
    return Share(value, low, high), camera


def fall(clean_right: Right, weights: Values, camera_right: Right) -> Points:
    """Return by how much accuracy falls from the data set to the camera.

    Args:
        clean_right: Whether each picture of the data set was classified correctly.
        weights: From `class_weights`.
        camera_right: Whether each of the camera's pictures was.
    """
    scores = clean_right * weights
    drawn = bootstrap_contrast([(1, scores[np.newaxis])], seed=1)
    drawn -= bootstrap_contrast([(1, camera_right[np.newaxis])], seed=2)
    return Points(float(scores.mean() - camera_right.mean()), *_interval(drawn))


def gain(after: Right, before: Right, weights: Values | None = None) -> Points:
    """Return by how much accuracy is higher than before, on the same pictures.

    Args:
        after: Whether each picture is classified correctly.
        before: The same before.
        weights: Weight of each picture, 1 on average. Default: all are equal.
    """
    scores = [right * (1.0 if weights is None else weights) for right in (after, before)]
    drawn = bootstrap_differences(scores[0][np.newaxis], scores[1][np.newaxis])
    return Points(float(scores[0].mean() - scores[1].mean()), *_interval(drawn))


def chosen_on_other_half(
    before: Right, options: Mapping[str, Right], labels: Labels
) -> tuple[Right, str]:
    """Return the results of the best of several changes, without choosing it by its own results.

    The best of several would look better than it is. So each half of the pictures gets the change
    that is best on the other half. Each class is in both halves.

    Args:
        before: Whether each picture is classified correctly without a change.
        options: The same with each change, by its name.
        labels: Class number of each picture.

    Returns:
        Whether each picture is classified correctly with the change that was chosen for its half;
        and the name of the change that is best on all, "" if none is better than no change.

    Example:
        >>> before = np.array([True, False, False, False])
        >>> options = {"turned": np.array([True] * 4)}
        >>> right, name = chosen_on_other_half(before, options, np.array([0, 0, 1, 1]))
        >>> right.tolist(), name
        ([True, True, True, True], 'turned')
    """
    results = {"": before, **options}
    chosen = before.copy()
    is_first = np.zeros(len(before), bool)
    is_first[np.argsort(labels, kind="stable")[::2]] = True
    for half in (is_first, ~is_first):
        if half.any() and (~half).any():
            best = _best(results, ~half)
            chosen[half] = results[best][half]
    return chosen, _best(results, np.ones(len(before), bool))


def _best(results: Mapping[str, Right], chosen: Right) -> str:
    return max(results, key=lambda name: int(results[name][chosen].sum()))


def ordered(causes: Sequence[Cause]) -> tuple[Cause, ...]:
    """Return causes by what they explain, the largest first."""

    def explained(cause: Cause) -> float:
        return cause.explained.value if cause.explained is not None else -1.0

    return tuple(sorted(causes, key=explained, reverse=True))


def notes_on(num_camera: int, fallen: Points | None, camera: Share | None) -> list[str]:
    """Return what the number of pictures limits.

    Args:
        num_camera: Number of the camera's pictures.
        fallen: By how much accuracy falls; None without labels.
        camera: Accuracy on the camera's pictures; None without labels.
    """
    notes = []
    if fallen is None or camera is None:
        notes.append(
            "The pictures have no labels, so accuracy is not known. Put them into one folder for "
            "each class to measure the gap and its causes."
        )
        return notes
    if num_camera < FEW_PICTURES:
        width = 100 * (camera.high - camera.low) / 2
        notes.append(
            f"With {num_camera:,} pictures, the accuracy on the camera is known to about "
            f"{width:.0f} points. {FEW_PICTURES:,} or more make causes visible."
        )
    if fallen.low <= 0 <= fallen.high:
        notes.append("The difference may be chance: its interval includes 0.")
    return notes


def _interval(drawn: Values) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return float(low), float(high)
