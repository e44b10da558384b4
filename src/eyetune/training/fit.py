"""Fit one run: train a recipe's network on a dataset, epoch by epoch, with a checkpoint after each.

Nothing here writes records or draws: epochs and progress are handed to the caller as they happen, and the outcome
is returned. A worker process can therefore run it and send back values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyetune.data.dataset import Dataset, Split
from eyetune.errors import CheckpointError, DataError, RecipeError
from eyetune.history import Epoch, History, Progress
from eyetune.models import cnn
from eyetune.recipe import Recipe
from eyetune.training import checkpoint as checkpoints
from eyetune.training.backend import Arithmetic, prepare
from eyetune.training.callbacks import EpochCallback
from eyetune.training.optimizers import build_loss, build_optimizer
from eyetune.training.pipeline import evaluation_batches, images_per_epoch, training_batches

if TYPE_CHECKING:
    import keras

LAST = "checkpoint.npz"
BEST = "best.npz"
MOST_STEPS_AT_ONCE = 8


class Ending(StrEnum):
    """Why a fit came back."""

    COMPLETE = "COMPLETE"  # every epoch that was asked for, or early stopping
    INTERRUPTED = "INTERRUPTED"  # Ctrl-C; the epochs that were whole are kept
    PAUSED = "PAUSED"  # as many epochs as the caller wanted for now, fewer than the recipe asks for


@dataclass(frozen=True)
class Fitted:
    """The outcome of a fit.

    Attributes:
        ending: Why it came back.
        history: Every whole epoch, earlier parts of a resumed training included.
        kept_epoch: The epoch whose weights the network has now: the last, or with early stopping the best (0: none).
        model: The network in float32, whatever the arithmetic was.
    """

    ending: Ending
    history: History
    kept_epoch: int
    model: keras.Model


def fit(
    recipe: Recipe,
    dataset: Dataset,
    folder: Path,
    *,
    seed: int,
    arithmetic: Arithmetic,
    deterministic: bool = True,
    resume: bool = False,
    stop_after: int | None = None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Fitted:
    """Train the network of a recipe.

    Args:
        recipe: What to train and how.
        dataset: Training and validation images; test is not touched.
        folder: Where checkpoints go; it must exist.
        seed: Of the first weights, the order of images and everything else that is random.
        arithmetic: From `choose_arithmetic`.
        deterministic: Use only operations that repeat exactly.
        resume: Go on from the folder's last checkpoint, if it has one.
        stop_after: Come back PAUSED once so many epochs are in the history, 1 or more, where the training is not over
            by then (None: never). Resumed later, it goes on as if it had not stopped.
        on_epoch: Called with each whole epoch once its checkpoint is on disk; on resume first with those before.
        on_progress: Called after every few batches.

    Returns:
        The outcome, with a network ready to evaluate, save or export.

    Raises:
        DivergedError: The loss became NaN or infinite.
        RecipeError: The network cannot be built for these images.
        DataError: The batch is larger than the training data.
        CheckpointError: On resume, the checkpoint is damaged or of another training.
        WorkspaceError: A checkpoint cannot be written.
    """
    check(recipe, dataset)
    prepare(seed=seed, deterministic=deterministic)
    model = compiled(recipe, dataset, arithmetic.policy)
    identity = {
        "recipe": recipe.fingerprint,
        "data": dataset.fingerprint,
        "seed": seed,
        "precision": arithmetic.precision,
    }
    history = _restored(model, folder / LAST, identity) if resume and (folder / LAST).exists() else ()
    for epoch in history:
        on_epoch(epoch)
    batches, set_epoch = training_batches(
        dataset.train, dataset.num_classes, recipe.fit.batch_size, seed, recipe.augment
    )
    watcher = EpochCallback(
        recipe,
        history,
        num_images=images_per_epoch(dataset.train, recipe.augment),
        set_epoch=set_epoch,
        save=partial(_save, model, folder, identity),
        on_epoch=on_epoch,
        on_progress=on_progress,
        stop_after=stop_after,
    )
    interrupted = False
    if not watcher.stops:
        try:
            model.fit(
                batches,
                epochs=recipe.fit.epochs,
                initial_epoch=len(history),
                validation_data=evaluation_batches(dataset.validation, dataset.num_classes),
                class_weight=class_weight(recipe, dataset.train, dataset.num_classes),
                shuffle=False,  # the pipeline shuffles
                callbacks=[watcher],
                verbose=0,
            )
        except KeyboardInterrupt:
            interrupted = True
    ending = Ending.INTERRUPTED if interrupted else Ending.COMPLETE if watcher.finished else Ending.PAUSED
    return _outcome(recipe, dataset, folder, ending, watcher.history)


def check(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse what cannot be trained, before any work is done.

    Raises:
        DataError: The batch is larger than the training data.
        RecipeError: A variation leaves nothing of the images, or the network shrinks them to nothing.
    """
    cnn.check_sizes(recipe.model, dataset.image_shape)
    if recipe.fit.batch_size > len(dataset.train):
        raise DataError(
            "A batch is larger than the training data.",
            expected=f"fit.batch_size of at most {len(dataset.train)}, the number of training images",
            received=recipe.fit.batch_size,
        )
    side = min(dataset.image_shape[:2])
    for name, size in (("shift", recipe.augment.shift), ("cutout", recipe.augment.cutout)):
        if size >= side:
            raise RecipeError(
                f"augment.{name} leaves nothing of the images.",
                expected=f"fewer pixels than the images' side, {side}",
                received=size,
            )


