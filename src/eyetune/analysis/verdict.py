"""The verdict on a run in plain words: how good is it, what holds it back, what to try next.

Every sentence follows from figures; the thresholds stand below with their reasons.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from eyetune.analysis.metrics import wilson_interval
from eyetune.recipe import LAST_STRETCH, Recipe
from eyetune.values.history import Epoch, History, best_epoch

# The lab's guidance for CIFAR-10, on test accuracy.
POOR_BELOW = 0.70
LOW_BELOW = 0.80
# the best published networks of any size reach about 99%; a small one near that has seen the test
SUSPICIOUS_FROM = 0.97
UNEVEN_FROM = (
    1.2  # times the mean class: from here on, naming the most frequent class beats drawing lots
)
# between training and validation accuracy: training accuracy is an average over the epoch, so it
# lags
LARGE_GAP = 0.08
FEW_EPOCHS = 5  # a training as short as this may show nothing yet
# validation accuracy gained per epoch at the end: ten more would bring about three points
RISING_PER_EPOCH = 0.003
FINE_TUNE_EPOCHS = 5
MAX_LEARNING_RATE = 10.0  # a learning rate above it is not worth a try


@dataclass(frozen=True)
class Facts:
    """The figures that a verdict follows from. Accuracies are 0 to 1.

    Attributes:
        history: The epochs of the run.
        recipe: What was trained.
        dataset: Name of the dataset.
        num_classes: Number of classes.
        largest_class: Share of the validation images that the most frequent class has.
        num_validation: Validation images; of a run that trained on them too, test images, as for
            the next two.
        validation_accuracy: Of the kept network.
        test_accuracy: Of the kept network (None: not looked at).
        linear_accuracy: Of a linear classifier on the pixels, on validation (None: not computed).
    """

    history: History
    recipe: Recipe
    dataset: str
    num_classes: int
    largest_class: float
    num_validation: int
    validation_accuracy: float
    test_accuracy: float | None
    linear_accuracy: float | None = None


@dataclass(frozen=True)
class Suggestion:
    """A technique to try next, why, and the words that do it, after `eyetune train RUN`."""

    technique: str
    reason: str
    command: str


@dataclass(frozen=True)
class Verdict:
    """What to think of a run.

    Attributes:
        level: "chance", "poor", "low", "good" or "suspicious".
        sentences: The verdict in plain words, the most important first.
        overfitting: Whether it learned its training images better than what they have in common.
        still_rising: Whether validation accuracy was still on its way up at the end.
        suggestions: What to try next, the most promising first.
    """

    level: str
    sentences: tuple[str, ...]
    overfitting: bool
    still_rising: bool
    suggestions: tuple[Suggestion, ...]

    @property
    def text(self) -> str:
        """All sentences in one."""
        return " ".join(self.sentences)

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as plain JSON values."""
        return {**asdict(self), "sentences": list(self.sentences), "text": self.text}


def diagnose(facts: Facts) -> Verdict:
    """Judge a complete run by its figures.

    Example:
        >>> epochs = tuple(Epoch(i, 1.0, 0.70, 1.0, 0.69, 0.001, 1.0, 1.0) for i in range(1, 11))
        >>> verdict = diagnose(Facts(epochs, Recipe(), "cifar10", 10, 0.1, 10_000, 0.69, 0.68))
        >>> verdict.level, verdict.overfitting, verdict.still_rising
        ('poor', False, False)
    """
    level, sentences = _level(facts)
    if facts.recipe.data.train_on_validation:
        sentences.append(
            "It was trained on its validation images too, so its curves tell nothing and only test counts."
        )
        return Verdict(
            level, tuple(sentences), overfitting=False, still_rising=False, suggestions=()
        )
    gap = _gap(facts)
    slope = final_slope([epoch.val_accuracy for epoch in facts.history])
    overfitting = level != "chance" and gap > LARGE_GAP
    values = [epoch.val_accuracy for epoch in facts.history]
    rising = slope > RISING_PER_EPOCH and values[-1] == max(values) and not overfitting
    sentences += _overfitting_words(facts, gap) if overfitting else []
    if rising:
        sentences.append(
            f"Validation accuracy was still rising by about {100 * slope:.1f} points an epoch when training ended: "
            "it is not done learning (underfitting)."
        )
    if not overfitting and not rising and level in ("poor", "low"):
        sentences.append(
            f"The curve has levelled off with training and validation {abs(100 * gap):.1f} points apart: "
            "the network itself is the limit."
        )
    return Verdict(
        level,
        tuple(sentences),
        overfitting,
        rising,
        tuple(_suggest(facts, level, overfitting, rising)),
    )


