"""The steps of a learning-rate range test: a training with a different rate in every step.

Source: Smith, 2017, Cyclical Learning Rates for Training Neural Networks, section 3.3
(arXiv:1506.01186).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from eyetune.data.dataset import Dataset
from eyetune.recipe import Recipe
from eyetune.training.fit import Training, begin, class_weight
from eyetune.training.pipeline import images_per_epoch
from eyetune.training.precision import Arithmetic
from eyetune.training.prepared_network import prepare_network
from eyetune.training.stages import Stage, stages


def step_losses(
    recipe: Recipe,
    dataset: Dataset,
    rates: Sequence[float],
    *,
    seed: int,
    arithmetic: Arithmetic,
    teacher: Path | None = None,
) -> Iterator[float]:
    """Train one batch at each learning rate in turn, and yield its loss before the step.

    Network, loss, optimizer, augmentation and order of the images are those of `fit`. The given
    rates replace the recipe's rate, schedule and warm-up. If there are more rates than batches, the
    images are used again. Only training images are used.

    Args:
        recipe: What to train.
        dataset: Its training split is used.
        rates: The learning rate of each step, above 0.
        seed: Random seed, from 0 to `backend.MAX_SEED`.
        arithmetic: From `choose_arithmetic`.
        teacher: The teacher's file, if the recipe's teacher is a run.

    Yields:
        The mean loss of each step's images; NaN or infinite after the training has diverged.

    Raises:
        RecipeError: The network cannot be built for these images.
        DataError: The batch is larger than the training data.
    """
    prepared = prepare_network(
        constant(recipe), dataset, seed=seed, arithmetic=arithmetic, teacher=teacher
    )
    training = begin(prepared)
    first = stages(training.recipe)[0]
    model = training.compiled(first)
    weights = class_weight(recipe, dataset.train, dataset.num_classes)
    for rate, (images, labels) in zip(rates, _endless(training, first), strict=False):
        model.optimizer.learning_rate = rate
        yield float(
            model.train_on_batch(images, labels, class_weight=weights, return_dict=True)["loss"]
        )


def batches_per_epoch(recipe: Recipe, dataset: Dataset) -> int:
    """Return the number of steps in an epoch."""
    return math.ceil(images_per_epoch(dataset.train, recipe.augment) / recipe.fit.batch_size)


def constant(recipe: Recipe) -> Recipe:
    """Return the recipe without a learning-rate schedule, its restarts and warm-up.

    Example:
        >>> recipe = Recipe().with_(optimizer__schedule="cosine", optimizer__warmup_epochs=1)
        >>> constant(recipe).optimizer.schedule, constant(recipe).optimizer.warmup_epochs
        ('constant', 0.0)
    """
    return recipe.with_(
        {
            "optimizer.schedule": "constant",
            "optimizer.warmup_epochs": 0,
            "optimizer.cycle_epochs": 0,
            "optimizer.restarts": (),
        }
    )


def _endless(training: Training, stage: Stage) -> Iterator[tuple[Any, Any]]:
    """Yield batches of (images, labels), epoch after epoch, without end."""
    batches, set_epoch = training.batches(stage)
    for epoch in count():
        set_epoch(epoch)
        yield from batches
