"""Fit the network of a model function as KerasTuner would, resumable like any other training.

See https://keras.io/keras_tuner/api/hypermodels/ and
https://keras.io/guides/keras_tuner/custom_tuner/.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from eyetune.data import Dataset
from eyetune.errors import FunctionError
from eyetune.models.model_function import Built
from eyetune.models.model_function.checking import Fit
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
    callbacks: Sequence[Any] = (),
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
        callbacks: The user's callbacks for this training alone.

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
    _check_recipe(prepared, built)
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
    training = FunctionTraining(prepared, built, folder, identity, stored, log_name, callbacks)
    training.listen(stop_after, on_epoch, on_progress)
    return training.outcome(training.run())


def _check_recipe(prepared: PreparedNetwork, built: Built) -> None:
    """Refuse what the network does not measure, and what its data is not made for."""
    recipe = prepared.recipe
    measured = measured_names(built.fit, has_validation=bool(prepared.dataset.validation))
    is_measured = recipe.fit.monitor.partition(":")[0] in measured
    # What a `fit` or `train_step` of the user's own measures is known only when it is done.
    if not is_measured and not built.has_own_training:
        raise FunctionError(
            f"fit.monitor is {recipe.fit.monitor}, which the network does not measure.",
            expected=", ".join(dict.fromkeys(measured)),
            received=recipe.fit.monitor,
        )
    if not isinstance(prepared.dataset, Dataset):
        _check_for_samples(recipe)
    if built.fit.integer_labels and (recipe.augment.mixup or recipe.augment.cutmix):
        raise FunctionError(
            "mixup and cutmix mix labels, but the loss of the model function takes integer labels.",
            fix=(
                "Compile it with loss='categorical_crossentropy', or leave augment.mixup and "
                "augment.cutmix at 0."
            ),
        )


def measured_names(fit: Fit, *, has_validation: bool) -> tuple[str, ...]:
    """Return the names of the metrics that each epoch measures.

    Args:
        fit: What the network measures.
        has_validation: Whether there is data to validate on.
    """
    names = [*fit.metrics, *(["accuracy"] if fit.accuracy else [])]
    if has_validation:
        names += [f"val_{name}" for name in names]
    return tuple(dict.fromkeys(names))


def _check_for_samples(recipe: Recipe) -> None:
    """Refuse the parts of a recipe that are for the images of a source."""
    for name, is_used in (
        ("augment", recipe.augment.active),
        ("data.camera", recipe.data.camera != "none"),
        ("fit.class_weight", recipe.fit.class_weight != "none"),
    ):
        if is_used:
            raise FunctionError(
                f"{name} is for the images of a named source, and the data was given as arrays.",
                expected="data that arrives as it was given",
                received=name,
                fix=("Use augmentation layers in the model, and the argument class_weight of fit."),
            )
