"""A user's Keras callbacks across the pauses of a training: their state is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from eyetune.values.history import Epoch, History

# Attributes that belong to the current `fit`, not to the state of a callback.
NOT_STATE = ("params", "model", "_model", "validation_data")


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
    """

    def __init__(
        self,
        theirs: Sequence[Any],
        ours: Any,
        model: Any,
        states: Sequence[Mapping[str, Any]],
        params: Mapping[str, Any],
    ) -> None:
        super().__init__([*theirs, ours], add_history=True, model=model, **params)
        self.theirs = tuple(theirs)
        self._ours = ours
        self._states = states
        self._initial = [dict(vars(callback)) for callback in theirs]
        self._begun = False

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
