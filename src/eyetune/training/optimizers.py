"""From a recipe's optimizer and loss sections to Keras's objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eyetune.recipe import LossSection, OptimizerSection

if TYPE_CHECKING:
    import keras

_CLASSES = {
    "adam": "Adam", "sgd": "SGD", "rmsprop": "RMSprop", "adamw": "AdamW", "nadam": "Nadam",
    "adagrad": "Adagrad", "adadelta": "Adadelta", "adamax": "Adamax", "ftrl": "Ftrl", "lion": "Lion",
    "muon": "Muon",
}  # fmt: skip


def build_optimizer(section: OptimizerSection) -> keras.optimizers.Optimizer:
    """Build the optimizer; what the recipe leaves at 0 keeps Keras's default (AdamW decays weights by 0.004).

    Example:
        >>> build_optimizer(OptimizerSection(name="sgd", momentum=0.9)).momentum
        0.9
    """
    import keras

    options: dict[str, Any] = {"learning_rate": section.learning_rate}
    if section.momentum:
        options["momentum"] = section.momentum
    if section.nesterov:
        options["nesterov"] = True
    if section.weight_decay:
        options["weight_decay"] = section.weight_decay
    if section.clip_norm:
        options["clipnorm"] = section.clip_norm
    return getattr(keras.optimizers, _CLASSES[section.name])(**options)


def build_loss(section: LossSection) -> keras.losses.Loss:
    """Build the loss function for one-hot labels."""
    import keras

    classes = {
        "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
        "categorical_focal_crossentropy": keras.losses.CategoricalFocalCrossentropy,
    }
    return classes[section.name](label_smoothing=section.label_smoothing)
