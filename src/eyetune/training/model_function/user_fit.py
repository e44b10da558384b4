"""Train the network of a model function as KerasTuner would, and resume it exactly, as any other
training.

The user's `HyperModel.fit` is called with the network, and the network's own `fit` is covered for
as long: where it gets the images that were handed over, they come from our pipeline, whose order
hangs on seed and epoch alone; where the user changed them, it trains on what it gets, one epoch at
a time, with a seed for each.

See https://keras.io/keras_tuner/api/hypermodels/ and
https://keras.io/guides/keras_tuner/custom_tuner/.
"""

from __future__ import annotations

import inspect
import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from eyetune.data.dataset import Dataset
from eyetune.errors import EyetuneError, FunctionError
from eyetune.models.model_function import Built, build_with
from eyetune.models.model_function.tracebacks import failed, is_theirs
from eyetune.recipe import Recipe
from eyetune.training import checkpoint as checkpoints
from eyetune.training.backend import prepare
from eyetune.training.callbacks import EpochCallback, goes_back, named
from eyetune.training.checkpoint import Checkpoint
from eyetune.training.fast_fit import fast_fit, steps_at_once
from eyetune.training.fit import Ending, Fitted, check, class_weight, stored_in
from eyetune.training.model_function.scaled_images import plain
from eyetune.training.model_function.user_callbacks import (
    ContinuedCallbacks,
    as_keras_history,
    copies,
    kept_epochs,
)
from eyetune.training.model_function.user_data import HandedData
from eyetune.training.pipeline import images_per_epoch, training_batches
from eyetune.values.history import Epoch, History, Progress
from eyetune.values.run_files import BEST_CHECKPOINT_FILE, CHECKPOINT_FILE

# What a training decides itself, whatever was given to `search`.
NOT_THEIRS = (
    "x",
    "y",
    "validation_data",
    "validation_split",
    "epochs",
    "initial_epoch",
    "verbose",
    "callbacks",
)
NOT_WANTED = re.compile(r"got (?:multiple values for|an unexpected) (?:keyword )?argument '(\w+)'")


class _Paused(BaseException):
    """Ends the user's `fit` where a training is to stop for now."""


def fit_function(
    recipe: Recipe,
    dataset: Dataset,
    folder: Path,
    *,
    seed: int,
    deterministic: bool,
    resume: bool,
    stop_after: int | None,
    on_epoch: Callable[[Epoch], None],
    on_progress: Callable[[Progress], None],
) -> Fitted:
    """Train the network of a recipe's model function; arguments, outcome and errors are those of
    `fit`.
    """
    check(recipe, dataset)
    identity = {
        "recipe": recipe.fingerprint,
        "data": dataset.fingerprint,
        "seed": seed,
        "precision": "as built",
    }
    stored = stored_in(folder, identity) if resume else None
    for epoch in stored.history if stored else ():
        on_epoch(epoch)
    prepare(seed=seed, deterministic=deterministic)
    section = recipe.model
    built = build_with(
        section.function,
        section.hyperparameters,
        dataset.image_shape,
        dataset.num_classes,
        seed=seed,
    )
    _check_recipe(recipe, built)
    training = FunctionTraining(recipe, dataset, folder, built, identity, seed, stored)
    training.listen(stop_after, on_epoch, on_progress)
    return training.outcome(training.run())


def _check_recipe(recipe: Recipe, built: Built) -> None:
    known = [
        *built.fit.metrics,
        *(f"val_{name}" for name in built.fit.metrics),
        "accuracy",
        "val_accuracy",
    ]
    custom = built.loaded.has_own_fit  # what that measures is seen only when it is done
    if recipe.fit.monitor.partition(":")[0] not in known and not custom:
        raise FunctionError(
            f"Nothing measures {recipe.fit.monitor}, which early stopping and the best epoch go by.",
            expected=", ".join(dict.fromkeys(known)),
            received=recipe.fit.monitor,
        )
    if built.fit.integer_labels and (recipe.augment.mixup or recipe.augment.cutmix):
        raise FunctionError(
            "mixup and cutmix mix labels, which the loss of the model function takes as class numbers.",
            fix="Compile it with loss='categorical_crossentropy', or leave augment.mixup and augment.cutmix at 0.",
        )


