"""The stages of a training: which layers are trained in which epochs.

Most recipes have one stage. With a pre-trained backbone, the first stage trains the head alone, and
a second one may fine-tune the backbone. The last stage may train with the rounding of int8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eyetune.models.transfer import head_of, thaw
from eyetune.recipe import Recipe
from eyetune.training.optimizers import build_loss, build_metrics, build_optimizer

if TYPE_CHECKING:
    import keras

QUANTIZE_SHARE = 0.01  # of the learning rate, at the start of a quantized stage


@dataclass(frozen=True)
class Stage:
    """Consecutive epochs in which the same variables are trained.

    Attributes:
        start: Number of epochs before the stage.
        end: Number of epochs at its end.
        recipe: The training's recipe, with this stage's learning rate and schedule.
        on_features: Whether the head alone is trained, on cached features of the images.
        trainable_from: The first layer of the backbone that is trained (empty: the backbone is
            frozen, or there is none).
        quantized: Whether weights and values are rounded to int8.
    """

    start: int
    end: int
    recipe: Recipe
    on_features: bool = False
    trainable_from: str = ""
    quantized: bool = False

    @property
    def description(self) -> str:
        """What it does, for a line of text; "" for the first stage, which needs none."""
        if self.quantized:
            return "Training with the rounding of int8"
        return f"Fine-tuning from layer {self.trainable_from}" if self.trainable_from else ""

    def leads_to(self, num_epochs: int) -> bool:
        """Return whether a checkpoint with this number of epochs was written in this stage."""
        return self.start < num_epochs <= self.end


def stages(recipe: Recipe) -> tuple[Stage, ...]:
    """Return the stages of a recipe in order.

    Example:
        >>> edits = {"model.trainable_from": "block5_conv1", "fit.fine_tune_epochs": 5}
        >>> recipe = Recipe().with_({"model": "vgg16", **edits})
        >>> [(stage.start, stage.end, stage.on_features) for stage in stages(recipe)]
        [(0, 10, True), (10, 15, False)]
    """
    fit = recipe.fit
    cacheable = recipe.model.has_backbone and not recipe.augments_images
    result = [Stage(0, fit.epochs, recipe, on_features=cacheable)]
    if fit.fine_tune_epochs:
        slow = _with_rate(recipe, recipe.optimizer.fine_tune_learning_rate, "constant")
        trainable_from = recipe.model.trainable_from
        result.append(Stage(fit.epochs, fit.float_epochs, slow, trainable_from=trainable_from))
    if fit.quantize != "none":
        rate = recipe.optimizer.quantize_learning_rate
        slow = _with_rate(recipe, rate or QUANTIZE_SHARE * recipe.optimizer.learning_rate, "cosine")
        result.append(Stage(fit.float_epochs, fit.total_epochs, slow, quantized=True))
    return tuple(result)


def _with_rate(recipe: Recipe, learning_rate: float, schedule: str) -> Recipe:
    """Return a recipe with another learning rate, and one cycle of a schedule without warm-up."""
    return recipe.with_(
        {
            "optimizer.learning_rate": learning_rate,
            "optimizer.schedule": schedule,
            "optimizer.warmup_epochs": 0,
            "optimizer.cycle_epochs": 0,
            "optimizer.restarts": (),
        }
    )


def compiled(stage: Stage, network: keras.Model, images_per_epoch: int) -> keras.Model:
    """Return the model that a stage trains, compiled.

    It shares the layers of the network and is a model of its own, so that the network stays
    uncompiled: saved, it holds no optimizer.

    Args:
        stage: One of `stages`.
        network: From `models.build` or, for a quantized stage, from `quantization.begin`.
        images_per_epoch: Training images in an epoch, copies included.
    """
    import keras

    recipe = stage.recipe
    if recipe.model.has_backbone:
        thaw(network, stage.trainable_from)
    if stage.on_features:
        model = head_of(network)
    else:
        model = keras.Model(network.inputs, network.outputs, name=network.name)
    steps = math.ceil(images_per_epoch / recipe.fit.batch_size)
    model.compile(
        optimizer=build_optimizer(recipe, steps, stage.end - stage.start),
        loss=build_loss(recipe.loss),
        metrics=build_metrics(recipe.loss),
    )
    return model


def shown_model(stage: Stage, network: keras.Model, trained: keras.Model) -> keras.Model | None:
    """Return the model that a user's callbacks see in a stage; None: the one that is trained.

    Where the head alone is trained, on features of the images, they see the whole network, so that
    they can predict and evaluate images. It shares weights and optimizer with the head.

    Args:
        stage: One of `stages`.
        network: From `models.build`.
        trained: The model that is trained, from `compiled`.
    """
    import keras

    if not stage.on_features:
        return None
    model = keras.Model(network.inputs, network.outputs, name=network.name)
    loss = stage.recipe.loss
    model.compile(trained.optimizer, build_loss(loss), metrics=build_metrics(loss))
    return model
