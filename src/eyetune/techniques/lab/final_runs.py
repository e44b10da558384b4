"""The stage of a lab that uses the test images: the baseline and the best recipe, once."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from eyetune.recipe import Recipe
from eyetune.records.run import require_results
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
    recipes = [("baseline", _final_recipe(baseline))]
    if best is not baseline:
        recipes.append(("best", _final_recipe(best)))
    results = trainer.train_final(recipes)
    return results[0], replace(results[-1], label=best.label)


def _final_recipe(result: RecipeResult) -> Recipe:
    """Return the recipe for the final training, which has no validation images.

    Without them it cannot stop early, so it ends at the epoch that was best before.
    """
    recipe = result.recipe.with_({"data.train_on_validation": True})
    if not recipe.fit.early_stopping:
        return recipe
    kept_epochs = [require_results(run).kept_epoch for run in result.runs]
    epochs = round(float(np.mean(kept_epochs)))
    min_epochs = math.floor(recipe.optimizer.warmup_epochs) + 1
    return recipe.with_({"fit.early_stopping": 0, "fit.epochs": max(epochs, min_epochs)})
