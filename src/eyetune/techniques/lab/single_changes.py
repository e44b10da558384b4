"""The first stage of a lab: the baseline, and each technique's values, one change at a time."""

from __future__ import annotations

from dataclasses import dataclass

from eyetune.analysis.comparison import compare
from eyetune.errors import RecipeError, TrainingError
from eyetune.recipe import Recipe
from eyetune.records.lab import Effect, SkipKind, Skipped
from eyetune.techniques.lab.findings import effect_of, skipped
from eyetune.techniques.lab.plan import Choice, LabPlan
from eyetune.techniques.lab.trainer import LabTrainer, NoResult, RecipeResult

TIME_SHARE = 0.5  # of the lab's time limit, for this stage


@dataclass(frozen=True)
class SingleChange:
    """A choice that was trained by itself, and how it compares with the baseline."""

    choice: Choice
    result: RecipeResult
    effect: Effect


def train_single_changes(
    plan: LabPlan, trainer: LabTrainer
) -> tuple[RecipeResult, list[SingleChange], list[Skipped]]:
    """Train the baseline and each choice by itself, and compare them.

    Returns:
        The baseline, the changes that have a result, and what was skipped.

    Raises:
        TrainingError: The baseline has no result.
    """
    recipes, not_tried = _recipes(plan)
    seeds = ", ".join(map(str, plan.seeds))
    trainer.note(
        f"The baseline and {_number_of_changes(len(recipes))}, one at a time, "
        f"{'seeds' if len(plan.seeds) > 1 else 'seed'} {seeds}"
    )
    changes = [(choice.label, recipe) for choice, recipe in recipes]
    baseline: RecipeResult | NoResult
    if plan.seconds is None:
        baseline, *results = trainer.train([("baseline", plan.baseline), *changes])
    else:  # the baseline first: its duration says how many changes there is time for
        (baseline,) = trainer.train([("baseline", plan.baseline)], time_share=None)
        results = trainer.train(changes, time_share=TIME_SHARE)
    if isinstance(baseline, NoResult):
        raise TrainingError(
            "The lab's baseline has no result.",
            received=baseline.message,
            fix="Try it by itself: eyetune train",
        )
    trained: list[tuple[Choice, RecipeResult]] = []
    for (choice, _), result in zip(recipes, results, strict=True):
        if isinstance(result, NoResult):
            not_tried.append(skipped(choice, result.kind, result.message))
        else:
            trained.append((choice, result))
    return baseline, _compared(baseline, trained), not_tried


def _recipes(plan: LabPlan) -> tuple[list[tuple[Choice, Recipe]], list[Skipped]]:
    """Return the recipe of each choice, and the choices that cannot be tried."""
    recipes: list[tuple[Choice, Recipe]] = []
    not_tried: list[Skipped] = []
    for choice in plan.choices:
        try:
            recipe = choice.apply(plan.baseline)
        except RecipeError as error:
            not_tried.append(skipped(choice, SkipKind.INVALID, error.message))
            continue
        if recipe.data.unchanged != plan.baseline.data.unchanged:
            message = "it changes the images, so it cannot be compared with the baseline"
            not_tried.append(skipped(choice, SkipKind.OTHER_IMAGES, message))
        elif recipe.fingerprint == plan.baseline.fingerprint:
            message = "the baseline already does this"
            not_tried.append(skipped(choice, SkipKind.SAME_AS_BASELINE, message))
        else:
            recipes.append((choice, recipe))
    return recipes, not_tried


def _number_of_changes(number: int) -> str:
    return "1 change" if number == 1 else f"{number} changes"


def _compared(
    baseline: RecipeResult, trained: list[tuple[Choice, RecipeResult]]
) -> list[SingleChange]:
    if not trained:
        return []
    differences = compare(baseline.candidate, [result.candidate for _, result in trained])
    return [
        SingleChange(
            choice, result, effect_of(choice.technique.name, choice.value, result, difference)
        )
        for (choice, result), difference in zip(trained, differences, strict=True)
    ]
