"""A lab as it is recorded: what each technique was worth, which combination was best, and the
answer.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import ConfigDict

from eyetune.recipe import Recipe
from eyetune.values.renamed_keys import RenamedKeys

Value = int | float | str | bool
SIGNIFICANCE = 0.05  # a corrected p-value below it is a finding


class SkipKind(StrEnum):
    """Why a technique's value was not tried, or not to its end."""

    INVALID = "invalid"  # the recipe does not accept the value
    OTHER_IMAGES = "other images"  # it changes the images, so nothing can be compared
    SAME_AS_BASELINE = "same as baseline"
    UNDOES_A_PART = "undoes a part"  # it would undo a part of the combination
    FAILED = "failed"  # the network cannot be built, or its training failed
    OUT_OF_TIME = "out of time"


def value_word(value: object) -> str:
    """Write a value as the command line takes it.

    Example:
        >>> value_word(True), value_word(0.001), value_word("sgd")
        ('true', '0.001', 'sgd')
    """
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Record(RenamedKeys):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Trained(_Record):
    """A recipe that was trained, with one or several seeds.

    Attributes:
        label: What to call it.
        recipe: What was trained.
        runs: Ids of its runs, one for each seed.
        validation_accuracy: Mean over the seeds, 0 to 1.
        seed_deviation: Standard deviation over the seeds (None with one seed).
        seconds: Mean training time.
        parameters: Weights of the network.
        macs: Multiply-adds for one image.
    """

    label: str
    recipe: Recipe
    runs: tuple[str, ...]
    validation_accuracy: float
    seed_deviation: float | None
    seconds: float
    parameters: int
    macs: int


class Effect(Trained):
    """A recipe that was trained, and how it compares with another. Differences are of shares: 0.01
    is one point.

    Attributes:
        name: The technique.
        value: Its value.
        difference: In validation accuracy.
        interval: 95% interval of the difference, by a paired bootstrap.
        p_value: Corrected for how many were compared (Holm).
        finding: The difference in words.
        at_equal_epochs: Difference when both stop after as many epochs as the shorter one has.
        at_equal_seconds: Difference when both stop after as much time as the shorter one took.
    """

    name: str
    value: Value
    difference: float
    interval: tuple[float, float]
    p_value: float
    finding: str
    at_equal_epochs: float
    at_equal_seconds: float

    @property
    def change(self) -> str:
        """The technique with its value: name=value."""
        return f"{self.name}={value_word(self.value)}"

    @property
    def certain(self) -> bool:
        """Whether chance alone is an unlikely explanation."""
        return self.p_value < SIGNIFICANCE


class Step(_Record):
    """One step of the greedy combination: what was added to what was kept before, and whether it
    was kept.
    """

    effect: Effect
    kept: bool


class Interaction(_Record):
    """How two techniques work together: what both are worth beyond the sum of each by itself.

    Attributes:
        first: One technique with its value.
        second: The other.
        difference: Of the accuracies: both, less each, plus the baseline's. Above 0 they help each
            other.
        interval: 95% interval.
        p_value: Corrected for how many pairs were tried (Holm).
        finding: In words.
    """

    first: str
    second: str
    difference: float
    interval: tuple[float, float]
    p_value: float = 1.0
    finding: str

    @property
    def certain(self) -> bool:
        """Whether chance alone is an unlikely explanation."""
        return self.p_value < SIGNIFICANCE


class Skipped(_Record):
    """A technique's value that was not tried, or not to its end.

    Attributes:
        name: The technique.
        value: Its value.
        reason: Why, as a sentence.
        kind: Why, as a kind of reason (None in records of earlier versions).
    """

    name: str
    value: Value
    reason: str
    kind: SkipKind | None = None


class Explanation(_Record):
    """What is said of a technique, kept with the lab: one of the user's own is not known when the
    lab is shown.

    Attributes:
        name: The technique.
        group: The kind of technique.
        why: Why it can help.
        hurts: When it does harm or nothing.
        link: The paper or Keras page, or "".
    """

    name: str
    group: str
    why: str
    hurts: str
    link: str = ""


