"""The stage of a lab that uses the test images: the baseline and the best recipe, once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from eyetune.recipe import Recipe
from eyetune.records.run import require_results
from eyetune.techniques.lab.plan import LabPlan
from eyetune.techniques.lab.trainer import LabTrainer, RecipeResult


def train_finals(
    trainer: LabTrainer, baseline: RecipeResult, best: RecipeResult
) -> tuple[RecipeResult, RecipeResult]:
    """Train the baseline and the best recipe on training and validation images, and test them.

    Returns:
        Both results; the same result twice if the baseline is the best.
    """
    trainer.note(
        "All choices are made. Training the baseline and the best recipe on training and validation"
        " images, then testing them"
    )
    results = [baseline] if best is baseline else [baseline, best]
    recipes = [_final_recipe(result) for result in results]
    return _trained(trainer, recipes, best.label)


def add_final_seeds(
    plan: LabPlan, trainer: LabTrainer, baseline: RecipeResult, best: RecipeResult
) -> tuple[RecipeResult, RecipeResult]:
    """Train the final recipes with more seeds in the time that is left, and return all results.

    Args:
        plan: The plan: its time, and how many more seeds there may be.
        trainer: Trains the recipes.
        baseline: The final trainings of the baseline.
        best: Those of the best recipe.
    """
    if plan.seconds is None or not plan.extra_final_seeds:
        return baseline, best
    trainer.note("Training both with more seeds in the time that is left")
    recipes = [baseline.recipe]
    if best.recipe.fingerprint != baseline.recipe.fingerprint:
        recipes.append(best.recipe)
    return _trained(trainer, recipes, best.label, plan.extra_final_seeds)


def _trained(
    trainer: LabTrainer, recipes: Sequence[Recipe], label: str, extra_seeds: int = 0
) -> tuple[RecipeResult, RecipeResult]:
    labeled = list(zip(("baseline", "best"), recipes, strict=False))
    results = trainer.train_final(labeled, extra_seeds=extra_seeds)
    return results[0], replace(results[-1], label=label)


def _final_recipe(result: RecipeResult) -> Recipe:
    """Return the recipe for the final training, which has no validation images.

    Without them it cannot stop early, so it ends at the epoch that was best before. Images that are
    held out for a threshold are trained on, too.
    """
    recipe = result.recipe.with_({"data.train_on_validation": True, "data.calibration": 0.0})
    if not recipe.fit.early_stopping:
        return recipe
    kept_epochs = [require_results(run).kept_epoch for run in result.runs]
    epochs = round(float(np.mean(kept_epochs)))
    min_epochs = math.floor(recipe.optimizer.warmup_epochs) + 1
    return recipe.with_({"fit.early_stopping": 0, "fit.epochs": max(epochs, min_epochs)})
