"""What trains the recipes of a lab: the seam between the lab's decisions and its trainings."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from eyetune.analysis.candidates import candidate_of
from eyetune.analysis.comparison import Candidate
from eyetune.errors import TrainingError
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, Workspace
from eyetune.records.lab import SkipKind
from eyetune.report.progress.training_progress import WorkersDisplay
from eyetune.techniques.lab.plan import LabPlan
from eyetune.tuning.runner import Done, Plan, Runner

# A final training starts if the time left is this many times the longest training so far.
_FINAL_MARGIN = 1.3


@dataclass(frozen=True)
class RecipeResult:
    """A recipe that was trained with one or several seeds, and its predictions on one split."""

    label: str
    recipe: Recipe
    runs: tuple[RunRecord, ...]
    candidate: Candidate


@dataclass(frozen=True)
class NoResult:
    """Why a recipe was not trained, or not to its end: the kind of reason, and a sentence."""

    kind: SkipKind
    message: str


class LabTrainer(ABC):
    """Trains the recipes of a lab.

    The lab trains with worker processes (`WorkersTrainer`); tests fabricate the results.
    """

    @property
    @abstractmethod
    def seconds(self) -> float:
        """Seconds since the lab began."""

    @abstractmethod
    def train(
        self, recipes: Sequence[tuple[str, Recipe]], *, time_share: float | None = 1.0
    ) -> list[RecipeResult | NoResult]:
        """Train recipes with every seed of the lab, for comparisons on the validation images.

        Args:
            recipes: Labels with recipes.
            time_share: Share of the lab's time limit, 0 to 1, after which no training starts. None:
                trainings start in any case.

        Returns:
            A result, or why there is none, for each recipe.
        """

    @abstractmethod
    def train_final(
        self, recipes: Sequence[tuple[str, Recipe]], *, extra_seeds: int = 0
    ) -> list[RecipeResult]:
        """Train recipes with the final seeds, and return their predictions on the test images.

        All recipes are trained with the same seeds. When time runs out, there are fewer seeds, but
        at least one.

        Args:
            recipes: Labels with recipes.
            extra_seeds: Number of seeds beyond those of the plan, in the time that is left. Give it
                when the others have been trained. Default: 0.

        Raises:
            TrainingError: No seed has a result for all recipes.
        """

    @abstractmethod
    def has_tried(self, recipe: Recipe) -> bool:
        """Return whether this lab has already tried to train a recipe."""

    @abstractmethod
    def is_recorded(self, recipe: Recipe) -> bool:
        """Return whether the workspace holds complete runs of a recipe with every seed."""

    @abstractmethod
    def note(self, message: str) -> None:
        """Show a message about the lab as a whole."""


class WorkersTrainer(LabTrainer):
    """Trains with worker processes, within the time limit of the plan.

    Args:
        plan: What the lab does.
        runner: It trains what is not recorded yet.
        workspace: Where runs are recorded.
        display: Where messages are shown.
    """

    def __init__(
        self, plan: LabPlan, runner: Runner, workspace: Workspace, display: WorkersDisplay
    ) -> None:
        self._plan = plan
        self._runner = runner
        self._workspace = workspace
        self._display = display
        self._started_at = time.monotonic()
        self._longest_seconds = 0.0  # of a training so far: an estimate of the next ones
        self._tried_fingerprints: set[str] = set()

    @property
    def seconds(self) -> float:
        """Seconds since the lab began."""
        return time.monotonic() - self._started_at

    def train(
        self, recipes: Sequence[tuple[str, Recipe]], *, time_share: float | None = 1.0
    ) -> list[RecipeResult | NoResult]:
        """Train recipes with every seed of the lab (see `LabTrainer`)."""
        seeds = self._plan.seeds
        plans = [Plan(label, recipe, seed) for label, recipe in recipes for seed in seeds]
        done = self._train(plans, lambda: self._has_time(time_share))
        self._tried_fingerprints |= {recipe.fingerprint for _, recipe in recipes}
        results: list[RecipeResult | NoResult] = []
        for index, (label, recipe) in enumerate(recipes):
            group = done[index * len(seeds) : (index + 1) * len(seeds)]
            results.append(self._result(label, recipe, group))
        return results

    def train_final(
        self, recipes: Sequence[tuple[str, Recipe]], *, extra_seeds: int = 0
    ) -> list[RecipeResult]:
        """Train recipes with the final seeds (see `LabTrainer`)."""
        plans = [
            Plan(f"{label}, for test", recipe, seed, ("validation", "test"))
            for seed in range(self._plan.final_seeds + extra_seeds)
            for label, recipe in recipes
        ]
        num_asked = count()

        def may_start() -> bool:
            is_first_seed = not extra_seeds and next(num_asked) < len(recipes)
            return is_first_seed or self._seconds_left() > _FINAL_MARGIN * self._longest_seconds

        done = self._train(plans, may_start)
        rounds = [done[start : start + len(recipes)] for start in range(0, len(done), len(recipes))]
        # The recipes are compared seed by seed, so a seed counts if all recipes have a result.
        complete = [group for group in rounds if not any(item.reason for item in group)]
        if not complete:
            raise TrainingError(
                "None of the final trainings has a result.",
                received="; ".join(item.reason for item in done if item.reason),
                fix="The other runs are recorded: run the same lab with more --final-seeds, or with"
                " a baseline that trains more steadily.",
            )
        results = []
        for index, (label, recipe) in enumerate(recipes):
            of_recipe = [group[index] for group in complete]
            results.append(self._recipe_result(label, recipe, of_recipe, "test"))
        return results

    def has_tried(self, recipe: Recipe) -> bool:
        """Return whether this lab has already tried to train a recipe."""
        return recipe.fingerprint in self._tried_fingerprints

    def is_recorded(self, recipe: Recipe) -> bool:
        """Return whether the workspace holds complete runs of a recipe with every seed."""
        return self._runner.knows([Plan("", recipe, seed) for seed in self._plan.seeds])

    def note(self, message: str) -> None:
        """Show a message about the lab as a whole."""
        self._display.note(message)

    def _train(self, plans: Sequence[Plan], may_start: Callable[[], bool]) -> list[Done]:
        done = self._runner.train(plans, may_start=may_start, on_done=self._note_duration)
        for item in done:
            if item.was_recorded:  # in a lab that is continued, these say how long one takes
                self._note_duration(item)
        return done

    def _result(self, label: str, recipe: Recipe, group: Sequence[Done]) -> RecipeResult | NoResult:
        for item in group:
            if item.reason:
                kind = SkipKind.OUT_OF_TIME if item.is_out_of_time else SkipKind.FAILED
                return NoResult(kind, item.reason)
        return self._recipe_result(label, recipe, group, "validation")

    def _recipe_result(
        self, label: str, recipe: Recipe, done: Sequence[Done], split: str
    ) -> RecipeResult:
        runs = tuple(item.run for item in done if item.run is not None)
        candidate = candidate_of(label, runs, self._workspace, split, balanced=self._plan.balanced)
        return RecipeResult(label, recipe, runs, candidate)

    def _seconds_left(self, time_share: float = 1.0) -> float:
        """Return the seconds until this share of the lab's time limit has passed."""
        if self._plan.seconds is None:
            return math.inf
        return time_share * self._plan.seconds - self.seconds

    def _has_time(self, time_share: float | None) -> bool:
        """Return whether one more training leaves enough time for the final ones."""
        if time_share is None:
            return True
        final_seconds = math.ceil(2 / self._plan.workers) * self._longest_seconds
        return self._seconds_left(time_share) > self._longest_seconds + final_seconds

    def _note_duration(self, done: Done) -> None:
        if done.run is not None:
            self._longest_seconds = max(self._longest_seconds, done.run.duration_seconds)