class Final(_Record):
    """A recipe trained on training and validation images together, with several seeds, and tried on
    test.

    Attributes:
        label: What to call it.
        recipe: What was trained.
        runs: Ids of its runs, one for each seed.
        test_accuracies: One for each seed, 0 to 1.
        test_accuracy: Their mean.
        test_deviation: Their standard deviation (None with one seed).
        seconds: Mean training time.
        parameters: Weights of the network.
        macs: Multiply-adds for one image.
    """

    label: str
    recipe: Recipe
    runs: tuple[str, ...]
    test_accuracies: tuple[float, ...]
    test_accuracy: float
    test_deviation: float | None
    seconds: float
    parameters: int
    macs: int


class LabRecord(_Record):
    """A lab, finished.

    Attributes:
        id: Name of its folder in the workspace.
        created_at: When it ended, in UTC.
        data: Name of the data set.
        num_train: Training images.
        num_validation: Validation images, which all comparisons are made on.
        num_test: Test images.
        seeds: Of the comparisons.
        epochs: Of the baseline and so of the combination.
        workers: Processes that trained.
        seconds: How long it took, what was recorded before not counted.
        baseline: What the techniques are compared with.
        techniques: Each technique's values, in the order in which they were tried.
        skipped: What was not tried, and why.
        steps: How the combination was stacked.
        interactions: Of each pair of the combination's parts.
        combination: The combination against the baseline (None: nothing helped).
        final_baseline: The baseline on test.
        final: The best recipe on test.
        test_difference: Of their accuracies on test.
        test_interval: 95% interval of it.
        answer: Which technique, which combination gave the best result: two sentences.
        complete: Whether every step was made, or time ran out.
        versions: Of what made it.
        explanations: Of the techniques.
        command: The words that made it, from `eyetune lab` on, or "".
    """

    id: str
    created_at: datetime
    data: str
    num_train: int
    num_validation: int
    num_test: int
    seeds: tuple[int, ...]
    epochs: int
    workers: int
    seconds: float
    baseline: Trained
    techniques: tuple[Effect, ...]
    skipped: tuple[Skipped, ...]
    steps: tuple[Step, ...]
    interactions: tuple[Interaction, ...]
    combination: Effect | None
    final_baseline: Final
    final: Final
    test_difference: float
    test_interval: tuple[float, float]
    answer: str
    complete: bool
    versions: dict[str, str]
    explanations: tuple[Explanation, ...] = ()
    command: str = ""

    @property
    def run_ids(self) -> frozenset[str]:
        """Ids of the runs that its comparisons and its test results are made of."""
        trained = [*self.leaderboard, *(step.effect for step in self.steps)]
        ids = {run_id for part in trained for run_id in part.runs}
        return frozenset(ids.union(self.final_baseline.runs, self.final.runs))

    @property
    def stacked(self) -> Effect | None:
        """The combination if it has several parts; None if it is a single technique or nothing."""
        if self.combination is None:
            return None
        is_single = any(effect.runs == self.combination.runs for effect in self.techniques)
        return None if is_single else self.combination

    @property
    def winner(self) -> Trained:
        """The best recipe: the combination, the single technique that it is, or the baseline."""
        if self.combination is None:
            return self.baseline
        for effect in self.techniques:
            if effect.runs == self.combination.runs:
                return effect
        return self.combination

    @property
    def leaderboard(self) -> tuple[Trained, ...]:
        """Every recipe that was trained for a comparison, once each, the best first."""
        trained: list[Trained] = [self.baseline, *self.techniques]
        if self.stacked is not None:
            trained.append(self.stacked)
        return tuple(sorted(trained, key=lambda row: -row.validation_accuracy))

    def to_json(self) -> dict[str, Any]:
        """Return the lab as plain JSON values."""
        return self.model_dump(mode="json")
