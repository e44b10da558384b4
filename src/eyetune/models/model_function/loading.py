"""Model functions in this process: checked, loaded once, or shared with their user.

`load` is the one place where a function that is named or recorded becomes one that can be called.
"""

from __future__ import annotations

import copy
import hashlib
import inspect
import pickle
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from eyetune.errors import FunctionError
from eyetune.models.model_function.files import ARGUMENTS, FunctionFiles, read_files
from eyetune.models.model_function.outside_state import (
    Digest,
    changed_names,
    digests_of_hypermodel,
)
from eyetune.models.model_function.reviewed_modules import importable, module_of_source
from eyetune.models.model_function.source import check_source, no_such_name
from eyetune.models.model_function.tracebacks import their_traceback
from eyetune.models.model_function.trust import Permission, permission

MAX_LOADED = 16


@dataclass(frozen=True)
class Loaded:
    """A model function in this process.

    Attributes:
        hypermodel: A `keras_tuner.HyperModel`: `build(hp)` builds a network, `fit(hp, model, ...)`
            trains it.
        arguments: The user's arguments of `search`, for the trainings: callbacks, batch_size,
            class_weight and others.
        policy: Keras's dtype policy that the user's file sets; "" if it sets none.
        custom_objects: The user's own classes and functions by name, which Keras needs to load a
            network.
        originals: The user's own callbacks, where this process has them; those in `arguments` are
            copies.
        digests: What is outside of its functions, as it was when they were loaded; empty where
            they are the user's own.
    """

    hypermodel: Any
    arguments: Mapping[str, Any] = field(default_factory=dict)
    policy: str = ""
    custom_objects: Mapping[str, Any] = field(default_factory=dict)
    originals: tuple[Any, ...] = ()
    digests: Mapping[str, Digest] = field(default_factory=dict)

    @property
    def changes(self) -> tuple[str, ...]:
        """What its functions have changed outside of them, in this process, such as "fit: log"."""
        return changed_names(self.digests, digests_of_hypermodel(self.hypermodel))

    @property
    def has_own_fit(self) -> bool:
        """Whether the user's hypermodel has its own `fit`."""
        import keras_tuner

        return type(self.hypermodel).fit is not keras_tuner.HyperModel.fit


def deep_copies(callbacks: Any) -> list[Any]:
    """Return deep copies of callbacks, or of none.

    Raises:
        FunctionError: They cannot be copied.
    """
    try:
        return copy.deepcopy(list(callbacks or ()))
    except Exception as error:  # each type has its own errors
        raise FunctionError(
            "The callbacks cannot be copied, but each training needs a copy.",
            received=f"{type(error).__name__}: {error}",
        ) from None


_shared: dict[str, Loaded] = {}  # model functions whose original this process uses, by name


def load(function: str) -> Loaded:
    """Load a model function; Keras must be started.

    Args:
        function: From `keep`, or "file.py:name".

    Returns:
        The function. In a process, the same object for the same text; within `sharing`, the user's
        own.

    Raises:
        UntrustedFunctionError: The user has neither named nor trusted it.
        FunctionError: It does not exist, raised an exception when it was loaded, or does not build
            networks.
    """
    return _shared.get(function) or _load(function)


@contextmanager
def sharing(
    function: str, original: object | str | Path, arguments: Mapping[str, Any]
) -> Iterator[None]:
    """Let this process build and train with the user's own objects instead of copies of them.

    What the function changes outside of itself is then changed for the user, too. Each training
    still has a copy of the callbacks, so that none begins with the state of another one.

    Args:
        function: From `keep`.
        original: What was given to `keep`.
        arguments: The user's arguments of `search`.
    """
    if isinstance(original, str | Path):
        loaded = _load(function)
    else:
        loaded = Loaded(_hypermodel(original, function), custom_objects=_custom_objects(original))
    originals = tuple(arguments.get("callbacks") or ())
    copied = {**arguments, "callbacks": deep_copies(originals)}
    _shared[function] = replace(loaded, arguments=copied, originals=originals)
    try:
        yield
    finally:
        del _shared[function]


