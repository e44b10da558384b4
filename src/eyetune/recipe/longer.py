"""Longer versions of a recipe, for a training that continues after its last epoch."""

from __future__ import annotations

from typing import Any

from eyetune.errors import ArgumentTypeError, UsageError
from eyetune.recipe.recipe import Recipe
from eyetune.recipe.sections import NEVER_RESTARTED


def longer(recipe: Recipe, epochs: int) -> Recipe:
    """Return a recipe whose training begins exactly as that of another one, and is longer.

    - The learning rate of a schedule that has no end (constant, plateau) continues.
    - Any other schedule has ended, mostly at a rate near 0. It starts again, from the recipe's
      learning rate, over the additional epochs, and `optimizer.restarts` says so.
    - After fine-tuning, the additional epochs continue it, at its constant rate.
    - A model function decides by itself what a larger number of epochs means.

    Args:
        recipe: The recipe.
        epochs: Number of epochs of the longer training, those of the other one included.

    Raises:
        UsageError: The number is not above that of the recipe, or a training of this recipe cannot
            be continued.

    Example:
        >>> recipe = longer(Recipe().with_(optimizer__schedule="cosine", fit__epochs=50), 62)
        >>> recipe.fit.epochs, recipe.optimizer.restarts
        (62, (50,))
    """
    fit = recipe.fit
    if not isinstance(epochs, int) or isinstance(epochs, bool):
        raise ArgumentTypeError(
            "epochs must be a whole number.", expected="for example 62", received=repr(epochs)
        )
    if epochs <= fit.total_epochs:
        raise UsageError(
            f"A training of {fit.total_epochs} epochs can only be continued with more epochs.",
            expected=f"more than {fit.total_epochs}, the epochs of its recipe included",
            received=epochs,
            fix="To train with fewer epochs, train the recipe again from the start.",
        )
    if fit.seconds:
        raise UsageError(
            "The time limit of the recipe ended the training, not its number of epochs.",
            received=f"fit.seconds {fit.seconds:g}",
            fix=f"Train the recipe again with more time: --set fit.seconds={2 * fit.seconds:g}",
        )
    if fit.quantize != "none":
        raise UsageError(
            "A training that ends with the rounding of int8 cannot be continued: in float, it "
            "would lose what it learned last.",
            received=f"fit.quantize {fit.quantize}",
            fix="Train the recipe again with more epochs.",
        )
    if fit.fine_tune_epochs:
        return recipe.with_({"fit.fine_tune_epochs": epochs - fit.epochs})
    edits: dict[str, Any] = {"fit.epochs": epochs}
    if not recipe.model.has_function and recipe.optimizer.schedule not in NEVER_RESTARTED:
        edits["optimizer.restarts"] = (*recipe.optimizer.restarts, fit.epochs)
    return recipe.with_(edits)
