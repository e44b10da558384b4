"""The copies of a user's callbacks that a training gets, and what it changes in them.

KerasTuner copies callbacks in its own process: the functions of a `LambdaCallback` are shared, and
so is what they refer to. In a worker process everything is a copy, so what a script reads after the
search may be missing there. It is noticed by comparing the copies before and after the training.
"""

from __future__ import annotations

import inspect
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from eyetune.errors import FunctionError
from eyetune.models.model_function import Loaded, deep_copies
from eyetune.training.model_function.tensorboard_logs import configure_tensorboard
from eyetune.training.model_function.user_callbacks import NOT_STATE

LIBRARIES = ("keras", "keras_tuner", "tensorflow", "tensorboard")
MAX_COMPARED = 1000  # items of a container, from its end: it is there that things are added
MAX_DEPTH = 4

# What a digest of a value consists of: everything that shows whether it has changed.
Digest = tuple[Any, ...]


class CallbackCopies:
    """The copies of the user's callbacks for one training.

    Args:
        loaded: The model function, with the user's arguments of `search`.
        folder: Subfolder of TensorBoard's logs, such as "03/execution0".
        hyperparameters: The `keras_tuner.HyperParameters` of the training, for TensorBoard.
    """

    def __init__(self, loaded: Loaded, folder: str, hyperparameters: Any) -> None:
        self._loaded = loaded
        self._folder = folder
        self._hyperparameters = hyperparameters
        self._copies: list[Any] = []
        self._digests: dict[str, Digest] = {}

    def make(self) -> list[Any]:
        """Return new copies, with those for TensorBoard writing into the folder of the training.

        Raises:
            FunctionError: The callbacks cannot be copied, or one of them records trainings itself.
        """
        for callback in self._loaded.arguments.get("callbacks") or ():
            if getattr(callback, "records_runs", False):
                raise FunctionError(
                    "eyetune.Callback is for trainings by model.fit: trials are recorded anyway.",
                    fix="Leave it out of the callbacks.",
                )
        self._copies = deep_copies(self._loaded.arguments.get("callbacks"))
        self._digests = _digests(self._copies)
        logs = configure_tensorboard(self._copies, self._folder, self._hyperparameters)
        return [*self._copies, *logs]

    def give_back(self) -> None:
        """Write the attributes of the copies to the user's own objects, if this process has them.

        Only objects of the user's own classes get them: an attribute of a callback of Keras is its
        private business.
        """
        for original, trained in zip(self._loaded.originals, self._copies, strict=False):
            if not _is_of_library(original):
                state = vars(trained)
                vars(original).update(
                    {name: state[name] for name in state if name not in NOT_STATE}
                )

    @property
    def changes(self) -> tuple[str, ...]:
        """What the training changed in its copies and the user's own objects do not have.

        Each text names a callback and an attribute, or a variable that a function refers to, such
        as "LossLog.losses" or "LambdaCallback: losses". Of the attributes, only containers count:
        a number may be a time or a counter of the callback itself.
        """
        if self._loaded.originals:
            return ()
        after = _digests(self._copies)
        return tuple(
            name for name, digest in self._digests.items() if after.get(name, digest) != digest
        )


def _is_of_library(callback: Any) -> bool:
    return type(callback).__module__.partition(".")[0] in LIBRARIES


def _digests(callbacks: Sequence[Any]) -> dict[str, Digest]:
    """Return a digest of each container that the callbacks could fill, by its name."""
    digests: dict[str, Digest] = {}
    for callback in callbacks:
        kind = type(callback).__name__
        if not _is_of_library(callback):
            for name, value in _own_state(callback):
                if name not in NOT_STATE and not name.startswith("_") and _is_container(value):
                    digests[f"{kind}.{name}"] = _digest(value)
        for function in _functions(callback):
            for name, value in _variables(function):
                if _is_container(value) or _is_scalar(value) or _is_own_object(value):
                    digests[f"{kind}: {name}"] = _digest(value)
    return digests


def _own_state(callback: Any) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of a callback, and those of its classes that are the user's own."""
    for kind in reversed(type(callback).__mro__):
        if kind.__module__.partition(".")[0] not in (*LIBRARIES, "builtins"):
            yield from vars(kind).items()
    yield from vars(callback).items()


def _functions(callback: Any) -> Iterator[Any]:
    """Yield the functions of a callback that are the user's own: its methods, and attributes."""
    for _, value in _own_state(callback):
        function = inspect.unwrap(getattr(value, "__func__", value)) if callable(value) else None
        if inspect.isfunction(function) and function.__module__.partition(".")[0] not in LIBRARIES:
            yield function


def _variables(function: Any) -> Iterator[tuple[str, Any]]:
    """Yield the variables outside a function that it refers to."""
    code = function.__code__
    for name in code.co_names:
        if name in function.__globals__:
            yield name, function.__globals__[name]
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # it has no value yet
            continue


def _is_container(value: Any) -> bool:
    return isinstance(value, list | dict | set | bytearray | deque | np.ndarray)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, bool | int | float | str | bytes | np.generic)


def _is_own_object(value: Any) -> bool:
    """Return whether a value is an object of a class of the user's own."""
    root = type(value).__module__.partition(".")[0]
    is_library = root in LIBRARIES or root in sys.stdlib_module_names
    return hasattr(value, "__dict__") and not is_library and not callable(value)


def _digest(value: Any, depth: int = 0) -> Digest:
    """Return what shows whether a value has changed; deep down, only its kind and size count."""
    kind = type(value).__name__
    if _is_scalar(value):
        return (kind, repr(value))
    if isinstance(value, np.ndarray | bytearray):
        array = np.asarray(value)
        return (kind, array.shape, array.reshape(-1)[-MAX_COMPARED:].tobytes())
    items = _items(value)
    size = len(value) if hasattr(value, "__len__") else len(items)
    if depth == MAX_DEPTH:
        return (kind, size)
    return (kind, size, *((str(name), _digest(item, depth + 1)) for name, item in items))


def _items(value: Any) -> list[tuple[Any, Any]]:
    """Return the last items of a container, or the attributes of an object, by name."""
    if isinstance(value, Mapping):
        return list(value.items())[-MAX_COMPARED:]
    if isinstance(value, list | tuple | deque):
        return list(enumerate(value))[-MAX_COMPARED:]
    return list(vars(value).items()) if _is_own_object(value) else []
