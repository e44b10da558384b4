"""A user's Keras callbacks across the pauses and stages of a training: their state is kept."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from eyetune.errors import UsageError
from eyetune.values.history import Epoch, History

# Attributes that belong to the current `fit`, not to the state of a callback.
NOT_STATE = ("params", "model", "_model", "validation_data")
BATCH_METHODS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


class ContinuedCallbacks(keras.callbacks.CallbackList):  # type: ignore[misc]
    """Callbacks that see a training with pauses, or with several calls of `fit`, as one training.

    `on_train_begin` is called once in a process, after which they get their state back.
    `on_train_end` is called only when the training is complete.

    Args:
        theirs: The user's callbacks.
        ours: eyetune's callback. It sees the beginning of an epoch before the user's, because it
            sets the seeds, and everything else after them, so that it sees what they decided.
        model: The network.
        states: From `states`, when the training was paused (empty: it starts).
        params: Keras's parameters of callbacks: epochs, steps, verbose.
        shown: The network that the user's callbacks get, if it is another one than is trained.
    """

    def __init__(
        self,
        theirs: Sequence[Any],
        ours: Any,
        model: Any,
        states: Sequence[Mapping[str, Any]],
        params: Mapping[str, Any],
        shown: Any = None,
    ) -> None:
        self.theirs = tuple(theirs)
        self._ours = ours
        self._shown = shown
        self._states = states
        self._initial = [dict(vars(callback)) for callback in theirs]
        self._begun = False
        super().__init__([*_beside(theirs, shown), ours], add_history=True, model=model, **params)

    def continue_with(
        self, ours: Any, model: Any, params: Mapping[str, Any], shown: Any = None
    ) -> None:
        """Continue with the network of another stage, and with eyetune's callback for it."""
        self._ours = ours
        self._shown = shown
        others = [self._history] if self._history not in self.theirs else []
        self.callbacks = [*_beside(self.theirs, shown), ours, *others]
        self.set_model(model)
        self.set_params(params)

    def set_model(self, model: Any) -> None:
        """Give the network to all callbacks; the user's get the one that is shown to them."""
        super().set_model(model)
        for callback in self.theirs:
            callback.set_model(model if self._shown is None else self._shown)

    def on_train_begin(self, logs: Any = None) -> None:
        """Call the callbacks at the first beginning, and restore their state."""
        if not self._begun:
            super().on_train_begin(logs)
            restore_states(self.theirs, self._states)
            self._begun = True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Call the callbacks at the beginning of an epoch, eyetune's first."""
        self._ours.on_epoch_begin(epoch, logs)
        for callback in self.callbacks:
            if callback is not self._ours:
                callback.on_epoch_begin(epoch, logs)

    def on_train_end(self, logs: Any = None) -> None:
        """Do nothing: only `end` knows that the training is complete."""

    def states(self) -> list[dict[str, Any]]:
        """Return the state of each of the user's callbacks.

        It consists of the attributes that are plain values, and of the arrays that are new since
        the callback was created, such as the best weights of EarlyStopping.
        """
        return [
            _state(callback, initial)
            for callback, initial in zip(self.theirs, self._initial, strict=True)
        ]

    def end(self) -> None:
        """Call the callbacks at the end of the training."""
        super().on_train_end()


class _PassOnStop(keras.callbacks.Callback):  # type: ignore[misc]
    """Stops the network that is trained if a callback stops the one that is shown to it."""

    def __init__(self, shown: Any) -> None:
        super().__init__()
        self._shown = shown

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.model.stop_training = self.model.stop_training or self._shown.stop_training

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.model.stop_training = self.model.stop_training or self._shown.stop_training


def _beside(theirs: Sequence[Any], shown: Any) -> list[Any]:
    """Return the user's callbacks, and what passes on that they stopped the network they get."""
    return [*theirs] if shown is None else [*theirs, _PassOnStop(shown)]


class RecipeCallbacks:
    """The callbacks that a user gave to the training of a recipe, over its stages and pauses.

    Args:
        callbacks: The user's callbacks. They are not copied: the user can read them afterwards.
        state: State of the checkpoint that the training continues from; empty if it starts.

    Attributes:
        callbacks: The user's callbacks.
        ended: Whether one of them stopped the training, by `stop_training`.
    """

    def __init__(self, callbacks: Sequence[Any], state: Mapping[str, Any]) -> None:
        self.callbacks = tuple(callbacks)
        self.ended = bool(state.get("ended"))
        self._states = state.get("callbacks", ())
        self._list: ContinuedCallbacks | None = None

    @property
    def watch_batches(self) -> bool:
        """Whether one of them is called for each batch."""
        return watch_batches(self.callbacks)

    def of_stage(self, ours: Any, model: Any, params: Mapping[str, Any], shown: Any) -> Any:
        """Return what Keras's `fit` takes as callbacks in a stage.

        Args:
            ours: eyetune's callback of the stage.
            model: The network that is trained.
            params: Keras's parameters of callbacks: epochs, steps, verbose.
            shown: The network that the user's callbacks get; None: the one that is trained.
        """
        if not self.callbacks:
            return [ours]
        if self._list is None:
            self._list = ContinuedCallbacks(
                self.callbacks, ours, model, self._states, params, shown
            )
        else:
            self._list.continue_with(ours, model, params, shown)
        return self._list

    def state(self, model: Any) -> dict[str, Any] | None:
        """Return what a checkpoint after an epoch keeps of them; None without callbacks."""
        if self._list is None:
            return None
        self.ended = bool(model.stop_training)
        return {"ended": self.ended, "callbacks": self._list.states()}

    def end(self, model: Any, num_epochs: int) -> int | None:
        """Call the callbacks at the end of the training.

        Args:
            model: The network with the weights of its last or best epoch, which they may change.
            num_epochs: Number of epochs of the training, at most.

        Returns:
            The number of epochs of the weights that EarlyStopping restored; None: it did not.
        """
        params = {"epochs": num_epochs, "steps": None, "verbose": 0}
        last = self.of_stage(keras.callbacks.Callback(), model, params, None)
        last.on_train_begin()  # has no effect unless the last epoch was trained before a pause
        last.end()
        return kept_epochs(self.callbacks)


