"""Fit one run: train a recipe's network on a dataset, epoch by epoch, with a checkpoint after each.

Nothing here writes records or draws: epochs and progress are handed to the caller as they happen,
and the outcome is returned. A worker process can therefore run it and send back values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyetune.data.dataset import Dataset, Split
from eyetune.errors import CheckpointError, DataError, FunctionError, RecipeError
from eyetune.models import build as networks
from eyetune.models import weights as pretrained
from eyetune.recipe import Recipe
from eyetune.space.space import Space, Values
from eyetune.training import checkpoint as checkpoints
from eyetune.training.backend import Arithmetic, prepare
from eyetune.training.callbacks import EpochCallback, should_stop
from eyetune.training.checkpoint import Checkpoint
from eyetune.training.distillation import open_teacher, teacher_predictions
from eyetune.training.fast_fit import fast_fit, steps_at_once
from eyetune.training.features import FrozenBackbone
from eyetune.training.pipeline import (
    Rows,
    TeacherPredictions,
    evaluation_batches,
    images_per_epoch,
    training_batches,
)
from eyetune.training.stages import Stage, compiled, stages
from eyetune.values.history import Epoch, History, Progress
from eyetune.values.run_files import BEST_CHECKPOINT_FILE, CHECKPOINT_FILE

if TYPE_CHECKING:
    import keras


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
        kept_epoch: The epoch whose weights the network has now: the last, or with early stopping
            the best (0: none).
        model: The network in float32, whatever the arithmetic was.
        hyperparameters: All that a model function used, in its training too.
        space: Those, with what they may be.
    """

    ending: Ending
    history: History
    kept_epoch: int
    model: keras.Model
    hyperparameters: Values = field(default_factory=dict)
    space: Space = field(default_factory=Space)


@dataclass(frozen=True)
class Training:
    """What stays the same over all stages of a fit, from `begin`.

    Attributes:
        recipe: What is trained and how.
        dataset: On which images.
        seed: Of everything that is random.
        network: The whole network.
        base: The pre-trained base with its weights; None where there is none.
        teacher_predictions: What a teacher says, if there is one.
        identity: What its checkpoints belong to.
    """

    recipe: Recipe
    dataset: Dataset
    seed: int
    network: keras.Model
    base: FrozenBackbone | None
    teacher_predictions: TeacherPredictions | None
    identity: dict[str, Any]

    def compiled(self, stage: Stage) -> keras.Model:
        """Return what a stage trains."""
        return compiled(
            stage, self.network, images_per_epoch(self.dataset.train, self.recipe.augment)
        )

    def rows(self, stage: Stage, name: str) -> Rows:
        """Return what a stage learns from or is validated on: images, or features of them."""
        return (
            self.base.features(name)
            if stage.on_features and self.base
            else self.dataset.split(name)
        )

    def batches(
        self, stage: Stage, batch_size: int | None = None
    ) -> tuple[Any, Callable[[int], None]]:
        """Return what a stage learns from, and the function that says which epoch comes next."""
        return training_batches(
            self.rows(stage, "train"),
            self.dataset.num_classes,
            batch_size or self.recipe.fit.batch_size,
            self.seed,
            self.recipe.augment,
            self.teacher_predictions,
        )


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
    teacher: Path | None = None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> Fitted:
    """Train the network of a recipe.

    Args:
        recipe: What to train and how; where it names a model function, that builds and compiles the
            network.
        dataset: Training and validation images; test is not touched.
        folder: Where checkpoints go; it must exist.
        seed: Of the first weights, the order of images and everything else that is random.
        arithmetic: From `choose_arithmetic`.
        deterministic: Use only operations that repeat exactly.
        resume: Go on from the folder's last checkpoint, if it has one.
        stop_after: Come back PAUSED once so many epochs are in the history, 1 or more, where the
            training is not over by then (None: never). Resumed later, it goes on as if it had not
            stopped.
        teacher: File of the network that teaches, where the recipe's teacher is a run.
        on_epoch: Called with each whole epoch once its checkpoint is on disk; on resume first with
            those before.
        on_progress: Called after every few batches.
        on_note: Called with a line where something takes time before the first epoch.

    Returns:
        The outcome, with a network ready to evaluate, save or export.

    Raises:
        DivergedError: The loss became NaN or infinite.
        RecipeError: The network cannot be built for these images, or its weights or its teacher
            cannot be used.
        FunctionError: A model function cannot be loaded, raised an exception or built what cannot
            be trained.
        DataError: The batch is larger than the training data, or features cannot be kept.
        CheckpointError: On resume, the checkpoint is damaged or of another training.
        WorkspaceError: A checkpoint cannot be written.
    """
    if recipe.model.has_function:
        from eyetune.training.model_function.user_fit import fit_function

        return fit_function(
            recipe,
            dataset,
            folder,
            seed=seed,
            deterministic=deterministic,
            resume=resume,
            stop_after=stop_after,
            on_epoch=on_epoch,
            on_progress=on_progress,
        )
    training = begin(
        recipe,
        dataset,
        seed=seed,
        arithmetic=arithmetic,
        deterministic=deterministic,
        teacher=teacher,
        on_note=on_note,
    )
    stored = stored_in(folder, training.identity) if resume else None
    for epoch in stored.history if stored else ():
        on_epoch(epoch)
    history, interrupted = _through_stages(
        training, folder, stored, stop_after, on_epoch, on_progress
    )
    finished = should_stop(history, recipe.fit)
    ending = Ending.INTERRUPTED if interrupted else Ending.COMPLETE if finished else Ending.PAUSED
    return _outcome(training, folder, ending, history)


