"""The verdict on a run: how good it is, what holds it back and what to try next.

Every sentence is computed from figures. Each threshold has a comment with its reason.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from eyetune.analysis.advice import Suggestion, suggest
from eyetune.analysis.facts import LARGE_GAP, Facts
from eyetune.analysis.imbalance import imbalance

Level = Literal["chance", "poor", "low", "good", "suspicious"]

# The lab's guidance for CIFAR-10, on test accuracy.
POOR_BELOW = 0.70
LOW_BELOW = 0.80
# The best published networks of any size reach about 99%; a small one near that has seen the test
# images.
SUSPICIOUS_FROM = 0.97
VERY_HIGH = 0.95  # on any data set: little can be gained
GUESS_ERRORS_LEFT = 0.25  # a good network makes at most a quarter of the errors of guessing
LINEAR_ERRORS_LEFT = 0.5  # and at most half of those of a linear classifier
LINEAR_TOLERANCE = 0.01  # accuracies this close count as equal
PERFECT = 0.999  # suspicious if a linear classifier is far below it
LINEAR_FAR_FROM_PERFECT = 0.9


@dataclass(frozen=True)
class Verdict:
    """The verdict on a run.

    Attributes:
        level: "chance", "poor", "low", "good" or "suspicious".
        sentences: The verdict as sentences, the most important first.
        overfitting: Whether it memorizes its training images instead of learning what they have in
            common.
        still_rising: Whether validation was still improving when training ended.
        suggestions: What to try next, the most promising first.
    """

    level: Level
    sentences: tuple[str, ...]
    overfitting: bool
    still_rising: bool
    suggestions: tuple[Suggestion, ...]

    @property
    def text(self) -> str:
        """All sentences in one string."""
        return " ".join(self.sentences)

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as plain JSON values."""
        return {**asdict(self), "sentences": list(self.sentences), "text": self.text}


def diagnose(facts: Facts) -> Verdict:
    """Return the verdict on a complete run.

    Args:
        facts: The figures of the run.

    Example:
        >>> from eyetune.recipe import Recipe
        >>> from eyetune.values.history import Epoch
        >>> epochs = tuple(Epoch(i, 1.0, 0.70, 1.0, 0.69, 0.001, 1.0, 1.0) for i in range(1, 11))
        >>> tenths = (0.1,) * 10
        >>> facts = Facts(
        ...     epochs, Recipe(), "cifar10", (32, 32, 3), 40_000, 10_000,
        ...     class_shares=tenths, class_recall=(0.69,) * 10, predicted_shares=tenths,
        ...     validation_accuracy=0.69, test_accuracy=0.68,
        ... )
        >>> verdict = diagnose(facts)
        >>> verdict.level, verdict.overfitting, verdict.still_rising
        ('poor', False, False)
    """
    level, sentences = _level(facts)
    if facts.recipe.data.train_on_validation:
        sentences.append(
            "It was trained on its validation images too, so its curves say nothing about new "
            "images: only test accuracy counts."
        )
        return Verdict(
            level, tuple(sentences), overfitting=False, still_rising=False, suggestions=()
        )
    overfitting = facts.is_gap_large and not facts.is_loss_falling
    still_rising = not overfitting and (facts.is_accuracy_rising or facts.is_loss_falling)
    sentences += _imbalance_sentences(facts) + _class_sentences(facts)
    sentences += _curve_sentences(facts, level, overfitting=overfitting, still_rising=still_rising)
    suggestions = suggest(facts, level, overfitting=overfitting, still_rising=still_rising)
    return Verdict(level, tuple(sentences), overfitting, still_rising, tuple(suggestions))


def _level(facts: Facts) -> tuple[Level, list[str]]:
    split = "validation" if facts.test_accuracy is None else "test"
    accuracy = facts.validation_accuracy if facts.test_accuracy is None else facts.test_accuracy
    achieved = f"{accuracy:.1%} of the {split} {facts.noun}s are classified correctly"
    guess = facts.guess if facts.test_guess is None else facts.test_guess
    low, _ = facts.accuracy_interval
    if low <= facts.guess:
        guesses = f"{1 / facts.num_classes:.1%} for {facts.num_classes} classes"
        if facts.is_uneven:
            guesses += f", or {facts.guess:.1%} for always naming the most frequent class"
        if facts.test_accuracy is not None:  # the level follows from the validation images
            achieved += f", and {facts.validation_accuracy:.1%} of the validation {facts.noun}s"
        doubt = "not surely" if facts.validation_accuracy > facts.guess else "no"
        return "chance", [f"{achieved}: {doubt} better than guessing ({guesses})."]
    first = f"{achieved}; guessing would get {guess:.1%}."
    if facts.dataset == "cifar10":
        level, sentence = _cifar10_level(accuracy)
        return level, [first, sentence]
    if facts.linear_accuracy is None:
        return _level_by_guessing(facts), [first]
    level, judgement = _level_by_linear_classifier(facts, accuracy, facts.linear_accuracy)
    second = (
        f"A linear classifier on the pixels gets {facts.linear_accuracy:.1%} of the validation "
        f"images, this network {facts.validation_accuracy:.1%}: {judgement}."
    )
    return level, [first, second]


def _cifar10_level(accuracy: float) -> tuple[Level, str]:
    if accuracy >= SUSPICIOUS_FROM:
        return "suspicious", (
            "An accuracy this close to 100% is suspicious: check that no test image was trained on."
        )
    if accuracy >= LOW_BELOW:
        return "good", "That is good for CIFAR-10, where small networks reach 80 to 90%."
    if accuracy >= POOR_BELOW:
        return "low", "That is low for CIFAR-10, where small networks reach 80 to 90%."
    return "poor", "That is poor for CIFAR-10, where small networks reach 80 to 90%."