@lru_cache(maxsize=MAX_LOADED)
def _load(function: str) -> Loaded:
    import keras

    files = read_files(function)
    allowed = permission(function, files)
    before = keras.config.dtype_policy()
    try:
        with _their_modules(files, allowed):
            value, arguments = _unpickled(files) if files.is_pickle else _from_source(files)
        after = keras.config.dtype_policy()
    finally:
        keras.config.set_dtype_policy(before)
    policy = after.name if after.name != before.name else ""
    hypermodel = _hypermodel(value, function)
    digests = digests_of_hypermodel(hypermodel)
    return Loaded(hypermodel, arguments, policy, _custom_objects(value), digests=digests)


def _custom_objects(value: Any) -> dict[str, Any]:
    """Return the classes and functions that a model function can use, by their names."""
    kind = value if inspect.isclass(value) or inspect.isroutine(value) else type(value)
    function = inspect.unwrap(getattr(kind, "build", kind))
    function = getattr(function, "__func__", function)
    if not inspect.isfunction(function):
        return {}
    variables = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
    by_variable = {
        name: value
        for name, value in variables.items()
        if inspect.isclass(value) or inspect.isfunction(value)
    }
    by_own_name = {value.__name__: value for value in by_variable.values()}
    return {**by_own_name, **by_variable}


@contextmanager
def _their_modules(files: FunctionFiles, allowed: Permission) -> Iterator[None]:
    """Let a user's file import the modules beside it; those that were reviewed, if any were.

    They come before all other modules while the file is loaded, and after them from then on.
    """
    if allowed.modules is not None:
        with importable(allowed.modules):
            yield
        return
    folder = str(files.folder)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        if folder not in sys.path:
            sys.path.append(folder)


def _from_source(files: FunctionFiles) -> tuple[Any, Mapping[str, Any]]:
    check_source(files.path, files.content, files.name)
    module = _module(files)
    if not hasattr(module, files.name):
        raise no_such_name(files.path, files.name, list(vars(module)))
    arguments = {}
    if ARGUMENTS in files.contents:
        arguments = pickle.loads(files.contents[ARGUMENTS])  # nosec B301  # permitted
    return getattr(module, files.name), arguments


def _module(files: FunctionFiles) -> ModuleType:
    path = files.path.resolve()
    name = f"their_function_{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"
    module = module_of_source(name, path, files.content)
    sys.modules[name] = module  # dataclasses and Keras look up the module of a class there
    try:
        assert module.__spec__ is not None
        assert module.__spec__.loader is not None
        module.__spec__.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise FunctionError(
            f"{path.name} cannot be imported.", received=their_traceback(error)
        ) from None
    return module


def _unpickled(files: FunctionFiles) -> tuple[Any, Mapping[str, Any]]:
    try:
        value, arguments = pickle.loads(files.content)  # nosec B301  # permitted
    except Exception as error:  # the user's imports and damaged files raise many errors
        raise FunctionError(
            f"The function in {files.path} cannot be loaded.", received=their_traceback(error)
        ) from None
    return value, arguments


def _hypermodel(value: Any, function: str) -> Any:
    import keras_tuner

    if inspect.isclass(value) and issubclass(value, keras_tuner.HyperModel):
        try:
            return value()
        except Exception as error:
            raise FunctionError(
                f"The HyperModel {value.__name__} cannot be created without arguments.",
                received=their_traceback(error),
                fix=(
                    f"Create one in the file, my_model = {value.__name__}(...), and name it: "
                    "file.py:my_model."
                ),
            ) from None
    if isinstance(value, keras_tuner.HyperModel):
        return value
    if not callable(value):
        raise FunctionError(
            f"{function} cannot be called.",
            expected="a function build_model(hp) or a keras_tuner.HyperModel",
            received=f"{type(value).__name__}: {value!r:.60}",
        )
    hypermodel = keras_tuner.HyperModel()
    hypermodel.build = value
    return hypermodel
