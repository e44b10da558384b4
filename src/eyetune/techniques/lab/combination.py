"""The second stage of a lab: it stacks the techniques that helped, the best first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from eyetune.analysis.comparison import compare
from eyetune.errors import RecipeError
from eyetune.recipe import Recipe
from eyetune.records.lab import SkipKind, Skipped, Step
from eyetune.techniques.lab.findings import effect_of, skipped
from eyetune.techniques.lab.plan import Choice, LabPlan
from eyetune.techniques.lab.single_changes import SingleChange
from eyetune.techniques.lab.trainer import LabTrainer, NoResult, RecipeResult

MAX_ADDITIONS = 12  # techniques that helped and are stacked: each costs a training
MAX_SECOND_CHANCES = 6  # techniques that did not help alone and are tried on top
MAX_PAIRED_PARTS = 6  # parts of the combination that are tried in pairs: 15 pairs
# How likely an addition must be to help. Additions that are only lucky would make the stack worse.
KEPT_FROM = 0.9


@dataclass(frozen=True)
class Part:
    """A choice that the combination keeps, and the recipe values that it set."""

    choice: Choice
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Combination:
    """How the combination was stacked.

    Attributes:
        steps: Each addition, kept or dropped.
        parts: The additions that were kept.
        result: The combination; the baseline if nothing was kept.
        skipped: Additions that could not be tried.
    """

    steps: tuple[Step, ...]
    parts: tuple[Part, ...]
    result: RecipeResult
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class Pair:
    """Two parts of the combination, without the others."""

    first: Choice
    second: Choice
    recipe: Recipe

    @property
    def label(self) -> str:
        """The labels of both parts."""
        return f"{self.first.label} + {self.second.label}"


def stack(
    plan: LabPlan, trainer: LabTrainer, baseline: RecipeResult, changes: Sequence[SingleChange]
) -> Combination:
    """Add techniques one after another, and keep each that helps on top of what was kept before.

    What did not help alone gets a second chance on top: a larger network, for example, often pays
    only once something keeps it from overfitting.
    """
    additions, second_chances = _additions(baseline, changes)
    if additions:
        labels = ", ".join(choice.label for choice in additions)
        trainer.note(f"Stacking what helped, the best first: {labels}")
    steps: list[Step] = []
    parts: list[Part] = []
    not_tried: list[Skipped] = []
    current = baseline
    for choice in (*additions, *second_chances):
        if choice in second_chances and not parts:
            break  # on top of the baseline it has been tried already
        recipe = _extended(current.recipe, parts, choice)
        if isinstance(recipe, NoResult):
            not_tried.append(skipped(choice, recipe.kind, f"stacked: {recipe.message}"))
            continue
        if recipe.fingerprint == current.recipe.fingerprint:
            continue
        label = " + ".join([*(part.choice.label for part in parts), choice.label])
        result, *_ = trainer.train([(label, recipe), *_fillers(plan, trainer, parts, recipe)])
        if isinstance(result, NoResult):
            not_tried.append(skipped(choice, result.kind, f"stacked: {result.message}"))
            continue
        (difference,) = compare(current.candidate, [result.candidate])
        effect = effect_of(choice.technique.name, choice.value, result, difference)
        kept = difference.chance_of_better >= KEPT_FROM
        steps.append(Step(effect=effect, kept=kept))
        if kept:
            changed = current.recipe.difference(recipe)
            parts.append(Part(choice, {path: new for path, (_, new) in changed.items()}))
            current = result
    return Combination(tuple(steps), tuple(parts), current, tuple(not_tried))


def pairs_of(plan: LabPlan, parts: Sequence[Part]) -> Iterator[Pair]:
    """Yield each pair of the first parts whose two techniques go together without the others."""
    choices = [part.choice for part in parts[:MAX_PAIRED_PARTS]]
    for first, second in combinations(choices, 2):
        try:
            recipe = second.apply(first.apply(plan.baseline))
        except RecipeError:
            continue  # only the parts between them make the two compatible
        yield Pair(first, second, recipe)


def _additions(
    baseline: RecipeResult, changes: Sequence[SingleChange]
) -> tuple[list[Choice], list[Choice]]:
    """Return what is stacked: the best value of each technique, in as many epochs as the baseline.

    Returns:
        Those that did better than the baseline, the best first; and the others.
    """
    best: dict[str, SingleChange] = {}
    for change in sorted(changes, key=lambda change: -change.effect.difference):
        if change.effect.recipe.fit.total_epochs == baseline.recipe.fit.total_epochs:
            best.setdefault(change.effect.name, change)
    better = [change.choice for change in best.values() if change.effect.difference > 0]
    others = [change.choice for change in best.values() if change.effect.difference <= 0]
    return better[:MAX_ADDITIONS], others[:MAX_SECOND_CHANCES]


def _extended(recipe: Recipe, parts: Sequence[Part], choice: Choice) -> Recipe | NoResult:
    """Return the recipe with a choice added, or why it cannot be added."""
    try:
        extended = choice.apply(recipe)
    except RecipeError as error:
        return NoResult(SkipKind.INVALID, error.message)
    values = extended.values()
    for part in parts:
        if any(values.get(path) != value for path, value in part.values.items()):
            message = f"it would undo {part.choice.label}"
            return NoResult(SkipKind.UNDOES_A_PART, message)
    return extended


def _fillers(
    plan: LabPlan, trainer: LabTrainer, parts: Sequence[Part], addition: Recipe
) -> list[tuple[str, Recipe]]:
    """Return pairs of parts for the workers that an addition leaves idle.

    An addition has to wait for the one before it. The pairs are needed at the end anyway.
    """
    if plan.workers <= len(plan.seeds) or trainer.is_recorded(addition):
        return []
    return [
        (pair.label, pair.recipe)
        for pair in pairs_of(plan, parts)
        if not trainer.has_tried(pair.recipe)
    ]
