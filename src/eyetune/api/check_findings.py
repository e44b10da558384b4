"""From what a check of data has read and computed to its findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis.data_findings import Finding, FindingKind, Found, by_importance
from eyetune.analysis.guessing import judge
from eyetune.analysis.imbalance import imbalance, imbalance_text
from eyetune.analysis.label_suspects import Suspect, label_suspects
from eyetune.analysis.strange_pictures import Strange
from eyetune.data.check.duplicates import Copies
from eyetune.data.check.pictures import Pictures
from eyetune.values.numbers import count_text
from eyetune.values.progress import OnProgress

LabelMethod = Literal["auto", "features", "networks", "none"]
MIN_CLASS_SIZE = 10  # with fewer, one or two pictures validate the class
# Of a group of copies, the picture that is furthest from the training is kept.
KEPT_FIRST = ("test", "validation", "train")


@dataclass(frozen=True)
class Predicted:
    """Out-of-fold predictions for pictures.

    Attributes:
        probabilities: float32, shape (N, number of classes).
        suspects: The pictures whose labels are likely wrong, the most likely first; none if the
            classifiers are no better than guessing.
        agreement: Share of the pictures whose label is the predicted class, 0 to 1.
        is_better_than_guessing: Whether that is more than guessing reaches.
    """

    probabilities: NDArray[np.float32]
    suspects: tuple[Suspect, ...]
    agreement: float
    is_better_than_guessing: bool


def predict_labels(
    pictures: Pictures,
    groups: NDArray[np.int64],
    chosen: NDArray[np.int64],
    method: LabelMethod,
    features: NDArray[np.float32],
    seed: int,
    on_progress: OnProgress = lambda *_: None,
) -> Predicted:
    """Return out-of-fold predictions for some pictures, which alone are trained on.

    Args:
        pictures: All pictures.
        groups: The group of copies of each picture.
        chosen: Indices of the pictures.
        method: The kind of classifiers: "features" or "networks".
        features: Features of all pictures.
        seed: Seed of the folds.
        on_progress: Called with the number of epochs that were trained and of all.
    """
    from eyetune.training import out_of_fold  # it loads Keras

    labels, num_classes = pictures.labels[chosen], len(pictures.class_names)
    folds = out_of_fold.fold_of(labels, groups[chosen], seed)
    if method == "features":
        predicted = out_of_fold.predict_by_features(features[chosen], labels, num_classes, folds)
    else:
        predicted = out_of_fold.predict_by_networks(
            pictures.images[chosen], labels, num_classes, folds, on_progress
        )
    confusion = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(confusion, (labels, predicted.argmax(axis=1)), 1)
    judgement = judge(confusion, "checked")
    suspects: tuple[Suspect, ...] = ()
    if judgement.is_better_than_guessing:
        suspects = label_suspects(labels, predicted)
    return Predicted(
        predicted, suspects, judgement.accuracy.value, judgement.is_better_than_guessing
    )


def group_of(num_pictures: int, copies: Sequence[Copies]) -> NDArray[np.int64]:
    """Return a number for each picture, which is the same for copies of a picture."""
    groups = np.arange(num_pictures)
    for group in copies:
        groups[list(group.indices)] = group.indices[0]
    return groups


def findings_of(
    pictures: Pictures,
    copies: Sequence[Copies],
    predicted: Predicted | None,
    strange: Sequence[Strange],
) -> tuple[Finding, ...]:
    """Return the findings of a check, by importance.

    Args:
        pictures: The pictures.
        copies: Groups of copies among them.
        predicted: Out-of-fold predictions for all of them; None if labels were not checked.
        strange: The pictures that are unlike all others.
    """
    probabilities = None
    if predicted is not None and predicted.is_better_than_guessing:
        probabilities = predicted.probabilities
    findings = [
        *_unreadable(pictures),
        *(copy_finding(pictures, group, probabilities) for group in copies),
        *_small_classes(pictures),
        *_imbalance(pictures),
        *(_outlier(pictures, one) for one in strange),
    ]
    if predicted is not None:
        findings += [_label(pictures, suspect) for suspect in predicted.suspects]
    return by_importance(findings)


def found(pictures: Pictures, index: int) -> Found:
    """Return a picture as a part of a finding."""
    item = pictures.items[index]
    return Found(item.name, item.split, pictures.class_names[item.label], index)


def copy_finding(
    pictures: Pictures, group: Copies, probabilities: NDArray[np.float32] | None
) -> Finding:
    """Return the finding about a group of copies, with the copies that are surplus."""
    items = [pictures.items[index] for index in group.indices]
    labels = {item.label for item in items}
    names = " and ".join(pictures.class_names[label] for label in sorted(labels))
    splits = [split for split in KEPT_FIRST if split in {item.split for item in items}]
    kind = FindingKind.EXACT_DUPLICATE if group.is_exact else FindingKind.NEAR_DUPLICATE
    text = f"{count_text(len(items), 'copy', 'copies')} of a picture of {names}"
    if len(labels) > 1:
        kind = FindingKind.CONFLICT
    if len(splits) > 1:
        kind = FindingKind.ACROSS_SPLITS
        text += f", in {' and '.join(splits)}"
    right = _likeliest(group, labels, probabilities)
    candidates = [index for index in group.indices if pictures.items[index].label == right]
    kept = min(candidates, key=lambda index: _rank(pictures, index)) if candidates else None
    return Finding(
        kind,
        tuple(found(pictures, index) for index in group.indices),
        max(0.0, group.similarity),
        f"{text}.",
        surplus=tuple(found(pictures, index) for index in group.indices if index != kept),
        likelier=pictures.class_names[right] if len(labels) > 1 and right is not None else "",
    )


def _likeliest(
    group: Copies, labels: set[int], probabilities: NDArray[np.float32] | None
) -> int | None:
    """Return the label of copies: of several, the likeliest; None if nothing is known of them."""
    if len(labels) == 1:
        return next(iter(labels))
    if probabilities is None:
        return None
    means = probabilities[list(group.indices)].mean(axis=0)
    return max(labels, key=lambda label: float(means[label]))


def _rank(pictures: Pictures, index: int) -> tuple[int, int, int]:
    """Return by what the copy that is kept is chosen: the split, then the number of pixels."""
    item = pictures.items[index]
    return KEPT_FIRST.index(item.split), -item.width * item.height, index


def _unreadable(pictures: Pictures) -> Iterator[Finding]:
    for item in pictures.unreadable:
        label = pictures.class_names[item.label]
        one = (Found(item.name, item.split, label, None),)
        yield Finding(
            FindingKind.UNREADABLE, one, 1.0, f"It cannot be read: {item.reason}.", surplus=one
        )


def _label(pictures: Pictures, suspect: Suspect) -> Finding:
    one = found(pictures, suspect.index)
    likelier = pictures.class_names[suspect.likelier]
    text = f"Labeled {one.label}, more likely {likelier}."
    return Finding(
        FindingKind.LABEL, (one,), suspect.score, text, surplus=(one,), likelier=likelier
    )


def _outlier(pictures: Pictures, strange: Strange) -> Finding:
    one = (found(pictures, strange.index),)
    return Finding(FindingKind.OUTLIER, one, strange.score, strange.reason, surplus=one)


def _small_classes(pictures: Pictures) -> Iterator[Finding]:
    for label, count in enumerate(train_counts(pictures)):
        if count < MIN_CLASS_SIZE:
            name = pictures.class_names[label]
            yield Finding(
                FindingKind.SMALL_CLASS,
                (),
                1 - count / MIN_CLASS_SIZE,
                f"{name} has {count_text(count, 'training picture')}; take at least "
                f"{MIN_CLASS_SIZE}.",
                classes=(name,),
            )


def _imbalance(pictures: Pictures) -> Iterator[Finding]:
    uneven = imbalance(train_counts(pictures))
    if uneven.is_large:
        names = pictures.class_names
        yield Finding(
            FindingKind.IMBALANCE,
            (),
            1 - 1 / uneven.ratio,
            imbalance_text(uneven, names),
            classes=(names[uneven.largest], names[uneven.smallest]),
        )


def train_counts(pictures: Pictures) -> list[int]:
    """Return the number of training pictures of each class, copies included."""
    labels = [item.label for item in pictures.items if item.split == "train"]
    counts: list[int] = np.bincount(labels, minlength=len(pictures.class_names)).tolist()
    return counts