def begin(
    recipe: Recipe,
    dataset: Dataset,
    *,
    seed: int,
    arithmetic: Arithmetic,
    deterministic: bool = True,
    teacher: Path | None = None,
    on_note: Callable[[str], None] = lambda _: None,
) -> Training:
    """Check a training, set the seeds and build the network, with the weights that its base begins
    with.

    Arguments and errors are those of `fit`; a model function is refused, since it does all of this
    itself.
    """
    if recipe.model.has_function:
        raise FunctionError(
            "A model function compiles its network itself, so this cannot be done with it.",
            received=recipe.model.function,
            fix="Make the learning rate a hyperparameter of the function: hp.Float('learning_rate', 1e-4, 1e-2, ...).",
        )
    check(recipe, dataset, teacher)
    teaching = open_teacher(recipe, dataset, teacher)
    taught = teacher_predictions(teaching, recipe, dataset, on_note) if teaching else None
    prepare(seed=seed, deterministic=deterministic)
    network = networks.build(
        recipe.model, dataset.image_shape, dataset.num_classes, dtype=arithmetic.policy
    )
    base = _base(network, recipe, dataset, on_note)
    identity = {
        "recipe": recipe.fingerprint,
        "data": dataset.fingerprint,
        "seed": seed,
        "precision": arithmetic.precision,
        **({"weights": base.weights.digest} if base else {}),
        **({"teacher": teaching.digest} if teaching else {}),
    }
    return Training(recipe, dataset, seed, network, base, taught, identity)


def check(recipe: Recipe, dataset: Dataset, teacher: Path | None = None) -> None:
    """Refuse what cannot be trained, before any work is done; weights of a base are downloaded
    here.

    Args:
        recipe: What is to be trained.
        dataset: On which images.
        teacher: File of the network that teaches, where the recipe's teacher is a run.

    Raises:
        DataError: The batch is larger than the training data.
        RecipeError: A variation leaves nothing of the images, the network shrinks them to nothing,
            or the weights of its base or its teacher are missing or of another network.
    """
    networks.check(recipe.model, dataset.image_shape)
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
    open_teacher(recipe, dataset, teacher)
    if recipe.model.has_backbone:
        pretrained.load(recipe.model)


def _base(
    network: keras.Model, recipe: Recipe, dataset: Dataset, on_note: Callable[[str], None]
) -> FrozenBackbone | None:
    """Give the base of a network, where it has one, the weights that it begins with."""
    if not recipe.model.has_backbone:
        return None
    weights = pretrained.load(recipe.model) or pretrained.taken(
        network
    )  # random ones are those that it has
    pretrained.put(weights, network)
    return FrozenBackbone(recipe.model, weights, dataset, on_note)


