"""Build Keras's optimizer, loss and metrics from the sections of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eyetune.recipe import LossSection, Recipe
from eyetune.training.distillation import distilled, is_correct
from eyetune.training.lr_schedules import build_rate

if TYPE_CHECKING:
    import keras

_CLASSES = {
    "adam": "Adam", "sgd": "SGD", "rmsprop": "RMSprop", "adamw": "AdamW", "nadam": "Nadam",
    "adagrad": "Adagrad", "adadelta": "Adadelta", "adamax": "Adamax", "ftrl": "Ftrl",
    "lion": "Lion", "muon": "Muon",
}  # fmt: skip


def build_optimizer(
    recipe: Recipe, steps_per_epoch: int = 1, num_epochs: int | None = None
) -> keras.optimizers.Optimizer:
    """Build the optimizer of a recipe.

    Values that the recipe leaves at 0 keep Keras's defaults: AdamW has a weight decay of 0.004.

    Args:
        recipe: Its optimizer and fit sections are used.
        steps_per_epoch: Batches in an epoch, which determine the length of schedules.
        num_epochs: Epochs of the schedule. Default: those of the recipe.

    Example:
        >>> build_optimizer(Recipe().with_(optimizer__name="sgd", optimizer__momentum=0.9)).momentum
        0.9
    """
    import keras

    section = recipe.optimizer
    options: dict[str, Any] = {"learning_rate": build_rate(recipe, steps_per_epoch, num_epochs)}
    if section.momentum:
        options["momentum"] = section.momentum
    if section.nesterov:
        options["nesterov"] = True
    if section.weight_decay:
        options["weight_decay"] = section.weight_decay
    if section.clip_norm:
        options["clipnorm"] = section.clip_norm
    if recipe.fit.weight_averaging:
        options |= {"use_ema": True, "ema_momentum": recipe.fit.weight_averaging}
    return getattr(keras.optimizers, _CLASSES[section.name])(**options)


def build_loss(section: LossSection) -> keras.losses.Loss:
    """Build the loss for one-hot labels or, with a teacher, for labels and its probabilities."""
    import keras

    classes = {
        "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
        "categorical_focal_crossentropy": keras.losses.CategoricalFocalCrossentropy,
    }
    usual = classes[section.name](label_smoothing=section.label_smoothing)
    return distilled(usual, section) if section.teacher else usual


def build_metrics(section: LossSection) -> list[Any]:
    """Build the metrics besides the loss: accuracy, which ignores a teacher's predictions.

    Example:
        >>> build_metrics(LossSection())
        ['accuracy']
    """
    import keras

    if section.teacher:
        return [keras.metrics.MeanMetricWrapper(is_correct, name="accuracy")]
    return ["accuracy"]