def final_slope(values: Sequence[float]) -> float:
    """Return how much a curve still gains per epoch, from a line through its last third (at least 3
    epochs).

    Example:
        >>> round(final_slope([0.1, 0.3, 0.4, 0.5, 0.6, 0.7]), 2), final_slope([0.5])
        (0.1, 0.0)
    """
    last = np.asarray(values[-max(3, len(values) // 3) :])
    if len(last) < 2:
        return 0.0
    return float(np.polyfit(np.arange(len(last)), last, 1)[0])


def _kept(facts: Facts) -> Epoch:
    """Return the epoch whose weights were kept."""
    section = facts.recipe.fit
    best = (
        best_epoch(facts.history, section.monitor)
        if section.early_stopping and section.restore_best
        else None
    )
    return best or facts.history[-1]


def _gap(facts: Facts) -> float:
    """Return how far training accuracy is above validation accuracy in the kept epoch."""
    kept = _kept(facts)
    return kept.accuracy - kept.val_accuracy


def _level(facts: Facts) -> tuple[str, list[str]]:
    split = "validation" if facts.test_accuracy is None else "test"
    accuracy = facts.validation_accuracy if facts.test_accuracy is None else facts.test_accuracy
    chance = 1 / facts.num_classes
    uneven = facts.largest_class > UNEVEN_FROM * chance
    guess = facts.largest_class if uneven else chance
    right = round(facts.validation_accuracy * facts.num_validation)
    low, _ = wilson_interval(right, facts.num_validation)
    shown = f"{accuracy:.1%} of the {split} images are classified right"
    if low <= guess:
        always = f", or {guess:.1%} for always naming the most frequent class" if uneven else ""
        return "chance", [
            f"{shown}: no better than guessing ({chance:.1%} for {facts.num_classes} classes{always})."
        ]
    times = f"guessing would get {guess:.1%}"
    if facts.dataset == "cifar10":
        return _cifar10_level(accuracy, f"{shown}; {times}.")
    return _other_level(facts, accuracy, low, f"{shown}; {times}.")


def _cifar10_level(accuracy: float, shown: str) -> tuple[str, list[str]]:
    if accuracy >= SUSPICIOUS_FROM:
        return "suspicious", [
            shown,
            "So close to 100% is suspicious: check that no test image was trained on.",
        ]
    if accuracy >= LOW_BELOW:
        return "good", [
            shown,
            "That is good for CIFAR-10, where 80 to 90% is what one wants of a small network.",
        ]
    if accuracy >= POOR_BELOW:
        return "low", [shown, "That is low for CIFAR-10: 80 to 90% is what one wants."]
    return "poor", [
        shown,
        "That is poor for CIFAR-10, where 80 to 90% is what one wants; it can be improved.",
    ]


def _other_level(facts: Facts, accuracy: float, low: float, shown: str) -> tuple[str, list[str]]:
    """Judge on an unknown dataset: by the margin over a linear classifier, on the same validation
    images.
    """
    linear = facts.linear_accuracy
    if linear is None:
        return ("good" if facts.validation_accuracy > 0.8 else "low"), [shown]
    margin = facts.validation_accuracy - linear
    against = f"A linear classifier on the pixels gets {linear:.1%} of the validation images, this network "
    against += f"{facts.validation_accuracy:.1%}"
    if margin <= -0.01:
        return "poor", [shown, f"{against}: the network has not earned its cost yet."]
    if low <= linear and margin <= 0.01:
        if linear > 0.95:
            return "good", [
                shown,
                f"{against}: both are close to all there is, so the simpler one would do.",
            ]
        return "poor", [shown, f"{against}: the network has not earned its cost yet."]
    if accuracy > 0.999 and linear < 0.9:
        return "suspicious", [
            shown,
            f"{against}: so close to 100% is suspicious. Check for copies among the splits.",
        ]
    # Half of what the linear classifier gets wrong is a clear gain on any dataset.
    good = margin >= 0.5 * (1 - linear)
    judged = "a clear gain" if good else "a gain, with room above"
    return ("good" if good else "low"), [shown, f"{against}: {judged}."]


def _overfitting_words(facts: Facts, gap: float) -> list[str]:
    kept = _kept(facts)
    words = (
        f"Training accuracy is {100 * gap:.1f} points above validation ({kept.accuracy:.1%} against "
        f"{kept.val_accuracy:.1%}): it is learning its training images by heart (overfitting)"
    )
    best = best_epoch(facts.history, "val_loss")
    if best and best.epoch < len(facts.history):
        words += f", and validation loss has not improved since epoch {best.epoch}"
    return [words + "."]


def _suggest(facts: Facts, level: str, overfitting: bool, rising: bool) -> list[Suggestion]:
    found = _suggest_training(facts.recipe, level, rising)
    if overfitting:
        found += _suggest_against_overfitting(facts)
    if level in ("poor", "low"):
        found += _suggest_networks(facts.recipe, overfitting)
    return [one for one in found if _applies(one, facts.recipe)]


def _applies(suggestion: Suggestion, recipe: Recipe) -> bool:
    """Tell whether a recipe can take what is suggested: what a model function builds and compiles
    is its own.
    """
    return not recipe.model.has_function or not re.search(
        r"model\.|--learning-rate", suggestion.command
    )


def _suggest_training(recipe: Recipe, level: str, rising: bool) -> list[Suggestion]:
    rate, epochs = recipe.optimizer.learning_rate, recipe.fit.epochs
    found = []
    if level == "chance":
        if epochs < FEW_EPOCHS:
            found.append(
                Suggestion("epochs", "so few may be too few to learn anything", "--epochs 10")
            )
        found += [
            Suggestion(
                "learning rate",
                f"nothing was learned: steps may be too {size}",
                f"--learning-rate {other:g}",
            )
            for size, other in (("large", rate / 10), ("small", rate * 10))
            if other <= MAX_LEARNING_RATE
        ]
    if rising:
        longer = f"--epochs {2 * epochs}"
        found.append(Suggestion("epochs", "the curve was still rising", longer))
    if rising and 3 * rate <= MAX_LEARNING_RATE:
        found.append(
            Suggestion(
                "learning rate",
                "a larger rate may get there sooner",
                f"--learning-rate {3 * rate:g}",
            )
        )
    return found


def _suggest_against_overfitting(facts: Facts) -> list[Suggestion]:
    recipe, epochs = facts.recipe, facts.recipe.fit.epochs
    found = []
    if not recipe.augment.active:
        # Mirrored digits are no digits: a flip is only proposed where it is known to be harmless.
        flip = "--set augment.flip=true " if facts.dataset == "cifar10" else ""
        found.append(
            Suggestion(
                "augmentation",
                "no picture is seen twice",
                f"{flip}--set augment.shift=2 --epochs {2 * epochs}",
            )
        )
    if not recipe.model.dropout:
        longer = " --epochs 20" if epochs < 20 else ""  # what is harder to learn takes longer
        found.append(
            Suggestion(
                "dropout", "it makes learning by heart harder", f"--set model.dropout=0.3{longer}"
            )
        )
    if not recipe.fit.early_stopping and not recipe.fit.fine_tune_epochs:
        found.append(
            Suggestion(
                "early stopping",
                "keep the epoch with the best validation loss",
                "--set fit.early_stopping=3",
            )
        )
    if recipe.model.dense and not recipe.model.global_pooling:
        found.append(
            Suggestion(
                "global average pooling",
                "most weights sit in the first dense layer, where overfitting begins",
                "--set model.global_pooling=true",
            )
        )
    return found


def _suggest_networks(recipe: Recipe, overfitting: bool) -> list[Suggestion]:
    if recipe.model.has_backbone:
        return _suggest_fine_tuning(recipe)
    found = []
    if not recipe.model.batch_norm:
        found.append(
            Suggestion(
                "batch normalization",
                "it speeds learning and steadies it",
                "--set model.batch_norm=true",
            )
        )
    if not overfitting and all(block.convolutions == 1 for block in recipe.model.blocks):
        edits = [
            f"model.blocks.{place}.convolutions=2" for place in range(len(recipe.model.blocks))
        ]
        if recipe.model.padding != "same":  # else the picture shrinks at each of them
            edits.insert(0, "model.padding=same")
        command = " ".join(f"--set {edit}" for edit in edits)
        found.append(
            Suggestion("more convolutions", "a deeper network can tell more apart", command)
        )
    return found


def _suggest_fine_tuning(recipe: Recipe) -> list[Suggestion]:
    if recipe.fit.fine_tune_epochs:
        return []
    edits = [f"fit.fine_tune_epochs={FINE_TUNE_EPOCHS}"]
    if not recipe.model.trainable_from:
        edits.append(f"model.trainable_from={LAST_STRETCH[recipe.model.base]}")
    if recipe.fit.early_stopping:
        edits.append("fit.early_stopping=0")
    command = " ".join(f"--set {edit}" for edit in edits)
    return [Suggestion("fine-tuning", "the base's last layers can adapt to these images", command)]