def _through_stages(
    training: Training,
    folder: Path,
    stored: Checkpoint | None,
    stop_after: int | None,
    on_epoch: Callable[[Epoch], None],
    on_progress: Callable[[Progress], None],
) -> tuple[History, bool]:
    """Train one stage after the other; return the history, and whether Ctrl-C ended it."""
    history = stored.history if stored else ()
    for stage in stages(training.recipe):
        if stored and len(stored.history) > stage.end:
            continue
        model = training.compiled(stage)
        if stored and stage.leads_to(len(stored.history)):
            checkpoints.restore(model, stored)
        watcher = EpochCallback(
            stage.recipe,
            history,
            num_images=images_per_epoch(training.dataset.train, training.recipe.augment),
            save=partial(_save, model, folder, training.identity),
            on_epoch=on_epoch,
            on_progress=on_progress,
            stop_after=stop_after,
        )
        if len(history) < stage.end and not watcher.stops:
            interrupted = _fit(training, stage, model, watcher)
            history = watcher.history
            if interrupted:
                return history, True
        if watcher.stops:
            break
        model.optimizer.finalize_variable_values(
            model.trainable_variables
        )  # the next stage goes on from the average
    return history, False


def _fit(training: Training, stage: Stage, model: keras.Model, watcher: EpochCallback) -> bool:
    """Train one stage from the watcher's history on; return whether Ctrl-C ended it."""
    recipe, dataset = training.recipe, training.dataset
    try:
        size, rows = recipe.fit.batch_size, training.rows(stage, "train")
        steps = steps_at_once(model, watcher.num_images, rows.images.shape[1:], size)
        watcher.batch_size = size * steps
        batches, watcher.set_epoch = training.batches(stage, size * steps)
        with fast_fit(model, batches, size, steps):
            model.fit(
                batches,
                epochs=stage.end,
                initial_epoch=len(watcher.history),
                steps_per_epoch=len(batches),  # unasked, Keras begins each pass twice
                validation_data=evaluation_batches(
                    training.rows(stage, "validation"), dataset.num_classes
                ),
                class_weight=class_weight(recipe, dataset.train, dataset.num_classes),
                shuffle=False,  # the pipeline shuffles
                callbacks=[watcher],
                verbose=0,
            )
    except KeyboardInterrupt:
        return True
    return False


def stored_in(folder: Path, identity: dict[str, Any]) -> Checkpoint | None:
    """Return the last checkpoint of a training in its folder; None where there is none.

    Raises:
        CheckpointError: It is damaged or of another training.
    """
    path = folder / CHECKPOINT_FILE
    if not path.exists():
        return None
    stored = checkpoints.load(path)
    different = [name for name, value in identity.items() if stored.identity.get(name) != value]
    if different:
        raise CheckpointError(
            f"The checkpoint {path} belongs to another training: its {', '.join(different)} differ.",
            expected=identity,
            received=dict(stored.identity),
        )
    return stored


def _save(
    model: keras.Model, folder: Path, identity: dict[str, Any], history: History, best: bool
) -> None:
    path = folder / (BEST_CHECKPOINT_FILE if best else CHECKPOINT_FILE)
    checkpoints.save(path, model, history, identity)
    if best:
        checkpoints.copy(path, folder / CHECKPOINT_FILE)


def class_weight(recipe: Recipe, split: Split, num_classes: int) -> dict[int, float] | None:
    """Weigh each class by the inverse of its share, so that all count alike (scikit-learn's
    "balanced").
    """
    if recipe.fit.class_weight == "none":
        return None
    counts = split.class_counts(num_classes)
    return {label: len(split) / (num_classes * int(count)) for label, count in enumerate(counts)}


def _outcome(training: Training, folder: Path, ending: Ending, history: History) -> Fitted:
    """Build the network afresh in float32, as it is evaluated and exported, with the weights that
    count.
    """
    recipe, dataset = training.recipe, training.dataset
    prepare(
        seed=training.seed, deterministic=False
    )  # whatever was computed before, the same random states come along
    model = networks.build(recipe.model, dataset.image_shape, dataset.num_classes)
    if training.base:
        pretrained.put(training.base.weights, model)
        pretrained.put(training.base.weights, training.network)
    if not history:
        return Fitted(ending, history, 0, model)
    stored = checkpoints.load(
        folder
        / (BEST_CHECKPOINT_FILE if (folder / BEST_CHECKPOINT_FILE).exists() else CHECKPOINT_FILE)
    )
    trained = training.compiled(
        next(one for one in stages(recipe) if one.leads_to(len(stored.history)))
    )
    checkpoints.restore(trained, stored)
    trained.optimizer.finalize_variable_values(
        trained.trainable_variables
    )  # with averaging, the average counts
    model.set_weights(training.network.get_weights())
    return Fitted(ending, history, len(stored.history), model)