def description(callback: Any) -> str:
    """Return the class of a callback with its settings, the attributes that are plain values.

    Example:
        >>> description(keras.callbacks.History())
        'History()'
        >>> description(keras.callbacks.CSVLogger("log.csv"))
        "CSVLogger(append=False, append_header=True, filename='log.csv', sep=',')"
    """
    settings = [
        f"{name}={value!r}"
        for name, value in sorted(vars(callback).items())
        if not name.startswith("_") and name not in NOT_STATE
        if isinstance(value, bool | int | float | str)
    ]
    return f"{type(callback).__name__}({', '.join(settings)})"


def check_same(callbacks: Sequence[Any], before: Sequence[str]) -> None:
    """Check that a training continues with callbacks of the classes that it was begun with.

    A training that was begun without callbacks may continue with some.

    Args:
        callbacks: The user's callbacks.
        before: Descriptions of the callbacks that it was begun with.

    Raises:
        UsageError: It was begun with others.
    """
    classes = [text.partition("(")[0] for text in before]
    given = [type(callback).__name__ for callback in callbacks]
    if classes and given != classes:
        raise UsageError(
            "The training was begun with callbacks, which must see the rest of it too.",
            expected=f"callbacks of the classes {', '.join(classes)}",
            received=", ".join(given) or "no callbacks",
            fix="In Python: eyetune.resume(run, callbacks=[...]), with callbacks that were created "
            "in the same way.",
        )


def watch_batches(callbacks: Sequence[Any]) -> bool:
    """Return whether one of the callbacks is called for each batch.

    Example:
        >>> seen = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
        >>> watch_batches([keras.callbacks.EarlyStopping()]), watch_batches([seen])
        (False, True)
    """
    base = keras.callbacks.Callback
    return any(
        # A LambdaCallback has its functions as attributes, other classes define methods.
        getattr(getattr(callback, name), "__func__", None) is not getattr(base, name)
        for callback in callbacks
        for name in BATCH_METHODS
    )


def seed_python(seed: int, epoch: int) -> None:
    """Make what callbacks draw at random in an epoch depend on seed and epoch alone."""
    drawn = int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
    random.seed(drawn)
    np.random.seed(drawn)


def _state(callback: Any, initial: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    # Keras's callbacks choose a function that compares metrics when the training begins, such as
    # `keras.ops.less`.
    functions = {}
    for name, value in vars(callback).items():
        if name in NOT_STATE:
            continue
        is_new = value is not initial.get(name)
        if _is_plain(value) or (is_new and _is_state(value)):
            values[name] = value
        if _is_operation(value):
            functions[name] = value.__name__
    return {"kind": type(callback).__name__, "values": values, "functions": functions}


def restore_states(callbacks: Sequence[Any], states: Sequence[Mapping[str, Any]]) -> None:
    """Restore the states of callbacks; a callback of another class than before starts again."""
    for callback, state in zip(callbacks, states, strict=False):
        if type(callback).__name__ == state["kind"]:
            vars(callback).update(state["values"])
            for name, function in state["functions"].items():
                vars(callback)[name] = getattr(keras.ops, function)


def _is_operation(value: Any) -> bool:
    name = getattr(value, "__name__", None)
    return callable(value) and isinstance(name, str) and getattr(keras.ops, name, None) is value


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str | np.generic)


def _is_state(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_state(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_state(item) for name, item in value.items())
    return _is_plain(value) or isinstance(value, np.ndarray)


def kept_epochs(callbacks: Sequence[Any]) -> int | None:
    """Return the number of epochs of the weights that EarlyStopping restored; None: it did not."""
    kept = [
        int(callback.best_epoch) + 1
        for callback in callbacks
        if isinstance(callback, keras.callbacks.EarlyStopping)
        and callback.restore_best_weights
        and callback.best_weights is not None
    ]
    return kept[-1] if kept else None


def as_keras_history(history: History, accuracy: str | None, model: Any) -> Any:
    """Return a training's history as Keras's `fit` returns it, with Keras's names of metrics.

    Args:
        history: Epochs, including those before a pause.
        accuracy: Keras's name of the accuracy; None if there is none.
        model: The network.
    """
    result = keras.callbacks.History()
    result.set_model(model)
    result.epoch = [epoch.epoch - history[0].epoch for epoch in history]
    rows = [_logs(epoch, accuracy) for epoch in history]
    result.history = {
        name: [row[name] for row in rows if name in row] for name in (rows[0] if rows else {})
    }
    return result


def _logs(epoch: Epoch, accuracy: str | None) -> dict[str, float]:
    names = ["loss", "accuracy", "val_accuracy", "val_loss"]
    if accuracy != "accuracy":  # under its own name, it is among the others
        names = ["loss", "val_loss"]
    logs = {name: epoch.value(name) for name in names if epoch.measures(name)}
    return {**logs, **epoch.others}
