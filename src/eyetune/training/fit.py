"""Fit one run: train a network on a dataset, epoch by epoch, with a checkpoint after each.

Nothing here writes records or draws figures: epochs and progress go to the caller as they happen,
and the outcome is returned. So a worker process can fit a run and send back plain values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyetune.data.dataset import Dataset, Split
from eyetune.errors import FunctionError
from eyetune.models import build as networks
from eyetune.models import transfer
from eyetune.models import weights as pretrained
from eyetune.recipe import Recipe
from eyetune.space.hyperparameters import Values
from eyetune.space.space import Space
from eyetune.training import checkpoint as checkpoints
from eyetune.training import quantization
from eyetune.training.backend import set_seed
from eyetune.training.callbacks import EpochCallback, returns_to_best, should_stop
from eyetune.training.checkpoint import Checkpoint
from eyetune.training.distillation import teacher_predictions
from eyetune.training.fast_fit import fast_fit, steps_at_once
from eyetune.training.features import FrozenBackbone
from eyetune.training.fused_batch_norm import Momentum, automatic_momentum
from eyetune.training.model_function.user_callbacks import RecipeCallbacks, seed_python
from eyetune.training.pipeline import (
    Rows,
    TeacherPredictions,
    evaluation_batches,
    images_per_epoch,
    training_batches,
)
from eyetune.training.prepared_network import PreparedNetwork
from eyetune.training.stages import Stage, compiled, shown_model, stages
from eyetune.values.history import Epoch, History, Progress
from eyetune.values.numbers import count_text
from eyetune.values.run_files import BEST_CHECKPOINT_FILE, CHECKPOINT_FILE

if TYPE_CHECKING:
    import keras

    from eyetune.models.int8.ranges import Ranges


class Ending(StrEnum):
    """Why a fit returned."""

    COMPLETE = "COMPLETE"  # all epochs are trained, or early stopping ended the training
    INTERRUPTED = "INTERRUPTED"  # Ctrl-C; whole epochs are kept
    PAUSED = "PAUSED"  # `stop_after` epochs are trained, fewer than the recipe's


@dataclass(frozen=True)
class Fitted:
    """The outcome of a fit.

    Attributes:
        ending: Why it returned.
        history: Every whole epoch, including those before the fit was resumed.
        kept_epoch: The epoch whose weights the network has: the last or, with early stopping, the
            best (0: none).
        model: The network in float32, whatever precision it was trained in. For images, it returns
            class probabilities.
        hyperparameters: All values that a model function used, in its training too.
        space: The ranges of these hyperparameters.
        ranges: The range of each int8 tensor, if the last stage has learned them.
        changed_copies: What it changed in its copies of the user's objects; see `Outcome`.
        is_trained: Whether the network was trained at all; see `Outcome`.
        network: The network as a model function built and compiled it; None for a recipe's.
        returned: Metrics by name that a user's own `fit` returned; see `Outcome`.
    """

    ending: Ending
    history: History
    kept_epoch: int
    model: keras.Model
    hyperparameters: Values = field(default_factory=dict)
    space: Space = field(default_factory=Space)
    ranges: Ranges | None = None
    changed_copies: tuple[str, ...] = ()
    is_trained: bool = True
    network: keras.Model | None = None
    returned: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Training:
    """What all stages of a fit have in common, from `begin`.

    Attributes:
        prepared: The network, with recipe, dataset and seed.
        backbone: The frozen backbone with its weights; None if there is none.
        teacher_predictions: Class probabilities from the teacher; None if there is no teacher.
        identity: Recipe, data, seed, precision and weights that a checkpoint must belong to.
    """

    prepared: PreparedNetwork
    backbone: FrozenBackbone | None
    teacher_predictions: TeacherPredictions | None
    identity: Mapping[str, Any]

    @property
    def recipe(self) -> Recipe:
        """What is trained and how."""
        return self.prepared.recipe

    @property
    def dataset(self) -> Dataset:
        """The images that it is trained on."""
        return self.prepared.images

    def compiled(self, stage: Stage, *, is_restored: bool = False) -> keras.Model:
        """Return the model that a stage trains, ready for `fit`.

        Args:
            stage: One of the recipe's stages.
            is_restored: Whether a checkpoint of the stage sets all variables afterwards.
        """
        network = self.prepared.model
        if stage.quantized:
            network = quantization.begin(network, None if is_restored else self.dataset.train)
        num_images = images_per_epoch(self.dataset.train, self.recipe.augment)
        return compiled(stage, network, num_images)

    def rows(self, stage: Stage, split: str) -> Rows:
        """Return what a stage reads of a split: its images, or the backbone's features of them."""
        if stage.on_features and self.backbone:
            return self.backbone.features(split)
        return self.dataset.split(split)

    def batches(
        self, stage: Stage, batch_size: int | None = None
    ) -> tuple[Any, Callable[[int], None]]:
        """Return a stage's training batches, and the function that sets the epoch."""
        return training_batches(
            self.rows(stage, "train"),
            self.dataset.num_classes,
            batch_size or self.recipe.fit.batch_size,
            self.prepared.seed,
            self.recipe.augment,
            self.teacher_predictions,
            sampling=self.recipe.fit.sampling,
            camera=self.recipe.data.camera,
            camera_share=self.recipe.data.camera_share,
        )


