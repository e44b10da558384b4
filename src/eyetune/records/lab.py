"""The record of a lab: the effect of each technique, the best combination, and the answer."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from eyetune.recipe import RecordedRecipe
from eyetune.recipe.changes import value_text
from eyetune.values.record_ids import RecordId
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


class Trained(RenamedKeys):
    """A recipe that was trained with one or several seeds.

    Attributes:
        label: What to call it.
        recipe: The recipe.
        runs: Ids of its runs, one for each seed.
        validation_accuracy: Mean accuracy over the seeds, 0 to 1.
        seed_deviation: Standard deviation over the seeds; None with one seed.
        seconds: Mean training time in seconds.
        parameters: Weights of the network.
        macs: Multiply-accumulates (MACs) for one image.
    """

    label: str
    recipe: RecordedRecipe
    runs: tuple[RecordId, ...]
    validation_accuracy: float
    seed_deviation: float | None
    seconds: float
    parameters: int
    macs: int


class Effect(Trained):
    """A recipe that was trained, and how it compares with another one.

    Differences are shares: 0.01 is one percentage point.

    Attributes:
        name: Name of the technique.
        value: Value of the technique.
        difference: Difference in validation accuracy.
        interval: 95% interval of the difference, by a paired bootstrap.
        p_value: p-value, corrected for the number of comparisons (Holm).
        finding: The difference as text.
        at_equal_epochs: Difference if both stop after the epochs of the shorter training.
        at_equal_seconds: Difference if both stop after the time of the shorter training.
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
        """The technique with its value, as name=value."""
        return f"{self.name}={value_text(self.value)}"

    @property
    def certain(self) -> bool:
        """Whether chance alone is an unlikely explanation of the difference."""
        return self.p_value < SIGNIFICANCE


class Step(RenamedKeys):
    """One step of the greedy combination.

    Attributes:
        effect: The effect of adding a technique to what was kept before.
        kept: Whether it was kept.
    """

    effect: Effect
    kept: bool


class Interaction(RenamedKeys):
    """How two techniques work together: what both are worth beyond the sum of each by itself.

    Attributes:
        first: One technique with its value.
        second: The other technique with its value.
        difference: Accuracy with both, minus the accuracy with each alone, plus that of the
            baseline. Above 0, they help each other.
        interval: 95% interval of the difference.
        p_value: p-value, corrected for the number of pairs (Holm).
        finding: The difference as text.
    """

    first: str
    second: str
    difference: float
    interval: tuple[float, float]
    p_value: float = 1.0
    finding: str

    @property
    def certain(self) -> bool:
        """Whether chance alone is an unlikely explanation of the difference."""
        return self.p_value < SIGNIFICANCE


class Skipped(RenamedKeys):
    """A technique's value that was not tried, or not to its end.

    Attributes:
        name: The technique.
        value: Its value.
        reason: Why, as a sentence.
        kind: Why, as a kind of reason; None in records of earlier versions.
    """

    name: str
    value: Value
    reason: str
    kind: SkipKind | None = None


class Explanation(RenamedKeys):
    """The explanation of a technique, which is not available later if it is the user's own.

    Attributes:
        name: Name of the technique.
        group: Group of the technique.
        why: Why it can help.
        hurts: When it hurts or has no effect.
        link: Address of the paper or of the Keras documentation, or "".
    """

    name: str
    group: str
    why: str
    hurts: str
    link: str = ""


class Final(RenamedKeys):
    """A recipe trained on training and validation images, and evaluated on test images.

    Attributes:
        label: What to call it.
        recipe: The recipe.
        runs: Ids of its runs, one for each seed.
        test_accuracies: Test accuracy for each seed, 0 to 1.
        test_accuracy: Mean test accuracy, 0 to 1.
        test_deviation: Standard deviation over the seeds; None with one seed.
        seconds: Mean training time in seconds.
        parameters: Weights of the network.
        macs: Multiply-accumulates (MACs) for one image.
    """

    label: str
    recipe: RecordedRecipe
    runs: tuple[RecordId, ...]
    test_accuracies: tuple[float, ...]
    test_accuracy: float
    test_deviation: float | None
    seconds: float
    parameters: int
    macs: int


class LabRecord(RenamedKeys):
    """A finished lab.

    Attributes:
        id: Its id, which is the name of its folder.
        created_at: When it ended, in UTC.
        data: Short name of the dataset.
        num_train: Number of training images.
        num_validation: Number of validation images, on which all comparisons are made.
        num_test: Number of test images.
        seeds: Seeds of the comparisons.
        epochs: Epochs of the baseline, and so of the combination.
        workers: Number of processes that trained.
        seconds: How long it took, in seconds, without what was recorded before.
        baseline: What the techniques are compared with.
        techniques: The effect of each value of each technique, in the order of the trainings.
        skipped: What was not tried, and why.
        steps: The steps of the combination.
        interactions: How each pair of the parts of the combination works together.
        combination: The combination compared with the baseline; None: nothing helped.
        final_baseline: The baseline on test images.
        final: The best recipe on test images.
        test_difference: Difference of their test accuracies, as a share.
        test_interval: 95% interval of that difference.
        answer: Which technique or combination gave the best result, in two sentences.
        complete: Whether every step was made before time ran out.
        versions: Versions of eyetune and the libraries that matter.
        explanations: Explanations of the techniques.
        command: The command that repeats it, or "".
        metric: What recipes are compared by, on validation and test images. Accuracies of the
            record are balanced accuracies where it is that.
    """

    id: RecordId
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
    metric: Literal["accuracy", "balanced accuracy"] = "accuracy"

    @property
    def run_ids(self) -> frozenset[str]:
        """The ids of the runs that its comparisons and test results are based on."""
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
