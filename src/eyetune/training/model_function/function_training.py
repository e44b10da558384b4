"""One training of a model function's network, by the user's own `fit`.

The user's `HyperModel.fit` is called with the network, whose own `fit` is replaced meanwhile. If it
gets the images that were handed over, they come from eyetune's pipeline, whose order depends on
seed and epoch alone. If the user changed the images, it trains on what it gets, one epoch at a
time, each with its own seed.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from eyetune.data import AnyDataset, Dataset
from eyetune.errors import FatalTrialError, FunctionError
from eyetune.models.model_function import Built
from eyetune.recipe import Recipe
from eyetune.training import checkpoint as checkpoints
from eyetune.training.callbacks import EpochCallback, named, returns_to_best
from eyetune.training.checkpoint import Checkpoint
from eyetune.training.fast_fit import fast_fit, steps_at_once
from eyetune.training.fit import Ending, Fitted, class_weight
from eyetune.training.fused_batch_norm import fused_batch_norm
from eyetune.training.model_function.callback_copies import CallbackCopies
from eyetune.training.model_function.own_loop import OwnLoopWeights, weights_digest
from eyetune.training.model_function.scaled_images import plain
from eyetune.training.model_function.user_call import call_user_fit, metrics_of
from eyetune.training.model_function.user_callbacks import (
    ContinuedCallbacks,
    as_keras_history,
    kept_epochs,
    seed_python,
    watch_batches,
)
from eyetune.training.model_function.user_data import user_data
from eyetune.training.prepared_network import PreparedNetwork
from eyetune.values.history import Epoch, History, Progress
from eyetune.values.run_files import BEST_CHECKPOINT_FILE, CHECKPOINT_FILE


class _Paused(BaseException):
    """Ends the user's `fit` when the training is to pause."""