def fit(
    prepared: PreparedNetwork,
    folder: Path,
    *,
    resume: bool = False,
    stop_after: int | None = None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
    log_name: str = "",
    callbacks: Sequence[Any] = (),
) -> Fitted:
    """Train a network on the training images of its dataset.

    Args:
        prepared: The network, from `prepare_network`. It is trained in place.
        folder: Folder of the checkpoints; it must exist.
        resume: Continue from the folder's last checkpoint, if it has one.
        stop_after: Return PAUSED when the history has this number of epochs, 1 or more, and the
            training is not complete (None: never). A resumed fit gives the same result as an
            uninterrupted one.
        on_epoch: Called with each whole epoch after its checkpoint is written; on resume first with
            the epochs of the checkpoint.
        on_progress: Called after every few batches.
        on_note: Called with a line of text while something before the first epoch takes long, at
            the start of each stage but the first, and if a callback ends the training.
        log_name: Subfolder of the logs of a user's TensorBoard callback. Default: the name of the
            folder.
        callbacks: The user's Keras callbacks, from `checked_callbacks`. They see all stages, and
            the epochs before and after a pause, as one training.

    Returns:
        The outcome, with a network ready to be evaluated, saved or exported.

    Raises:
        DivergedError: The loss became NaN or infinite.
        FunctionError: A model function's own `fit` raised an exception.
        DataError: Features cannot be written to the cache.
        CheckpointError: On resume, the checkpoint is damaged or belongs to another training.
        WorkspaceError: A checkpoint cannot be written.
    """
    if prepared.function:
        from eyetune.training.model_function.fit_function import fit_function

        return fit_function(
            prepared,
            folder,
            resume=resume,
            stop_after=stop_after,
            on_epoch=on_epoch,
            on_progress=on_progress,
            log_name=log_name,
            callbacks=callbacks,
        )
    training = begin(prepared, on_note)
    stored = checkpoints.load_last(folder, training.identity) if resume else None
    user = RecipeCallbacks(callbacks, stored.state if stored else {})
    for epoch in stored.history if stored else ():
        on_epoch(epoch)
    history, ending = _fit_stages(
        training, folder, stored, stop_after, on_epoch, on_progress, on_note, user
    )
    if user.ended and not should_stop(history, prepared.recipe.fit):
        num_epochs = prepared.recipe.fit.total_epochs
        on_note(f"A callback ended the training after epoch {len(history)} of {num_epochs}.")
    return _outcome(training, folder, ending, history, user)


