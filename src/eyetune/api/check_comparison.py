"""What the suspects of a check cost: training with and without them, on the same validation images.

The validation images are chosen before suspects are looked for, and suspects are looked for among
the other pictures alone. So no picture is judged by itself, and none is left out of the validation
because classifiers found it difficult.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis.candidates import candidate_of
from eyetune.analysis.comparison import Candidate, Difference, compare
from eyetune.analysis.data_findings import FindingKind, by_importance, surplus
from eyetune.analysis.imbalance import imbalance
from eyetune.api.check_findings import copy_finding, group_of, predict_labels
from eyetune.api.preparing import checked_recipe, workspace_of
from eyetune.api.train import train
from eyetune.data import Dataset, Split
from eyetune.data.check.duplicates import Copies
from eyetune.data.check.pictures import Pictures
from eyetune.data.dataset import Images
from eyetune.data.resize import grayscale as without_color
from eyetune.data.sources.image_file import decode
from eyetune.data.split import stratified_order
from eyetune.errors import DataError, UsageError
from eyetune.recipe import CIFAR10_WEIGHTS, DataSection, Recipe
from eyetune.records import Workspace
from eyetune.report.progress.training_progress import counting_bar, print_note, slow_step
from eyetune.values.numbers import count_text
from eyetune.values.summary import Summarized, Summary

if TYPE_CHECKING:
    from eyetune.api.data_check import DataCheck

VALIDATION_SHARE = 0.2
NUM_EPOCHS = 30  # of the recipe that is trained if none is named

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """The pictures of a comparison, as indices.

    Attributes:
        train: The pictures that are trained on with the suspects.
        removed: Those of them that are left out without the suspects.
        validation: The pictures that both are validated on.
    """

    train: Indices
    removed: Indices
    validation: Indices


@dataclass(frozen=True, repr=False)
class SuspectsComparison(Summarized):
    """The difference that the suspects make.

    Attributes:
        with_suspects: The trainings with all pictures.
        difference: How the trainings without the suspects compare with them.
        num_train: Number of training pictures with the suspects.
        num_removed: Number of those that are left out.
        num_validation: Number of pictures that both are validated on.
        seeds: Number of trainings of each.
        metric: "accuracy", or "balanced accuracy" where the classes differ much in number.
        runs: Ids of the runs, with the suspects first.
    """

    with_suspects: Candidate
    difference: Difference
    num_train: int
    num_removed: int
    num_validation: int
    seeds: int
    metric: str
    runs: tuple[str, ...]

    @property
    def text(self) -> str:
        """The result in three sentences."""
        difference = self.difference
        low, high = (100 * end for end in difference.interval)
        return (
            f"Without {self.num_removed:,} of {self.num_train:,} training pictures, validation "
            f"{self.metric} changes by {100 * difference.difference:+.1f} points (95% interval "
            f"{low:+.1f} to {high:+.1f}), from {self.with_suspects.accuracy:.1%} to "
            f"{difference.accuracy:.1%}, over {count_text(self.seeds, 'seed')}. Both were "
            f"validated on the same {self.num_validation:,} pictures, which were chosen before "
            "suspects were looked for, and suspects were looked for among the others alone. "
            f"{_conclusion(difference, self.seeds)}"
        )

    @property
    def headline(self) -> str:
        """What it is, and the outcome, in one line."""
        points = f"{100 * self.difference.difference:+.1f} points of validation {self.metric}"
        return f"{points} without {self.num_removed:,} of {self.num_train:,} training pictures"

    @property
    def summary(self) -> Summary:
        """What a notebook shows below the headline."""
        rows = {
            f"{self.metric} with the suspects": f"{self.with_suspects.accuracy:.1%}",
            f"{self.metric} without them": f"{self.difference.accuracy:.1%}",
            "runs": ", ".join(self.runs),
        }
        return Summary(rows, (self.text,))

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as plain JSON values."""
        return {
            "metric": self.metric,
            "with_suspects": self.with_suspects.accuracy,
            "without_suspects": self.difference.accuracy,
            "difference": self.difference.difference,
            "interval": list(self.difference.interval),
            "finding": self.difference.finding,
            "num_train": self.num_train,
            "num_removed": self.num_removed,
            "num_validation": self.num_validation,
            "seeds": self.seeds,
            "runs": list(self.runs),
            "text": self.text,
        }