class FunctionTraining:
    """One training of a model function in this process, starting from its checkpoint.

    Args:
        prepared: Recipe, dataset and seed.
        built: The network and the model function.
        folder: Folder of its checkpoints.
        identity: Recipe, data and seed that its checkpoints must belong to.
        stored: The checkpoint to continue from (None: it starts).
        log_name: Subfolder of TensorBoard's logs. Default: the name of the folder.
        callbacks: Callbacks that the user's `fit` gets beside those of the search.
    """

    def __init__(
        self,
        prepared: PreparedNetwork,
        built: Built,
        folder: Path,
        identity: Mapping[str, Any],
        stored: Checkpoint | None,
        log_name: str = "",
        callbacks: Sequence[Any] = (),
    ) -> None:
        self.given = tuple(callbacks)
        self.recipe = prepared.recipe
        self.dataset = prepared.dataset
        self.seed = prepared.seed
        self.folder = folder
        self.built = built
        self.model = built.model
        self.identity = identity
        self.stored = stored
        self.starts: list[int] = []  # epochs before each call of the network's fit, so far
        self.kept: int | None = None
        self.results: Mapping[str, float] = {}
        self.data = user_data(prepared.dataset, built, prepared.recipe)
        self.copies = CallbackCopies(built.loaded, log_name or folder.name, built.hyperparameters)
        self._own_loop = OwnLoopWeights(self.recipe.fit.monitor)
        self._is_trained = True
        self._original_fit = self.model.fit

    def listen(
        self,
        stop_after: int | None,
        on_epoch: Callable[[Epoch], None],
        on_progress: Callable[[Progress], None],
    ) -> None:
        """Set when to pause, and the functions that are called with epochs and progress."""
        stored = self.stored
        self.watcher = EpochCallback(
            self.recipe,
            stored.history if stored else (),
            num_images=self.data.num_train,
            save=self._save,
            on_epoch=on_epoch,
            on_progress=on_progress,
            stop_after=stop_after,
            accuracy=self.built.fit.accuracy,
            validate=partial(self._evaluate, "validation", "val_"),
        )

    def run(self) -> Ending:
        """Call the user's `fit`, and return why it ended."""
        if self.stored and self.stored.state.get("own_loop"):
            self._restore(self.stored)
            self.built = replace(
                self.built, hyperparameters=_read(self.stored.state["hyperparameters"])
            )
            return Ending.COMPLETE
        before = weights_digest(self.model) if self.built.loaded.has_own_fit else 0
        with self._replaced_fit():
            try:
                result = call_user_fit(
                    self.built,
                    self.recipe,
                    self.data,
                    self.copies,
                    weights_of_classes(self.recipe, self.dataset),
                    has_started=lambda: bool(self.starts),
                    callbacks=[*self.given, self._own_loop],
                )
            except _Paused:
                return Ending.PAUSED
            except KeyboardInterrupt:
                return Ending.INTERRUPTED
        self.results = metrics_of(result, self.recipe.fit.monitor)
        if not self.starts:
            has_weights = self._own_loop.restore(self.model)
            self._is_trained = has_weights or weights_digest(self.model) != before
            self._record_own_loop()
        return Ending.COMPLETE

    @contextmanager
    def _replaced_fit(self) -> Iterator[None]:
        self.model.fit = self._fit
        try:
            yield
        finally:
            del self.model.fit

    def _fit(self, *args: Any, **kwargs: Any) -> Any:
        """Stand in for the network's own `fit`, with the same arguments."""
        import keras

        signature = inspect.signature(keras.Model.fit)
        arguments = dict(signature.bind(self.model, *args, **kwargs).arguments)
        del arguments["self"]
        state: Mapping[str, Any] = {"starts": [], "ended": False, "callbacks": []}
        if self.stored:
            state = {**state, **self.stored.state}
        starts = state["starts"]
        call, history = len(self.starts), self.watcher.history
        self.starts.append(starts[call] if call < len(starts) else len(history))
        if call + 1 < len(starts):  # this call was complete when the checkpoint was written
            done = history[self.starts[call] : starts[call + 1]]
            return as_keras_history(done, self.built.fit.accuracy, self.model)
        is_resumed = call + 1 == len(starts)
        if is_resumed and self.stored:
            self._restore(self.stored)
        self.watcher.ended = is_resumed and state["ended"]
        self._train(arguments, state["callbacks"] if is_resumed else [])
        return as_keras_history(
            self.watcher.history[self.starts[call] :], self.built.fit.accuracy, self.model
        )

    def _train(self, arguments: dict[str, Any], callback_states: list[Any]) -> None:
        """Train for one call of `fit` until it is complete, or raise `_Paused`."""
        watcher, start = self.watcher, self.starts[-1]
        first = arguments.get("initial_epoch", 0)
        num_epochs = max(0, arguments.get("epochs", 1) - first)
        last = min(start + num_epochs, self.recipe.fit.epochs)
        user_callbacks = [
            callback
            for callback in arguments.get("callbacks") or []
            if callback is not watcher and callback is not self._own_loop
        ]
        if any(getattr(callback, "records_runs", False) for callback in user_callbacks):
            raise FatalTrialError(
                "eyetune.Callback is for trainings by model.fit: a search records each trial.",
                kind="FatalValueError",
                fix="Leave it out of the callbacks of model.fit.",
            )
        params = {"epochs": first + last - start, "steps": None, "verbose": 0}
        self.callbacks = ContinuedCallbacks(
            user_callbacks, watcher, self.model, callback_states, params
        )
        if len(watcher.history) < last and not watcher.stops:
            if self.data.is_trained_on(arguments):
                self._train_on_pipeline(arguments, first - start, last)
            else:
                self._train_on_user_images(arguments, first - start, last)
        if not watcher.finished and len(watcher.history) < last:
            raise _Paused
        # If the last epoch was trained before a pause, the callbacks have not been called for the
        # beginning and the end yet.
        self.callbacks.on_train_begin()
        self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
        self.callbacks.end()
        kept = kept_epochs(user_callbacks)
        self.kept = None if kept is None else start + kept - first

    def _train_on_pipeline(self, arguments: dict[str, Any], shift: int, last: int) -> None:
        """Train on the images that were handed over, which come from eyetune's pipeline.

        Args:
            arguments: Arguments of the user's call of `fit`.
            shift: The user's number of an epoch minus its index in the history.
            last: Length of the history at the end.
        """
        watcher, batch_size, steps = self.watcher, self.data.batch_size(arguments), 1
        if self.data.can_join_batches(arguments) and not watch_batches(self.callbacks.theirs):
            num_images, size = watcher.num_images, self.data.sample_bytes
            steps = steps_at_once(self.model, num_images, size, batch_size)
        watcher.batch_size = batch_size * steps
        batches, set_epoch = self.data.training_batches(arguments, batch_size * steps, self.seed)

        def begin_epoch(epoch: int) -> None:
            set_epoch(epoch)
            self._seed_epoch(epoch, also_tensorflow=False)

        watcher.set_epoch = begin_epoch
        passed_on = {
            name: arguments[name]
            for name in ("class_weight", "validation_freq", "validation_steps")
            if name in arguments
        }
        with fast_fit(self.model, batches, batch_size, steps):
            self._original_fit(
                batches,
                epochs=shift + last,
                initial_epoch=shift + len(watcher.history),
                steps_per_epoch=len(batches),  # without it, Keras starts each pass twice
                shuffle=False,  # the pipeline shuffles
                callbacks=self.callbacks,
                verbose=0,
                **passed_on,
                **self.data.validation_of(arguments),
            )

    def _train_on_user_images(self, arguments: dict[str, Any], shift: int, last: int) -> None:
        """Train on the user's own images, one epoch at a time, each with its own seed.

        Args:
            arguments: Arguments of the user's call of `fit`.
            shift: The user's number of an epoch minus its index in the history.
            last: Length of the history at the end.
        """
        watcher = self.watcher
        if self.recipe.augments_images:
            raise FunctionError(
                "The user's fit trains on images of its own, so augment and data.camera would "
                "have no effect.",
                fix=("Leave both out of the recipe, or pass the images on to model.fit unchanged."),
            )
        watcher.set_epoch = lambda _: None
        watcher.batch_size = self.data.batch_size(arguments)
        if hasattr(arguments.get("x"), "shape"):
            watcher.num_images = len(arguments["x"])
        own = {
            **plain(arguments),
            **self.data.validation_of(arguments),
            "callbacks": self.callbacks,
            "verbose": 0,
        }
        with fused_batch_norm(self.model):
            while len(watcher.history) < last and not watcher.stops:
                epoch = len(watcher.history)
                self._seed_epoch(epoch, also_tensorflow=True)
                self._original_fit(
                    **{**own, "epochs": shift + epoch + 1, "initial_epoch": shift + epoch}
                )
                self._undo_averaging()

    def _undo_averaging(self) -> None:
        """Restore the weights that weight averaging replaces by their average after each `fit`."""
        if getattr(self.model.optimizer, "use_ema", False) and self.watcher.history:
            self._restore(checkpoints.load(self.folder / CHECKPOINT_FILE))

    def _seed_epoch(self, epoch: int, *, also_tensorflow: bool) -> None:
        """Make the random numbers of an epoch depend on seed and epoch alone.

        TensorFlow's seed matters only if Keras shuffles images. It is not set otherwise: with a
        new seed, TensorFlow discards its compiled graphs and makes them again, which takes a
        quarter of a small network's epoch.
        """
        import keras

        if also_tensorflow:
            seed = int(np.random.SeedSequence([self.seed, epoch]).generate_state(1)[0])
            keras.utils.set_random_seed(seed)
        else:
            seed_python(self.seed, epoch)

    def _evaluate(self, split: str, prefix: str) -> dict[str, float]:
        """Return the metrics of a split, with a prefix on their names."""
        batches = self.data.evaluation_batches(split)
        if batches is None:
            return {}
        metrics = self.model.evaluate(batches, verbose=0, return_dict=True)
        return {f"{prefix}{name}": float(value) for name, value in metrics.items()}

    def _save(self, history: History, best: bool) -> None:
        self._write(history, best, {"own_loop": False, "callbacks": self.callbacks.states()})

    def _write(self, history: History, best: bool, state: Mapping[str, Any]) -> None:
        whole = {"starts": list(self.starts), "ended": self.watcher.ended, **state}
        path = self.folder / (BEST_CHECKPOINT_FILE if best else CHECKPOINT_FILE)
        checkpoints.save(path, self.model, history, self.identity, state=whole, with_frozen=True)
        if best:
            checkpoints.copy(path, self.folder / CHECKPOINT_FILE)

    def _restore(self, stored: Checkpoint) -> None:
        checkpoints.restore(self.model, stored, with_optimizer=not stored.state.get("own_loop"))

    def _record_own_loop(self) -> None:
        """Record a training by the user's own loop, whose epochs are unknown, as one epoch."""
        logs = {
            **self._evaluate("train", ""),
            **self._evaluate("validation", "val_"),
            **self.results,
        }
        epoch = Epoch(
            1,
            **named(logs, self.built.fit.accuracy),
            learning_rate=0.0,
            duration_seconds=0.0,
            images_per_second=0.0,
        )
        self.watcher.ended = True
        used = json.dumps(self.built.hyperparameters.get_config())
        self._write((epoch,), False, {"own_loop": True, "callbacks": [], "hyperparameters": used})
        self.watcher.finish((epoch,))

    def outcome(self, ending: Ending) -> Fitted:
        """Return the network with the kept weights, and the hyperparameters that were used."""
        history, kept = self.watcher.history, self.kept
        self.copies.give_back()
        if history and (ending is not Ending.COMPLETE or returns_to_best(self.recipe.fit)):
            best = self.folder / BEST_CHECKPOINT_FILE
            stored = checkpoints.load(best if best.exists() else self.folder / CHECKPOINT_FILE)
            averaged = bool(getattr(self.model.optimizer, "use_ema", False))
            checkpoints.restore(self.model, stored, with_optimizer=averaged)
            if averaged:
                self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
            kept = len(stored.history)
        if history and self.results:
            last = history[-1]
            results = self.results.items()
            others = {name: value for name, value in results if not hasattr(last, name)}
            history = (*history[:-1], replace(last, others={**last.others, **others}))
        return Fitted(
            ending,
            history,
            len(history) if kept is None else kept,
            self.built.classifier if isinstance(self.dataset, Dataset) else self.model,
            self.built.values,
            self.built.space,
            changed_copies=(*self.copies.changes, *self.built.loaded.changes),
            is_trained=self._is_trained,
            network=self.model,
            returned=self.results,
        )


def weights_of_classes(recipe: Recipe, dataset: AnyDataset) -> dict[int, float] | None:
    """Return the weight of each class that the recipe asks for."""
    if isinstance(dataset, Dataset):
        return class_weight(recipe, dataset.train, dataset.num_classes)
    return None  # refused before


def _read(hyperparameters: str) -> Any:
    import keras_tuner

    return keras_tuner.HyperParameters.from_config(json.loads(hyperparameters))