def begin(prepared: PreparedNetwork, on_note: Callable[[str], None] = lambda _: None) -> Training:
    """Return a training that is ready for its first stage.

    Args:
        prepared: From `prepare_network`.
        on_note: Called with a line of text while the teacher's predictions are computed.

    Raises:
        FunctionError: A model function built the network, and compiles and trains it itself.
    """
    recipe = prepared.recipe
    if prepared.function:
        raise FunctionError(
            "This is not possible with a model function, which compiles its network itself.",
            received=recipe.model.function,
            fix=(
                "Make the learning rate a hyperparameter of the function: "
                "hp.Float('learning_rate', 1e-4, 1e-2, ...)."
            ),
        )
    dataset = prepared.images
    identity: dict[str, Any] = {
        "recipe": recipe.fingerprint,
        "data": dataset.fingerprint,
        "seed": prepared.seed,
        "precision": prepared.precision,
    }
    backbone = None
    if prepared.backbone_weights:
        backbone = FrozenBackbone(prepared, on_note)
        identity["weights"] = prepared.backbone_weights.digest
    if prepared.initial_weights:
        identity["weights"] = prepared.initial_weights.digest
    predictions = None
    if prepared.teacher:
        predictions = teacher_predictions(prepared.teacher, recipe, dataset, on_note)
        identity["teacher"] = prepared.teacher.digest
    return Training(prepared, backbone, predictions, identity)


def _fit_stages(
    training: Training,
    folder: Path,
    stored: Checkpoint | None,
    stop_after: int | None,
    on_epoch: Callable[[Epoch], None],
    on_progress: Callable[[Progress], None],
    on_note: Callable[[str], None],
    user: RecipeCallbacks,
) -> tuple[History, Ending]:
    """Train one stage after the other; return the history and why it ended."""
    history = stored.history if stored else ()
    for stage in stages(training.recipe):
        if stored and len(stored.history) > stage.end:
            continue
        is_restored = stored is not None and stage.leads_to(len(stored.history))
        model = training.compiled(stage, is_restored=is_restored)
        if stored and is_restored:
            checkpoints.restore(model, stored)
        watcher = EpochCallback(
            stage.recipe,
            history,
            num_images=images_per_epoch(training.dataset.train, training.recipe.augment),
            save=partial(_save, model, folder, training.identity, user),
            on_epoch=on_epoch,
            on_progress=on_progress,
            stop_after=stop_after,
        )
        watcher.ended = user.ended
        if len(history) < stage.end and not watcher.stops:
            if stage.description:
                num_epochs = count_text(stage.end - len(history), "epoch")
                on_note(f"{stage.description}, {num_epochs} ...")
            interrupted = _fit_stage(training, stage, model, watcher, user)
            history = watcher.history
            if interrupted:
                return history, Ending.INTERRUPTED
        if watcher.stops:
            break
        # With weight averaging, the next stage starts from the average.
        model.optimizer.finalize_variable_values(model.trainable_variables)
    is_over = user.ended or should_stop(history, training.recipe.fit)
    return history, Ending.COMPLETE if is_over else Ending.PAUSED


def _fit_stage(
    training: Training,
    stage: Stage,
    model: keras.Model,
    watcher: EpochCallback,
    user: RecipeCallbacks,
) -> bool:
    """Train one stage, starting after the watcher's history; return whether Ctrl-C ended it."""
    recipe, dataset = training.recipe, training.dataset
    try:
        batch_size, rows = recipe.fit.batch_size, training.rows(stage, "train")
        steps = 1
        if not user.watch_batches:
            image_bytes = 4 * math.prod(rows.images.shape[1:])  # float32
            steps = steps_at_once(model, watcher.num_images, image_bytes, batch_size)
        watcher.batch_size = batch_size * steps
        batches, set_epoch = training.batches(stage, batch_size * steps)

        def begin_epoch(epoch: int) -> None:
            set_epoch(epoch)
            if user.callbacks:
                seed_python(training.prepared.seed, epoch)

        watcher.set_epoch = begin_epoch
        num_batches = math.ceil(watcher.num_images / batch_size)
        params = {"epochs": recipe.fit.total_epochs, "steps": num_batches, "verbose": 0}
        shown = shown_model(stage, training.prepared.model, model) if user.callbacks else None
        with fast_fit(model, batches, batch_size, steps, _momentum(training)):
            model.fit(
                batches,
                epochs=stage.end,
                initial_epoch=len(watcher.history),
                steps_per_epoch=len(batches),  # without it, Keras starts each pass twice
                validation_data=evaluation_batches(
                    training.rows(stage, "validation"), dataset.num_classes
                ),
                class_weight=class_weight(recipe, dataset.train, dataset.num_classes),
                shuffle=False,  # the pipeline shuffles
                callbacks=user.of_stage(watcher, model, params, shown),
                verbose=0,
            )
    except KeyboardInterrupt:
        return True
    return False


