"""The figures that the verdict on a run follows from, and what they say by themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eyetune.analysis.guessing import guessing_accuracy, is_uneven
from eyetune.analysis.imbalance import balanced_recall
from eyetune.analysis.metrics import Labels, Probabilities, wilson_interval
from eyetune.recipe import Recipe
from eyetune.records import RunRecord
from eyetune.records.run import require_results
from eyetune.values.history import Epoch, History, best_epoch

# Between training and validation accuracy. Training accuracy is an average over the epoch, so it
# lags behind.
LARGE_GAP = 0.08
MIN_EPOCHS_FOR_TREND = 5  # a shorter training may not show yet where its curves lead
# Validation accuracy gained per epoch at the end: ten more epochs would bring about three points.
RISING_PER_EPOCH = 0.003
# Share of the validation loss lost per epoch at the end: ten more epochs would bring a fifth.
FALLING_PER_EPOCH = 0.02
ONE_CLASS_FROM = 0.98  # of all predictions: then the network has chosen one class for all images
# A class is neglected if its recall is certainly below this share of the accuracy on all images:
# most of its images are taken for more frequent classes.
NEGLECTED_BELOW = 0.5
# Recall of the other classes less recall of the rare ones. Balanced class weights raise one at the
# cost of the other, so that a smaller difference is not worth it.
LARGE_RECALL_GAP = 0.1


@dataclass(frozen=True)
class Facts:
    """The figures that a verdict follows from. Shares and accuracies are 0 to 1.

    Attributes:
        history: The epochs of the run.
        recipe: The recipe that was trained.
        dataset: Name of the dataset.
        image_shape: Height and width in pixels, and channels.
        num_train: Number of training images.
        num_validation: Number of validation images. For a run that trained on them too, this and
            the next three describe test images.
        class_shares: Share of the validation images that each class has.
        class_recall: Share of each class that is classified correctly (NaN for a class without
            images).
        predicted_shares: Share of the validation images that is assigned to each class.
        validation_accuracy: Accuracy of the kept network on the validation images.
        test_accuracy: Accuracy of the kept network on the test images (None: not measured).
        test_guess: The accuracy of guessing on the test images (None: not measured).
        linear_accuracy: Validation accuracy of a linear classifier on the pixels (None: not
            computed).
        kept_epoch: Number of the epoch whose weights were kept, from 1 (None: the last).
        can_resize: Whether the images can be loaded at another size (`data.image_size`).
        has_images: Whether it was trained on images of a source, not on arrays of a user.
    """

    history: History
    recipe: Recipe
    dataset: str
    image_shape: tuple[int, ...]
    num_train: int
    num_validation: int
    class_shares: tuple[float, ...]
    class_recall: tuple[float, ...]
    predicted_shares: tuple[float, ...]
    validation_accuracy: float
    test_accuracy: float | None
    test_guess: float | None = None
    linear_accuracy: float | None = None
    kept_epoch: int | None = None
    can_resize: bool = False
    has_images: bool = True

    @property
    def noun(self) -> str:
        """What texts call a sample: image, or sample if it may be anything else."""
        return "image" if self.has_images else "sample"

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_shares)

    @property
    def kept(self) -> Epoch:
        """The epoch whose weights were kept."""
        for epoch in self.history:
            if epoch.epoch == self.kept_epoch:
                return epoch
        return self.history[-1]

    @property
    def is_uneven(self) -> bool:
        """Whether some classes have far more images than others."""
        return is_uneven(self.class_shares)

    @property
    def balanced_accuracy(self) -> float:
        """Mean share of each class that is classified correctly, among those with images."""
        return balanced_recall(self.class_recall)

    @property
    def guess(self) -> float:
        """The accuracy of guessing: of always naming the most frequent class if that is better."""
        return guessing_accuracy(self.class_shares)

    @property
    def num_correct(self) -> int:
        """Number of validation images that are classified correctly."""
        return round(self.validation_accuracy * self.num_validation)

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """95% interval of the validation accuracy (Wilson)."""
        return wilson_interval(self.num_correct, self.num_validation)

    @property
    def gap(self) -> float:
        """Training accuracy less validation accuracy in the kept epoch."""
        return self.kept.value("accuracy") - self.kept.value("val_accuracy")

    @property
    def is_gap_large(self) -> bool:
        """Whether the gap is large, and no mere chance with as many images (95% interval)."""
        if not self.gap > LARGE_GAP:  # also where a model function measures no accuracy (NaN)
            return False
        low, _ = difference_interval(
            self.kept.value("accuracy"),
            self.num_train,
            self.kept.value("val_accuracy"),
            self.num_validation,
        )
        return low > 0

    @property
    def is_loss_falling(self) -> bool:
        """Whether validation loss was still falling clearly when training ended."""
        losses = [epoch.value("val_loss") for epoch in self.history]
        if losses[-1] > min(losses):
            return False
        return final_slope(losses) < -FALLING_PER_EPOCH * abs(losses[-1])

    @property
    def accuracy_slope(self) -> float:
        """Validation accuracy gained per epoch when training ended."""
        return final_slope([epoch.value("val_accuracy") for epoch in self.history])

    @property
    def is_accuracy_rising(self) -> bool:
        """Whether validation accuracy was still rising clearly when training ended."""
        values = [epoch.value("val_accuracy") for epoch in self.history]
        return self.accuracy_slope > RISING_PER_EPOCH and values[-1] == max(values)

    @property
    def is_short(self) -> bool:
        """Whether training was too short to show a trend."""
        return len(self.history) < MIN_EPOCHS_FOR_TREND

    @property
    def stopped_early(self) -> bool:
        """Whether early stopping ended training before its last epoch."""
        fit = self.recipe.fit
        return bool(fit.early_stopping) and len(self.history) < fit.total_epochs

    @property
    def best_loss_epoch(self) -> int:
        """The epoch with the lowest validation loss, of those whose network can be kept."""
        best = best_epoch(self.recipe.fit.counted(self.history), "val_loss")
        return best.epoch if best else 0

    @property
    def predicts_one_class(self) -> bool:
        """Whether the network assigns nearly all images to one class."""
        return max(self.predicted_shares) >= ONE_CLASS_FROM

    @property
    def rare_classes(self) -> tuple[int, ...]:
        """Classes with less than an even share of the images; none unless classes are uneven.

        Balanced class weights make the images of exactly these classes count more.
        """
        if not self.is_uneven:
            return ()
        return tuple(
            label
            for label, share in enumerate(self.class_shares)
            if share < 1 / self.num_classes and self._num_images([label])
        )

    @property
    def neglected_classes(self) -> tuple[int, ...]:
        """Classes with few images that the network hardly ever recognizes.

        Their recall is certainly below half of the accuracy on all images (95% interval).
        """
        neglected = []
        for label in self.rare_classes:
            num_images = self._num_images([label])
            _, high = wilson_interval(round(self.class_recall[label] * num_images), num_images)
            if high < NEGLECTED_BELOW * self.validation_accuracy:
                neglected.append(label)
        return tuple(neglected)

    @property
    def rare_recall(self) -> float:
        """Share of the images of the rare classes that is classified correctly (NaN: none)."""
        return self._recall(self.rare_classes)

    @property
    def frequent_recall(self) -> float:
        """Share of the images of all other classes that is classified correctly."""
        return self._recall(self._frequent_classes)

    @property
    def is_rare_recall_low(self) -> bool:
        """Whether rare classes are recognized far less often, and that is no mere chance (95%)."""
        if not self.frequent_recall - self.rare_recall > LARGE_RECALL_GAP:  # also if it is NaN
            return False
        low, _ = difference_interval(
            self.frequent_recall,
            self._num_images(self._frequent_classes),
            self.rare_recall,
            self._num_images(self.rare_classes),
        )
        return low > 0

    @property
    def _frequent_classes(self) -> tuple[int, ...]:
        return tuple(label for label in range(self.num_classes) if label not in self.rare_classes)

    def _num_images(self, labels: Sequence[int]) -> int:
        """Return the number of validation images of some classes."""
        return round(sum(self.class_shares[label] for label in labels) * self.num_validation)

    def _recall(self, labels: Sequence[int]) -> float:
        """Return the share of the images of some classes that is classified correctly, or NaN."""
        pairs = [
            (self.class_shares[label], self.class_recall[label])
            for label in labels
            if self.class_shares[label] > 0
        ]
        total = sum(share for share, _ in pairs)
        return sum(share * recall for share, recall in pairs) / total if total else math.nan


def run_facts(
    record: RunRecord,
    history: History,
    probabilities: Probabilities,
    labels: Labels,
    test: tuple[Probabilities, Labels] | None,
) -> Facts:
    """Return the figures that the verdict on a complete run follows from.

    Args:
        record: The run, complete.
        history: Its epochs.
        probabilities: Class probabilities of the validation images, or of the test images if the
            run was trained on its validation images, shape (N, number of classes), 0 to 1.
        labels: True classes of the same images, shape (N,).
        test: The same of the test images (None: they have not been classified).

    Raises:
        UsageError: The run is not complete.
    """
    results = require_results(record)
    num_classes = len(record.data.class_names)
    predicted = probabilities.argmax(axis=1)
    images = np.bincount(labels, minlength=num_classes)
    correct = np.bincount(labels[predicted == labels], minlength=num_classes)
    recall = np.where(images > 0, correct / np.maximum(images, 1), np.nan)
    return Facts(
        history=history,
        recipe=record.recipe,
        dataset=record.data.name,
        image_shape=record.data.image_shape,
        num_train=record.data.num_train,
        num_validation=len(labels),
        class_shares=_shares(labels, num_classes),
        class_recall=tuple(recall.tolist()),
        predicted_shares=_shares(predicted, num_classes),
        validation_accuracy=float((predicted == labels).mean()),
        test_accuracy=None if test is None else float((test[0].argmax(axis=1) == test[1]).mean()),
        test_guess=None if test is None else guessing_accuracy(_shares(test[1], num_classes)),
        linear_accuracy=results.linear_accuracy,
        kept_epoch=results.kept_epoch,
        can_resize=Path(record.data.source).is_absolute() and Path(record.data.source).is_dir(),
        has_images=record.data.has_images,
    )


def _shares(labels: Labels, num_classes: int) -> tuple[float, ...]:
    """Return the share of each class among some labels."""
    return tuple((np.bincount(labels, minlength=num_classes) / len(labels)).tolist())


def difference_interval(
    share: float, count: int, other_share: float, other_count: int
) -> tuple[float, float]:
    """Return the 95% interval of a share less another one (Newcombe, 1998, method 10).

    Source: Newcombe, 1998, Interval estimation for the difference between independent proportions,
    Statistics in Medicine 17, 873-890.

    Args:
        share: Share of the `count` cases, 0 to 1.
        count: Number of cases, 1 or more.
        other_share: Share of the `other_count` cases, 0 to 1.
        other_count: Number of other cases, 1 or more.

    Example:
        >>> [round(bound, 2) for bound in difference_interval(0.75, 151, 0.55, 29)]
        [0.02, 0.38]
    """
    low, high = wilson_interval(round(share * count), count)
    other_low, other_high = wilson_interval(round(other_share * other_count), other_count)
    difference = share - other_share
    return (
        difference - math.hypot(share - low, other_high - other_share),
        difference + math.hypot(high - share, other_share - other_low),
    )


def final_slope(values: Sequence[float]) -> float:
    """Return how much a curve gains per epoch at its end.

    It is the slope of a line through the last third of the values, at least three of them.

    Example:
        >>> round(final_slope([0.1, 0.3, 0.4, 0.5, 0.6, 0.7]), 2), final_slope([0.5])
        (0.1, 0.0)
    """
    last = np.asarray(values[-max(3, len(values) // 3) :])
    if len(last) < 2:
        return 0.0
    return float(np.polyfit(np.arange(len(last)), last, 1)[0])