def compiled(recipe: Recipe, dataset: Dataset, policy: str) -> keras.Model:
    """Build the network of a recipe and set it up to be trained, as `fit` does; the policy is Keras's dtype policy."""
    model = cnn.build(recipe.model, dataset.image_shape, dataset.num_classes, dtype=policy)
    # Several batches in one call of the graph spare Python's part of each; few enough for a lively progress bar.
    steps = math.ceil(images_per_epoch(dataset.train, recipe.augment) / recipe.fit.batch_size)
    model.compile(
        optimizer=build_optimizer(recipe, steps),
        loss=build_loss(recipe.loss),
        metrics=["accuracy"],
        steps_per_execution=max(1, min(MOST_STEPS_AT_ONCE, steps // 50)),
    )
    return model


def _restored(model: keras.Model, path: Path, identity: dict[str, Any]) -> History:
    stored = checkpoints.load(path)
    different = [name for name, value in identity.items() if stored.identity.get(name) != value]
    if different:
        raise CheckpointError(
            f"The checkpoint {path} belongs to another training: its {', '.join(different)} differ.",
            expected=identity,
            received=dict(stored.identity),
        )
    checkpoints.restore(model, stored)
    return stored.history


def _save(model: keras.Model, folder: Path, identity: dict[str, Any], history: History, best: bool) -> None:
    if best:
        checkpoints.save(folder / BEST, model, history, identity)
    checkpoints.save(folder / LAST, model, history, identity)


def class_weight(recipe: Recipe, split: Split, num_classes: int) -> dict[int, float] | None:
    """Weigh each class by the inverse of its share, so that all count alike (scikit-learn's "balanced")."""
    if recipe.fit.class_weight == "none":
        return None
    counts = split.class_counts(num_classes)
    return {label: len(split) / (num_classes * int(count)) for label, count in enumerate(counts)}


def _outcome(recipe: Recipe, dataset: Dataset, folder: Path, ending: Ending, history: History) -> Fitted:
    """Build the network afresh in float32, as it is evaluated and exported, with the weights that count."""
    model = cnn.build(recipe.model, dataset.image_shape, dataset.num_classes)
    if not history:
        return Fitted(ending, history, 0, model)
    stored = checkpoints.load(folder / (BEST if (folder / BEST).exists() else LAST))
    trained = compiled(recipe, dataset, "float32")
    checkpoints.restore(trained, stored)
    trained.optimizer.finalize_variable_values(trained.trainable_variables)  # with averaging, the average counts
    model.set_weights(trained.get_weights())
    return Fitted(ending, history, len(stored.history), model)