def _momentum(training: Training) -> Momentum | None:
    """Return the momentum of batch normalization, if the recipe leaves it to eyetune."""
    section = training.recipe.model
    if section.has_backbone or section.batch_norm_momentum != "auto":
        return None
    num_images = images_per_epoch(training.dataset.train, training.recipe.augment)
    return automatic_momentum(math.ceil(num_images / training.recipe.fit.batch_size))


def _save(
    model: keras.Model,
    folder: Path,
    identity: Mapping[str, Any],
    user: RecipeCallbacks,
    history: History,
    best: bool,
) -> None:
    path = folder / (BEST_CHECKPOINT_FILE if best else CHECKPOINT_FILE)
    checkpoints.save(path, model, history, identity, state=user.state(model))
    if best:
        checkpoints.copy(path, folder / CHECKPOINT_FILE)


def class_weight(recipe: Recipe, split: Split, num_classes: int) -> dict[int, float] | None:
    """Return the weight of each class, inverse to its share as scikit-learn's "balanced".

    A class without images has no part in it.

    Args:
        recipe: Its `fit.class_weight` says whether classes are weighted; None is returned if not.
        split: The images to count.
        num_classes: Number of classes.
    """
    if recipe.fit.class_weight == "none":
        return None
    counts = split.class_counts(num_classes).tolist()
    num_present = sum(count > 0 for count in counts)
    return {
        label: len(split) / (num_present * count) if count else 1.0
        for label, count in enumerate(counts)
    }


def _outcome(
    training: Training, folder: Path, ending: Ending, history: History, user: RecipeCallbacks
) -> Fitted:
    """Return the network in float32 with the weights of the last or the best checkpoint.

    The user's callbacks see the end of a complete training here, and may change the weights, unless
    the recipe returns to its best epoch.
    """
    recipe, prepared = training.recipe, training.prepared
    if prepared.backbone_weights:
        pretrained.put(prepared.backbone_weights, prepared.model)  # undoes fine-tuning
    kept_epoch = 0
    ranges = None
    if history:
        stored = checkpoints.load(_kept_checkpoint(folder))
        kept_epoch = len(stored.history)
        stage = next(stage for stage in stages(recipe) if stage.leads_to(kept_epoch))
        trained = training.compiled(stage, is_restored=True)
        _restore(trained, stored)
        if user.callbacks and ending is Ending.COMPLETE:
            shown = shown_model(stage, prepared.model, trained)
            seen = trained if shown is None else shown
            restored = user.end(seen, recipe.fit.total_epochs)
            if returns_to_best(recipe.fit):
                _restore(trained, stored)
            elif restored is not None:
                kept_epoch = restored
        if stage.quantized:
            ranges = quantization.finish(trained, prepared.model)
    if prepared.backbone_weights:
        transfer.thaw(prepared.model, "")
    return Fitted(ending, history, kept_epoch, _in_float32(prepared), ranges=ranges)


def _restore(model: keras.Model, stored: Checkpoint) -> None:
    """Set the variables of a model; with weight averaging, the average is what counts."""
    checkpoints.restore(model, stored)
    model.optimizer.finalize_variable_values(model.trainable_variables)


def _kept_checkpoint(folder: Path) -> Path:
    best = folder / BEST_CHECKPOINT_FILE
    return best if best.exists() else folder / CHECKPOINT_FILE


def _in_float32(prepared: PreparedNetwork) -> keras.Model:
    """Return the network as it is evaluated and exported: itself, or a float32 copy of it."""
    if prepared.precision == "float32":
        return prepared.model
    set_seed(prepared.seed, deterministic=False)  # the same states of random layers every time
    section, dataset = prepared.recipe.model, prepared.images
    model = networks.build(section, dataset.image_shape, dataset.num_classes)
    if prepared.backbone_weights:
        pretrained.put(prepared.backbone_weights, model)
    model.set_weights(prepared.model.get_weights())
    return model
