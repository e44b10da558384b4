"""A user's Keras callbacks over the pauses of a training: what they count goes on where it stopped."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from eyetune.errors import FunctionError
from eyetune.values.history import Epoch, History

# Of the training at hand, and not of what a callback counts.
NOT_STATE = ("params", "model", "_model", "validation_data")


class ContinuedCallbacks(keras.callbacks.CallbackList):  # type: ignore[misc]
    """Callbacks for which a training that is paused, or that takes several calls of `fit`, is one
    training.

    They are told of its beginning once in a process, get back what they had counted, and are told
    of its end only when it is over.

    Args:
        theirs: The user's.
        ours: Told of an epoch's beginning before them, since it sets what they may draw by, and of
            all else after them, so that it sees what they decided.
        model: That they watch.
        states: From `states`, when it was paused (empty: it begins).
        params: What Keras tells callbacks: epochs, steps, verbose.
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
        self._given = [dict(vars(one)) for one in theirs]
        self._begun = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Tell of the beginning, and give back what was counted before it."""
        if not self._begun:
            super().on_train_begin(logs)
            restore_states(self.theirs, self._states)
            self._begun = True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Tell of the beginning of an epoch, ours first."""
        for callback in (self._ours, *(one for one in self.callbacks if one is not self._ours)):
            callback.on_epoch_begin(epoch, logs)

    def on_train_end(self, logs: Any = None) -> None:
        """Say nothing: only `end` knows that no epoch is to follow."""

    def states(self) -> list[dict[str, Any]]:
        """Return what the user's callbacks have counted: attributes that are plain values, or
        arrays made since.

        EarlyStopping keeps its best weights so; arrays that a callback was made with are its own
        again when it is made.
        """
        return [
            _state(callback, given)
            for callback, given in zip(self.theirs, self._given, strict=True)
        ]

    def end(self) -> None:
        """Tell of the end of the training."""
        super().on_train_end()


def copies(callbacks: Any, folder: Path) -> list[Any]:
    """Copy callbacks for one training; TensorBoard's logs go into a folder of the training's own.

    Raises:
        FunctionError: They cannot be copied.
    """
    try:
        copied = copy.deepcopy(list(callbacks or ()))
    except Exception as error:  # each kind of object fails in its own way
        raise FunctionError(
            "The callbacks cannot be copied, but each training needs its own.",
            received=f"{type(error).__name__}: {error}",
        ) from None
    for callback in copied:
        if type(callback).__name__ == "TensorBoard":
            callback.log_dir = str(Path(callback.log_dir) / folder.name)
    return copied


def _state(callback: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    mine = {name: value for name, value in vars(callback).items() if name not in NOT_STATE}
    values = {
        name: value
        for name, value in mine.items()
        if _is_plain(value) or (value is not given.get(name) and _is_state(value))
    }
    # Keras's callbacks look up how they compare when training begins, and prepare a number for it
    # only then.
    functions = {name: value.__name__ for name, value in mine.items() if _is_operation(value)}
    return {"kind": type(callback).__name__, "values": values, "functions": functions}


def restore_states(callbacks: Sequence[Any], states: Sequence[Mapping[str, Any]]) -> None:
    """Give callbacks what they had counted; one that is of another kind now begins anew."""
    for callback, state in zip(callbacks, states, strict=False):
        if type(callback).__name__ == state["kind"]:
            vars(callback).update(state["values"])
            vars(callback).update(
                {name: getattr(keras.ops, word) for name, word in state["functions"].items()}
            )


def _is_operation(value: Any) -> bool:
    name = getattr(value, "__name__", None)
    return callable(value) and isinstance(name, str) and getattr(keras.ops, name, None) is value


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(one) for one in value)
    return value is None or isinstance(value, bool | int | float | str | np.generic)


def _is_state(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_state(one) for one in value)
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_state(one) for name, one in value.items())
    return _is_plain(value) or isinstance(value, np.ndarray)


def kept_epochs(callbacks: Sequence[Any]) -> int | None:
    """Return how many epochs the weights have seen that an EarlyStopping went back to; None: none
    did.
    """
    went_back = [
        int(callback.best_epoch) + 1
        for callback in callbacks
        if isinstance(callback, keras.callbacks.EarlyStopping)
        and callback.restore_best_weights
        and callback.best_weights is not None
    ]
    return went_back[-1] if went_back else None


def as_keras_history(history: History, accuracy: str, model: Any) -> Any:
    """Return what `fit` returns: every epoch of a training by Keras's names, those before a pause
    too.
    """
    result = keras.callbacks.History()
    result.set_model(model)
    result.epoch = [epoch.epoch - history[0].epoch for epoch in history]
    rows = [_logs(epoch, accuracy) for epoch in history]
    result.history = {
        name: [row[name] for row in rows if name in row] for name in (rows[0] if rows else {})
    }
    return result


def _logs(epoch: Epoch, accuracy: str) -> dict[str, float]:
    own = (
        {"accuracy": epoch.accuracy, "val_accuracy": epoch.val_accuracy}
        if accuracy == "accuracy"
        else {}
    )
    return {"loss": epoch.loss, **own, "val_loss": epoch.val_loss, **epoch.others}