def _conclusion(difference: Difference, seeds: int) -> str:
    low, high = difference.interval
    if low == high == 0:
        return "All answers are the same, so nothing can be concluded."
    conclusion = "The difference may be chance."
    if low > 0:
        conclusion = "The suspects do harm."
    elif high < 0:
        conclusion = "The suspects are of use: look at them before you remove them."
    if seeds == 1:
        conclusion += " With one seed, the interval does not cover the variation between seeds."
    return conclusion


def compare_without_suspects(
    check: DataCheck,
    recipe: Recipe | None,
    *,
    kinds: Sequence[FindingKind],
    seeds: int,
    workspace: str | Path | Workspace | None,
    progress: bool,
) -> SuspectsComparison:
    """Train with and without the suspects of a check, and compare the trainings.

    The validation images are those of the source or, if it has none, a fifth of its training
    pictures, stratified, in which no picture is a copy of one in the training. They are chosen
    first; then suspects are looked for among the training pictures alone. The runs are recorded.

    Args:
        check: The check.
        recipe: What is trained. Default: ResNet-8, pre-trained unless the source is CIFAR-10, for
            30 epochs.
        kinds: The kinds of findings that are left out.
        seeds: Number of trainings with and without the suspects, 1 or more.
        workspace: The workspace or its folder.
        progress: Whether to show the trainings.

    Raises:
        UsageError: `seeds` is out of range.
        DataError: There are no suspects to leave out, or too few pictures.
    """
    if seeds < 1:
        raise UsageError("There must be a seed.", expected="1 or more seeds", received=seeds)
    workspace = workspace_of(workspace)
    recipe = _default_recipe(check.pictures) if recipe is None else checked_recipe(recipe)
    parts = choose_parts(check, kinds, progress=progress)
    if not len(parts.removed):
        raise DataError(
            "There is nothing to leave out: no finding of these kinds concerns a training picture.",
            expected=" or ".join(kinds),
            received="none among the pictures that are trained on",
        )
    with slow_step("Reading the pictures for the trainings ...", enabled=progress):
        images = _images_for(recipe.data, check.pictures, progress=progress)
    without = np.setdiff1d(parts.train, parts.removed)
    runs = []
    for name, chosen in (("with suspects", parts.train), ("without suspects", without)):
        dataset = _dataset(check, images, chosen, parts.validation)
        for seed in range(seeds):
            print_note(f"Training {name}, seed {seed + 1} of {seeds} ...", enabled=progress)
            run = train(
                recipe,
                dataset,
                seed=seed,
                name=f"{name} {seed}",
                workspace=workspace,
                progress=progress,
                plots=False,
            )
            runs.append(run)
    counts = np.bincount(check.pictures.labels[parts.train])
    is_balanced = imbalance(counts.tolist()).is_large
    before, after = (
        candidate_of(name, [run.record for run in part], workspace, balanced=is_balanced)
        for name, part in (("with", runs[:seeds]), ("without", runs[seeds:]))
    )
    (difference,) = compare(before, [after])
    return SuspectsComparison(
        before,
        difference,
        num_train=len(parts.train),
        num_removed=len(parts.removed),
        num_validation=len(parts.validation),
        seeds=seeds,
        metric="balanced accuracy" if is_balanced else "accuracy",
        runs=tuple(run.id for run in runs),
    )


