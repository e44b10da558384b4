"""The stages of a training: which layers are trained in which epochs.

Most recipes have one stage. With a pre-trained backbone, the first stage trains the head alone, and
a second one may fine-tune the backbone.
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
    """

    start: int
    end: int
    recipe: Recipe
    on_features: bool = False
    trainable_from: str = ""

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
    cacheable = recipe.model.has_backbone and not recipe.augment.active
    first = Stage(0, fit.epochs, recipe, on_features=cacheable)
    if not fit.fine_tune_epochs:
        return (first,)
    slow = recipe.with_(
        {
            "optimizer.learning_rate": recipe.optimizer.fine_tune_learning_rate,
            "optimizer.schedule": "constant",
            "optimizer.warmup_epochs": 0,
        }
    )
    return (
        first,
        Stage(fit.epochs, fit.total_epochs, slow, trainable_from=recipe.model.trainable_from),
    )


def compiled(stage: Stage, network: keras.Model, images_per_epoch: int) -> keras.Model:
    """Return the model that a stage trains, compiled.

    It shares the layers of the network and is a model of its own, so that the network stays
    uncompiled: saved, it holds no optimizer.

    Args:
        stage: One of `stages`.
        network: From `models.build`.
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
        optimizer=build_optimizer(recipe, steps),
        loss=build_loss(recipe.loss),
        metrics=build_metrics(recipe.loss),
    )
    return model
