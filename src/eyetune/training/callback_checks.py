"""Checks of a user's Keras callbacks: those that a recipe cannot honor are refused."""

from __future__ import annotations

from typing import Any

import keras

from eyetune.errors import ArgumentTypeError, UsageError
from eyetune.recipe import Recipe
from eyetune.training.stages import stages

# Callbacks that would have no effect or do harm, each with what does the same here.
REPLACED = {
    "BackupAndRestore": (
        "each epoch is kept in a checkpoint already",
        "Leave it out: eyetune.resume(run) continues an interrupted run.",
    ),
    "ProgbarLogger": (
        "the progress is shown already",
        "Leave it out, and use progress=False to hide the progress.",
    ),
    "SwapEMAWeights": (
        "the recipe decides whether weights are averaged",
        "Leave it out, and set fit.weight_averaging, for example to 0.99.",
    ),
}
SETS_RATE = ("LearningRateScheduler", "ReduceLROnPlateau")


def checked_callbacks(callbacks: Any, recipe: Recipe) -> tuple[Any, ...]:
    """Return a user's callbacks in one tuple, if the training of a recipe can honor all of them.

    Args:
        callbacks: A Keras callback, a sequence or a `CallbackList` of them, or None.
        recipe: What they are to see the training of.

    Raises:
        ArgumentTypeError: Something else is among them.
        UsageError: The training cannot honor one of them.
    """
    given: list[Any] = []
    for callback in keras.tree.flatten(callbacks) if callbacks is not None else ():
        is_list = isinstance(callback, keras.callbacks.CallbackList)
        given += callback.callbacks if is_list else [callback]
    for callback in given:
        _check(callback, recipe)
    return tuple(given)


def _check(callback: Any, recipe: Recipe) -> None:
    name = type(callback).__name__
    if not isinstance(callback, keras.callbacks.Callback):
        raise ArgumentTypeError(
            "A callback is not one of Keras.",
            expected="an instance of keras.callbacks.Callback",
            received=f"{name}: {callback!r:.60}",
        )
    if getattr(callback, "records_runs", False):
        raise UsageError(
            "eyetune.Callback is for trainings by model.fit: this training is recorded anyway.",
            fix="Leave it out of the callbacks.",
        )
    kinds = {kind.__name__ for kind in type(callback).__mro__}
    for kind in kinds & REPLACED.keys():
        reason, fix = REPLACED[kind]
        raise UsageError(f"The callback {name} is not supported: {reason}.", fix=fix)
    if recipe.model.has_function:  # which compiles its network itself
        return
    if kinds & set(SETS_RATE):
        _check_rate_is_free(name, recipe)
    if isinstance(callback, keras.callbacks.EarlyStopping):
        _check_early_stopping(callback, recipe)


def _check_rate_is_free(name: str, recipe: Recipe) -> None:
    """Refuse a callback that sets a learning rate which a schedule decides."""
    schedules = []
    for stage in stages(recipe):
        section = stage.recipe.optimizer
        schedules.append("warm-up" if section.warmup_epochs else section.schedule)
    decides = [schedule for schedule in schedules if schedule != "constant"]
    if decides:
        raise UsageError(
            f"The callback {name} sets the learning rate, but the recipe's schedule decides it.",
            expected="optimizer.schedule constant and optimizer.warmup_epochs 0 in all stages",
            received=", ".join(decides),
            fix="Leave out the callback, or the schedule.",
        )


def _check_early_stopping(callback: Any, recipe: Recipe) -> None:
    """Refuse what `fit.early_stopping` is refused with as well, and weights that were not judged.

    Raises:
        UsageError: The training has several stages, or restored weights would not be averaged.
    """
    if len(stages(recipe)) > 1:
        raise UsageError(
            "EarlyStopping would end the training before its last stage starts.",
            expected="a recipe without fit.fine_tune_epochs and without fit.quantize",
            received=", ".join(f"epochs {one.start + 1} to {one.end}" for one in stages(recipe)),
            fix="Leave it out: fit.keep_best returns to the best epoch at the end.",
        )
    if callback.restore_best_weights and recipe.fit.weight_averaging:
        raise UsageError(
            "EarlyStopping would restore weights that are not averaged, but averaged weights are "
            "validated.",
            expected="fit.weight_averaging 0, or restore_best_weights=False",
            received=f"fit.weight_averaging {recipe.fit.weight_averaging:g}",
            fix="Set fit.early_stopping instead, which returns to averaged weights.",
        )