def _level_by_guessing(facts: Facts) -> Level:
    errors = facts.num_validation - facts.num_correct
    errors_of_guessing = (1 - facts.guess) * facts.num_validation
    return "good" if errors <= GUESS_ERRORS_LEFT * errors_of_guessing else "low"


def _level_by_linear_classifier(facts: Facts, accuracy: float, linear: float) -> tuple[Level, str]:
    """Return the level on other data sets, by the margin over a linear classifier.

    Images are counted, so that a rounding error in the shares does not decide.
    """
    num_correct = facts.num_correct
    linear_correct = round(linear * facts.num_validation)
    tolerance = max(LINEAR_TOLERANCE * facts.num_validation, 1)
    low, _ = facts.accuracy_interval
    is_equal = abs(num_correct - linear_correct) <= tolerance
    if num_correct < linear_correct - tolerance or (is_equal and low <= linear):
        if is_equal and linear >= VERY_HIGH:
            return "good", "both leave little to gain, so the simpler one would do"
        return "poor", "the network is not worth its cost yet"
    if accuracy > PERFECT and linear < LINEAR_FAR_FROM_PERFECT:
        return "suspicious", (
            "an accuracy this close to 100% is suspicious, so check for copies of images "
            "in several splits"
        )
    errors = facts.num_validation - num_correct
    linear_errors = facts.num_validation - linear_correct
    if errors <= LINEAR_ERRORS_LEFT * linear_errors:
        return "good", "a clear gain"
    if num_correct >= VERY_HIGH * facts.num_validation:
        return "good", "a gain, and little is left to gain"
    return "low", "a gain, with room for more"


def _imbalance_sentences(facts: Facts) -> list[str]:
    uneven = imbalance(facts.class_shares)
    if not uneven.is_large:
        return []
    return [
        f"The largest class has {uneven.ratio:.1f} times as many validation "
        f"{facts.noun}s as the smallest, so judge by balanced accuracy, the mean over classes: "
        f"{facts.balanced_accuracy:.1%}, against "
        f"{uneven.constant_balanced_accuracy:.1%} for a constant answer."
    ]


def _class_sentences(facts: Facts) -> list[str]:
    if facts.predicts_one_class:
        extent = f"every {facts.noun}"
        if max(facts.predicted_shares) < 1:
            extent = f"almost {extent}"
        return [f"The network assigns {extent} to one class."]
    num_neglected = len(facts.neglected_classes)
    if num_neglected == 1:
        return [f"One class with few {facts.noun}s is hardly ever recognized."]
    if num_neglected:
        return [f"{num_neglected} classes with few {facts.noun}s are hardly ever recognized."]
    if facts.is_rare_recall_low:
        return [
            f"Classes with few {facts.noun}s are recognized less often: {facts.rare_recall:.1%} of "
            f"their {facts.noun}s, against {facts.frequent_recall:.1%} of the others."
        ]
    return []


def _curve_sentences(
    facts: Facts, level: Level, *, overfitting: bool, still_rising: bool
) -> list[str]:
    if overfitting:
        return _overfitting_sentences(facts, level)
    if still_rising:
        return _rising_sentences(facts)
    if level in ("good", "suspicious"):
        return []
    if facts.is_short:
        epochs = "One epoch is" if len(facts.history) == 1 else f"{len(facts.history)} epochs are"
        return [f"{epochs} too few to show what the network can learn."]
    if level == "chance" or facts.neglected_classes or math.isnan(facts.gap):
        return []
    return [_plateau_sentence(facts)]


def _plateau_sentence(facts: Facts) -> str:
    distance = f"{abs(100 * facts.gap):.1f} points {'above' if facts.gap >= 0 else 'below'}"
    if facts.gap > LARGE_GAP:
        return (
            f"Training accuracy is {distance} validation accuracy, but with only "
            f"{facts.num_validation:,} validation {facts.noun}s that may be chance."
        )
    return (
        f"Validation accuracy has leveled off with training accuracy {distance} it: the network "
        "itself is the limit."
    )


def _overfitting_sentences(facts: Facts, level: Level) -> list[str]:
    kept = facts.kept
    training, validation = kept.value("accuracy"), kept.value("val_accuracy")
    sentence = (
        f"Training accuracy is {100 * facts.gap:.1f} points above validation ({training:.1%} "
        f"against {validation:.1%}): the network memorizes its training {facts.noun}s (overfitting)"
    )
    if facts.best_loss_epoch < len(facts.history):
        sentence += f", and validation loss has not improved since epoch {facts.best_loss_epoch}"
    if level == "chance":
        return [f"{sentence}.", "Check that the labels are right."]
    return [f"{sentence}."]


def _rising_sentences(facts: Facts) -> list[str]:
    sentences = []
    if facts.is_accuracy_rising:
        sentences.append(
            "Validation accuracy was still rising by about "
            f"{100 * facts.accuracy_slope:.1f} points per epoch when training ended: the network "
            "has not finished learning (underfitting)."
        )
    else:
        sentences.append(
            "Validation loss was still falling when training ended: the network has not finished "
            "learning (underfitting)."
        )
    if facts.gap > LARGE_GAP:
        sentences.append(
            f"Training accuracy is already {100 * facts.gap:.1f} points above validation accuracy."
        )
    return sentences