class FunctionTraining:
    """One training of a model function in this process, from wherever its checkpoint stands.

    Args:
        recipe: For epochs, batch size, early stopping and augmentation.
        dataset: Training and validation images.
        folder: Of its checkpoints.
        built: Its network.
        identity: What its checkpoints belong to.
        seed: Of everything random.
        stored: The checkpoint to go on from.
    """

    def __init__(
        self,
        recipe: Recipe,
        dataset: Dataset,
        folder: Path,
        built: Built,
        identity: Mapping[str, Any],
        seed: int,
        stored: Checkpoint | None,
    ) -> None:
        self.recipe = recipe
        self.dataset = dataset
        self.folder = folder
        self.built = built
        self.model = built.model
        self.identity = identity
        self.seed = seed
        self.stored = stored
        self.starts: list[int] = []  # epochs before each call of the network's fit, so far
        self.kept: int | None = None
        self.results: Mapping[str, float] = {}
        self.data = HandedData(dataset, built.fit)
        self._original_fit = self.model.fit

    def listen(
        self,
        stop_after: int | None,
        on_epoch: Callable[[Epoch], None],
        on_progress: Callable[[Progress], None],
    ) -> None:
        """Say when to stop for now, and who wants to know what happens."""
        stored = self.stored
        self.watcher = EpochCallback(
            self.recipe,
            stored.history if stored else (),
            num_images=images_per_epoch(self.dataset.train, self.recipe.augment),
            save=self._save,
            on_epoch=on_epoch,
            on_progress=on_progress,
            stop_after=stop_after,
            accuracy=self.built.fit.accuracy,
            validate=partial(self._evaluated, "validation", "val_"),
        )

    def run(self) -> Ending:
        """Call the user's `fit`, and say why it came back."""
        if self.stored and self.stored.state["own_loop"]:
            self._restore(self.stored)
            self.built = replace(
                self.built, hyperparameters=_read(self.stored.state["hyperparameters"])
            )
            return Ending.COMPLETE
        with self._covered():
            try:
                result = self._call_theirs()
            except _Paused:
                return Ending.PAUSED
            except KeyboardInterrupt:
                return Ending.INTERRUPTED
        self.results = _numbers(result, self.recipe.fit.monitor.partition(":")[0])
        if not self.starts:
            self._record_own_loop()
        return Ending.COMPLETE

    @contextmanager
    def _covered(self) -> Iterator[None]:
        self.model.fit = self._fit
        try:
            yield
        finally:
            del self.model.fit

    def _call_theirs(self) -> Any:
        """Call the user's `fit` with what a search hands over; what it sets itself or does not take
        is left out.
        """
        arguments = dict(self.built.loaded.arguments)
        offered: dict[str, Any] = {
            "batch_size": self.recipe.fit.batch_size,
            "epochs": self.recipe.fit.epochs,
            "verbose": 0,
        }
        weights = class_weight(self.recipe, self.dataset.train, self.dataset.num_classes)
        offered |= {"class_weight": weights} if weights else {}
        offered |= {name: value for name, value in arguments.items() if name not in NOT_THEIRS}
        while True:
            given = {
                "validation_data": self.data.validation,
                "callbacks": copies(arguments.get("callbacks"), self.folder),
                **offered,
            }
            try:
                return self.built.loaded.hypermodel.fit(
                    self.built.hyperparameters, self.model, *self.data.train, **given
                )
            except TypeError as error:
                refused = NOT_WANTED.search(str(error))
                if refused is None or refused[1] not in offered or self.starts:
                    raise _of_theirs(error) from None
                del offered[refused[1]]
            except (EyetuneError, MemoryError):
                raise
            except Exception as error:
                raise _of_theirs(error) from None

    def _fit(self, *args: Any, **settings: Any) -> Any:
        """Stand in for the network's own `fit`."""
        import keras

        given = dict(
            inspect.signature(keras.Model.fit).bind(self.model, *args, **settings).arguments
        )
        del given["self"]
        state: Mapping[str, Any] = (
            self.stored.state if self.stored else {"starts": [], "ended": False, "callbacks": []}
        )
        call, history = len(self.starts), self.watcher.history
        self.starts.append(state["starts"][call] if call < len(state["starts"]) else len(history))
        if call + 1 < len(state["starts"]):  # it was over when the checkpoint was written
            done = history[self.starts[call] : state["starts"][call + 1]]
            return as_keras_history(done, self.built.fit.accuracy, self.model)
        goes_on = call + 1 == len(state["starts"])
        if goes_on and self.stored:
            self._restore(self.stored)
        self.watcher.ended = goes_on and state["ended"]
        self._train(given, state["callbacks"] if goes_on else [])
        return as_keras_history(
            self.watcher.history[self.starts[call] :], self.built.fit.accuracy, self.model
        )

    def _train(self, given: dict[str, Any], states: list[Any]) -> None:
        """Train in one call of `fit` until that is over, or raise `_Paused`."""
        watcher, start = self.watcher, self.starts[-1]
        first = given.get("initial_epoch", 0)
        last = min(start + max(0, given.get("epochs", 1) - first), self.recipe.fit.epochs)
        theirs = [one for one in given.get("callbacks") or [] if one is not watcher]
        params = {"epochs": first + last - start, "steps": None, "verbose": 0}
        self.callbacks = ContinuedCallbacks(theirs, watcher, self.model, states, params)
        run_epochs = (
            self._epochs_of_ours if self.data.is_trained_on(given) else self._epochs_of_theirs
        )
        if len(watcher.history) < last and not watcher.stops:
            run_epochs(given, first - start, last)
        if not watcher.finished and len(watcher.history) < last:
            raise _Paused
        # Where the last epoch was trained before a pause, its callbacks have yet to hear of the
        # beginning and the end.
        self.callbacks.on_train_begin()
        self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
        self.callbacks.end()
        kept = kept_epochs(theirs)
        self.kept = None if kept is None else start + kept - first

    def _epochs_of_ours(self, given: dict[str, Any], shift: int, last: int) -> None:
        """Train on the images that were handed over: they come from our pipeline."""
        watcher, train = self.watcher, self.dataset.train
        size = int(given.get("batch_size") or 32)  # Keras's own default
        steps = 1
        if not self._looks_at_batches():
            steps = steps_at_once(self.model, watcher.num_images, self.dataset.image_shape, size)
        watcher.batch_size = size * steps
        batches, set_epoch = training_batches(
            train,
            self.dataset.num_classes,
            size * steps,
            self.seed,
            self.recipe.augment,
            adapt=self.data.adapt,
        )

        def begin_epoch(epoch: int) -> None:
            set_epoch(epoch)
            self._seed_epoch(epoch, also_tensorflow=False)

        watcher.set_epoch = begin_epoch
        settings = {
            name: given[name] for name in ("class_weight", "validation_freq") if name in given
        }
        with fast_fit(self.model, batches, size, steps):
            self._original_fit(
                batches,
                epochs=shift + last,
                initial_epoch=shift + len(watcher.history),
                steps_per_epoch=len(batches),  # unasked, Keras begins each pass twice
                shuffle=False,  # the pipeline shuffles
                callbacks=self.callbacks,
                verbose=0,
                **settings,
                **self.data.validation_of(given),
            )

    def _epochs_of_theirs(self, given: dict[str, Any], shift: int, last: int) -> None:
        """Train on what the user made of the images, an epoch at a time, each with a seed of its
        own.
        """
        watcher = self.watcher
        if self.recipe.augment.active:
            raise FunctionError(
                "The user's fit trains on images of its own, so the recipe's augment would do nothing.",
                fix="Leave [augment] out of the recipe, or hand the images on to model.fit as they come.",
            )
        watcher.set_epoch = lambda _: None
        watcher.batch_size = int(given.get("batch_size") or 32)
        watcher.num_images = (
            len(given["x"]) if hasattr(given.get("x"), "shape") else len(self.dataset.train)
        )
        own = {
            **plain(given),
            **self.data.validation_of(given),
            "callbacks": self.callbacks,
            "verbose": 0,
        }
        while len(watcher.history) < last and not watcher.stops:
            epoch = len(watcher.history)
            self._seed_epoch(epoch, also_tensorflow=True)
            self._original_fit(
                **{**own, "epochs": shift + epoch + 1, "initial_epoch": shift + epoch}
            )
            self._back_to_own_weights()

    def _back_to_own_weights(self) -> None:
        """With averaged weights Keras ends each `fit` on the average; the next epoch goes on with
        the weights.
        """
        if getattr(self.model.optimizer, "use_ema", False) and self.watcher.history:
            self._restore(checkpoints.load(self.folder / CHECKPOINT_FILE))

    def _seed_epoch(self, epoch: int, *, also_tensorflow: bool) -> None:
        """Let what an epoch draws hang on seed and epoch alone.

        TensorFlow's seed matters where Keras shuffles images. It is left alone otherwise: with a
        new one TensorFlow forgets the graphs that it has ready, and makes them anew for a quarter
        of a small network's epoch.
        """
        import keras

        seed = int(np.random.SeedSequence([self.seed, epoch]).generate_state(1)[0])
        if also_tensorflow:
            keras.utils.set_random_seed(seed)
        else:
            random.seed(seed)
            np.random.seed(seed)

    def _looks_at_batches(self) -> bool:
        """Tell whether a callback of the user's wants to hear of each batch."""
        import keras

        names = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
        base = keras.callbacks.Callback
        return any(
            getattr(type(one), name) is not getattr(base, name)
            for one in self.callbacks.callbacks
            if one is not self.watcher
            for name in names
        )

    def _evaluated(self, name: str, prefix: str) -> dict[str, float]:
        measured = self.model.evaluate(self.data.batches(name), verbose=0, return_dict=True)
        return {f"{prefix}{metric}": float(value) for metric, value in measured.items()}

    def _save(self, history: History, best: bool) -> None:
        self._write(history, best, {"own_loop": False, "callbacks": self.callbacks.states()})

    def _write(self, history: History, best: bool, state: Mapping[str, Any]) -> None:
        whole = {"starts": list(self.starts), "ended": self.watcher.ended, **state}
        path = self.folder / (BEST_CHECKPOINT_FILE if best else CHECKPOINT_FILE)
        checkpoints.save(path, self.model, history, self.identity, state=whole, with_frozen=True)
        if best:
            checkpoints.copy(path, self.folder / CHECKPOINT_FILE)

    def _restore(self, stored: Checkpoint) -> None:
        checkpoints.restore(self.model, stored, with_optimizer=not stored.state["own_loop"])

    def _record_own_loop(self) -> None:
        """Record a training by a loop of the user's own, which says nothing of its epochs, as one
        epoch.
        """
        logs = {
            **self._evaluated("train", ""),
            **self._evaluated("validation", "val_"),
            **self.results,
        }
        done = Epoch(
            1,
            **named(logs, self.built.fit.accuracy),
            learning_rate=0.0,
            duration_seconds=0.0,
            images_per_second=0.0,
        )
        self.watcher.ended = True
        used = json.dumps(self.built.hyperparameters.get_config())
        self._write((done,), False, {"own_loop": True, "callbacks": [], "hyperparameters": used})
        self.watcher.finish((done,))

    def outcome(self, ending: Ending) -> Fitted:
        """Return the network with the weights that count, and all that was learned of the
        hyperparameters.
        """
        history, kept = self.watcher.history, self.kept
        if history and (ending is not Ending.COMPLETE or goes_back(self.recipe.fit)):
            best = self.folder / BEST_CHECKPOINT_FILE
            stored = checkpoints.load(best if best.exists() else self.folder / CHECKPOINT_FILE)
            averaged = bool(getattr(self.model.optimizer, "use_ema", False))
            checkpoints.restore(self.model, stored, with_optimizer=averaged)
            if averaged:
                self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
            kept = len(stored.history)
        if history and self.results:
            others = {
                name: value
                for name, value in self.results.items()
                if not hasattr(history[-1], name)
            }
            history = (*history[:-1], replace(history[-1], others={**history[-1].others, **others}))
        return Fitted(
            ending,
            history,
            len(history) if kept is None else kept,
            self.built.classifier,
            self.built.values,
            self.built.space,
        )


def _read(hyperparameters: str) -> Any:
    import keras_tuner

    return keras_tuner.HyperParameters.from_config(json.loads(hyperparameters))


def _of_theirs(error: Exception) -> Exception:
    """Return the error to raise for one that came out of `HyperModel.fit`: the user's own with
    their traceback.
    """
    return (
        failed("The training of the model function raised an exception.", error)
        if is_theirs(error)
        else error
    )


def _numbers(result: Any, monitor: str) -> dict[str, float]:
    """Return what a user's `fit` measured at its end: KerasTuner takes a number, a dictionary or a
    History.
    """
    if isinstance(result, Mapping):
        return {str(name): float(value) for name, value in result.items()}
    if isinstance(result, int | float | np.number):
        return {monitor: float(result)}
    return {}