def choose_parts(
    check: DataCheck, kinds: Sequence[FindingKind], *, progress: bool = False
) -> Parts:
    """Choose the validation pictures, then look for suspects among the others alone.

    Args:
        check: The check.
        kinds: The kinds of findings that are left out.
        progress: Whether to say what takes longer than a second.

    Raises:
        DataError: There are too few pictures.
    """
    pictures = check.pictures
    groups = group_of(len(pictures), check.copies)
    train, validation = _divided(pictures, groups, check.seed)
    probabilities = None
    findings = []
    if check.method != "none" and FindingKind.LABEL in kinds:
        from eyetune.api.data_check import checking_labels

        with checking_labels(check.method, progress) as on_progress:
            predicted = predict_labels(
                pictures, groups, train, check.method, check.features, check.seed, on_progress
            )
        if predicted.is_better_than_guessing:
            probabilities = np.zeros((len(pictures), len(pictures.class_names)), np.float32)
            probabilities[train] = predicted.probabilities
        findings += [int(train[suspect.index]) for suspect in predicted.suspects]
    is_trained_on = np.zeros(len(pictures), bool)
    is_trained_on[train] = True
    copies = [
        copy_finding(pictures, group, probabilities)
        for group in _among(check.copies, is_trained_on)
    ]
    names = surplus(by_importance(copies), kinds)
    names_of_outliers = surplus(
        [found for found in check.findings if found.kind is FindingKind.OUTLIER], kinds
    )
    removed = set(findings) | {
        index
        for index in train.tolist()
        if pictures.items[index].name in names or pictures.items[index].name in names_of_outliers
    }
    return Parts(train, np.array(sorted(removed), np.int64), validation)


def _divided(pictures: Pictures, groups: Indices, seed: int) -> tuple[Indices, Indices]:
    """Return the indices of the training and the validation pictures, which share no copies."""
    is_train = np.array([item.split == "train" for item in pictures.items])
    is_validation = np.array([item.split == "validation" for item in pictures.items])
    train = np.flatnonzero(is_train)
    if not is_validation.any():
        order = train[stratified_order(pictures.labels[train], seed)]
        is_copy = np.bincount(groups, minlength=len(pictures))[groups] > 1
        single = order[~is_copy[order]]
        is_validation[single[: round(VALIDATION_SHARE * len(train))]] = True
    train = train[~is_validation[train]]
    # A validation picture that is also trained on would reward the training for memorizing it.
    validation = np.flatnonzero(is_validation & ~np.isin(groups, groups[train]))
    if len(train) < 2 or len(validation) < 2:
        raise DataError(
            f"{pictures.name} has too few pictures to compare trainings.",
            expected="two training and two validation pictures that are no copies, or more",
            received=f"{len(train)} and {len(validation)}",
        )
    return train, validation


def _among(copies: Sequence[Copies], is_chosen: NDArray[np.bool_]) -> list[Copies]:
    """Return the groups of copies with the chosen pictures alone."""
    parts = []
    for group in copies:
        indices = tuple(index for index in group.indices if is_chosen[index])
        if len(indices) > 1:
            parts.append(Copies(indices, group.is_exact, group.similarity))
    return parts


def _default_recipe(pictures: Pictures) -> Recipe:
    values: dict[str, Any] = {
        "model": "resnet8",
        "augment.shift": 2,
        "fit.epochs": NUM_EPOCHS,
        "fit.batch_size": min(32, max(4, len(pictures) // 10)),
        "optimizer.schedule": "cosine",
    }
    if pictures.name != CIFAR10_WEIGHTS:
        values["model.initial_weights"] = CIFAR10_WEIGHTS
    return Recipe().with_(values)


def _images_for(section: DataSection, pictures: Pictures, *, progress: bool) -> Images:
    """Return all pictures as a training of a recipe reads them."""
    if pictures.root is None:
        arrays = np.concatenate(pictures.arrays)
        return without_color(arrays) if section.grayscale else arrays
    shape = (section.image_size, section.image_size, 1 if section.grayscale else 3)
    files = [item.file for item in pictures.items if item.file is not None]
    with counting_bar("reading pictures", enabled=progress) as on_progress:
        images = np.empty((len(files), *shape), np.uint8)
        for number, file in enumerate(files):
            images[number] = decode(file, shape, section.resize)
            on_progress(number + 1, len(files))
    return images


def _dataset(check: DataCheck, images: Images, train: Indices, validation: Indices) -> Dataset:
    pictures = check.pictures
    digest = hashlib.sha256()
    for part in (train, validation):
        digest.update(part.tobytes())
        for index in part:
            digest.update(pictures.digests[index])
    labels = pictures.labels
    return Dataset(
        pictures.name,
        check.source if pictures.root is None else str(pictures.root),
        pictures.class_names,
        Split(images[train], labels[train]),
        Split(images[validation], labels[validation]),
        Split(images[:0], labels[:0]),
        digest.hexdigest()[:16],
    )
