"""Whether a user's functions have changed what is outside of them: lists, counters, attributes.

In a worker process, all of it is a copy. What a script reads after the search may be missing in its
own objects, which is noticed by comparing digests of the copies.
"""

from __future__ import annotations

import inspect
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from types import CodeType
from typing import Any

import numpy as np

LIBRARIES = ("keras", "keras_tuner", "tensorflow", "tensorboard")
MAX_COMPARED = 1000  # items of a container, from its end: it is there that things are added
MAX_DEPTH = 4

# What a digest of a value consists of: everything that shows whether it has changed.
Digest = tuple[Any, ...]


def digest_of(value: Any, depth: int = 0) -> Digest:
    """Return what shows whether a value has changed; deep down, only its kind and size count.

    Example:
        >>> losses = [0.5]
        >>> before = digest_of(losses)
        >>> losses.append(0.25)
        >>> digest_of(losses) == before
        False
    """
    kind = type(value).__name__
    if is_scalar(value):
        return (kind, repr(value))
    if isinstance(value, np.ndarray | bytearray):
        array = np.asarray(value)
        return (kind, array.shape, array.flat[-MAX_COMPARED:].tobytes())
    items = _items(value)
    size = len(value) if hasattr(value, "__len__") else len(items)
    if depth == MAX_DEPTH:
        return (kind, size)
    return (kind, size, *((str(name), digest_of(item, depth + 1)) for name, item in items))


def digests_of_hypermodel(hypermodel: Any) -> dict[str, Digest]:
    """Return a digest of everything outside of its functions that a hypermodel could change.

    That is its own attributes, and the variables that its methods refer to, by themselves or by
    other functions of the same module. Objects count if their class is from this module.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, of a class of the user's or with a function as its
            `build`.

    Returns:
        The digests, each by a text such as "MyHyperModel.histories" or "fit: histories".
    """
    digests: dict[str, Digest] = {}
    if not is_of_library(hypermodel):
        for name, value in vars(hypermodel).items():
            if is_container(value) or is_scalar(value):
                digests[f"{type(hypermodel).__name__}.{name}"] = digest_of(value)
    for function in _with_functions_called(functions_of(hypermodel)):
        for name, value in variables_of(function):
            is_of_module = type(value).__module__ == function.__module__
            if is_container(value) or is_scalar(value) or (is_of_module and is_object(value)):
                with suppress(Exception):  # a class of the user's may raise any error
                    digests[f"{function.__name__}: {name}"] = digest_of(value)
    return digests


def _with_functions_called(functions: Iterable[Any]) -> Iterator[Any]:
    """Yield functions, and those of the same module that they refer to."""
    waiting = list(functions)
    known: set[Any] = set()
    while waiting:
        function = waiting.pop(0)
        if function in known:
            continue
        known.add(function)
        yield function
        for _, value in variables_of(function):
            if inspect.isfunction(value) and value.__module__ == function.__module__:
                waiting.append(value)


def changed_names(before: Mapping[str, Digest], after: Mapping[str, Digest]) -> tuple[str, ...]:
    """Return the names of the digests that have changed."""
    return tuple(name for name, digest in before.items() if after.get(name, digest) != digest)


def is_of_library(value: Any) -> bool:
    """Return whether the class of an object is from Keras or a library around it."""
    return type(value).__module__.partition(".")[0] in LIBRARIES


def own_state(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of an object, and those of its classes that are the user's own."""
    for kind in reversed(type(value).__mro__):
        if kind.__module__.partition(".")[0] not in (*LIBRARIES, "builtins"):
            yield from vars(kind).items()
    yield from vars(value).items()


def functions_of(value: Any) -> Iterator[Any]:
    """Yield the functions of an object that are the user's own: its methods, and attributes."""
    for _, attribute in own_state(value):
        if not callable(attribute):
            continue
        function = inspect.unwrap(getattr(attribute, "__func__", attribute))
        function = getattr(function, "__func__", function)
        if inspect.isfunction(function) and function.__module__.partition(".")[0] not in LIBRARIES:
            yield function


def variables_of(function: Any) -> Iterator[tuple[str, Any]]:
    """Yield the variables outside a function that it refers to."""
    code = function.__code__
    for name in _names_in(code):
        if name in function.__globals__:
            yield name, function.__globals__[name]
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # it has no value yet
            continue


def _names_in(code: CodeType) -> Iterator[str]:
    """Yield the global names in the code of a function, and in functions within it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


def is_container(value: Any) -> bool:
    """Return whether a value is something to which things can be added."""
    return isinstance(value, list | dict | set | bytearray | deque | np.ndarray)


def is_scalar(value: Any) -> bool:
    """Return whether a value is a single number or text."""
    return isinstance(value, bool | int | float | str | bytes | np.generic)


def is_object(value: Any) -> bool:
    """Return whether a value is an object of a class of the user's own."""
    root = type(value).__module__.partition(".")[0]
    is_library = root in LIBRARIES or root in sys.stdlib_module_names
    return hasattr(value, "__dict__") and not is_library and not callable(value)


def _items(value: Any) -> list[tuple[Any, Any]]:
    """Return the last items of a container, or the attributes of an object, by name."""
    if isinstance(value, Mapping):
        return list(value.items())[-MAX_COMPARED:]
    if isinstance(value, list | tuple | deque):
        return list(enumerate(value))[-MAX_COMPARED:]
    return list(vars(value).items()) if is_object(value) else []
