"""Fit the network of a model function as KerasTuner would, resumable like any other training.

See https://keras.io/keras_tuner/api/hypermodels/ and
https://keras.io/guides/keras_tuner/custom_tuner/.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from eyetune.errors import FunctionError
from eyetune.models.model_function import Built
from eyetune.recipe import Recipe
from eyetune.training import checkpoint as checkpoints
from eyetune.training.fit import Fitted
from eyetune.training.model_function.function_training import FunctionTraining
from eyetune.training.prepared_network import PreparedNetwork
from eyetune.values.history import Epoch, Progress


def fit_function(
    prepared: PreparedNetwork,
    folder: Path,
    *,
    resume: bool,
    stop_after: int | None,
    on_epoch: Callable[[Epoch], None],
    on_progress: Callable[[Progress], None],
    log_name: str = "",
) -> Fitted:
    """Train the network that a model function built.

    Args:
        prepared: The network, with what the model function built.
        folder: Folder of the checkpoints; it must exist.
        resume: Continue from the folder's last checkpoint, if it has one.
        stop_after: Return PAUSED when the history has this number of epochs (None: never).
        on_epoch: Called with each whole epoch after its checkpoint is written; on resume first with
            the epochs of the checkpoint.
        on_progress: Called after every few batches.
        log_name: Subfolder of TensorBoard's logs. Default: the name of the folder.

    Returns:
        The outcome, as that of `fit`.

    Raises:
        FunctionError: The user's code raised an exception, or does not fit the recipe.
        DivergedError: The loss became NaN or infinite.
        CheckpointError: On resume, the checkpoint is damaged or belongs to another training.
        WorkspaceError: A checkpoint cannot be written.
    """
    recipe, built = prepared.recipe, prepared.function
    assert built is not None
    _check_recipe(recipe, built)
    identity = {
        "recipe": recipe.fingerprint,
        "data": prepared.dataset.fingerprint,
        "seed": prepared.seed,
        # Otherwise the recipe says enough.
        "precision": prepared.precision if recipe.fit.precision == "measured" else "as built",
    }
    stored = checkpoints.load_last(folder, identity) if resume else None
    for epoch in stored.history if stored else ():
        on_epoch(epoch)
    training = FunctionTraining(prepared, built, folder, identity, stored, log_name)
    training.listen(stop_after, on_epoch, on_progress)
    return training.outcome(training.run())


def _check_recipe(recipe: Recipe, built: Built) -> None:
    """Refuse a metric that the network does not measure, and mixtures of labels it cannot take."""
    validation_metrics = [f"val_{name}" for name in built.fit.metrics]
    measured = [*built.fit.metrics, *validation_metrics, "accuracy", "val_accuracy"]
    is_measured = recipe.fit.monitor.partition(":")[0] in measured
    # What a `fit` of the user's own measures is known only when it is done.
    if not is_measured and not built.loaded.has_own_fit:
        raise FunctionError(
            f"fit.monitor is {recipe.fit.monitor}, which the network does not measure.",
            expected=", ".join(dict.fromkeys(measured)),
            received=recipe.fit.monitor,
        )
    if built.fit.integer_labels and (recipe.augment.mixup or recipe.augment.cutmix):
        raise FunctionError(
            "mixup and cutmix mix labels, but the loss of the model function takes integer labels.",
            fix=(
                "Compile it with loss='categorical_crossentropy', or leave augment.mixup and "
                "augment.cutmix at 0."
            ),
        )
