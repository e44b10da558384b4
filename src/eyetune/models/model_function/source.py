"""Model functions on disk: copied when a study starts, and loaded by each process."""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import inspect
import json
import pickle
import symtable
import sys
import sysconfig
import tokenize
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from eyetune._files import write_bytes
from eyetune.errors import FunctionError, nearest
from eyetune.models.model_function.outside_state import (
    Digest,
    changed_names,
    digests_of_hypermodel,
)
from eyetune.models.model_function.tracebacks import their_traceback

DEFAULT_NAME = "build_model"
PICKLE = "function.pickle"
ARGUMENTS = "arguments.pickle"
ORIGIN = "origin.json"
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


def keep(
    function: object | str | Path,
    folder: Path,
    arguments: Mapping[str, Any] | None = None,
    *,
    for_workers: bool = True,
) -> str:
    """Copy a model function, so that later changes of the original have no effect.

    Args:
        function: "file.py:name" (without a name: build_model), a callable, or a HyperModel or its
            class.
        folder: Folder of the copies. Each goes into its own subfolder, named by its digest.
        arguments: The user's arguments of `search`, for every training; stored with the function.
        for_workers: Whether worker processes load the copy. Otherwise what cannot be pickled is
            left out of it: this process has the user's own objects (see `sharing`).

    Returns:
        The text for `model.function` of a recipe. That of a copy is returned unchanged.

    Raises:
        FunctionError: The file or the name does not exist, it cannot be called, it is not valid
            Python, or it cannot be pickled.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "model.py").write_text("def build_model(hp): ...")
        >>> function = keep(f"{folder}/model.py:build_model", folder / "functions")
        >>> function.endswith("/model.py:build_model")
        True
        >>> keep(function, folder / "functions") == function
        True
    """
    arguments = dict(arguments or {})
    if not isinstance(function, str | Path):
        return _keep_object(function, folder, arguments, for_workers=for_workers)
    path, name = split(str(function))
    if not for_workers and not _can_be_pickled(arguments):
        arguments = {}
    if (path.parent / ORIGIN).is_file() and not arguments:
        return str(function)
    return _keep_file(path, name, folder, arguments)


def split(function: str) -> tuple[Path, str]:
    """Return the path and the name of a function given as file.py:name; a pickle has no name.

    Example:
        >>> split("nets/model.py:build_model"), split("function.pickle")
        ((PosixPath('nets/model.py'), 'build_model'), (PosixPath('function.pickle'), ''))
    """
    if function.endswith(".pickle"):
        return Path(function), ""
    path, colon, name = function.rpartition(":")
    if colon and path.endswith(".py"):
        return Path(path).expanduser(), name or DEFAULT_NAME
    return Path(function).expanduser(), DEFAULT_NAME


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


def _keep_file(path: Path, name: str, folder: Path, arguments: dict[str, Any]) -> str:
    if path.suffix == ".pickle":
        return str(_existing(path).resolve())
    _check_source(path, name)
    source = path.read_bytes()
    origin = json.dumps({"folder": str(path.resolve().parent)}).encode()
    contents = {path.name: source, ORIGIN: origin}
    if arguments:
        contents[ARGUMENTS] = _pickled(arguments, "the arguments of the search")
    return f"{_written(folder, contents) / path.name}:{name}"


def _keep_object(
    function: object, folder: Path, arguments: dict[str, Any], *, for_workers: bool
) -> str:
    if not (callable(function) or hasattr(function, "build")):
        raise FunctionError(
            "The model function cannot be called.",
            expected="a function build_model(hp), a keras_tuner.HyperModel or file.py:name",
            received=f"{type(function).__name__}: {function!r:.60}",
        )
    with _by_value(function) as origin:
        name = getattr(function, "__name__", type(function).__name__)
        if not for_workers and not _can_be_pickled(arguments):
            arguments = {}
        if not for_workers and not _can_be_pickled(function):
            function = NotKept(name)
        whole = _pickled((function, arguments), f"the function {name} or its arguments")
    contents = {PICKLE: whole, ORIGIN: json.dumps({"folder": origin}).encode()}
    return str(_written(folder, contents) / PICKLE)


@dataclass(frozen=True)
class NotKept:
    """Stands for a model function in the records that cannot be pickled.

    Attributes:
        name: Its name.
    """

    name: str

    def __call__(self, hp: Any) -> Any:  # noqa: ARG002
        """Refuse to build a network."""
        raise FunctionError(
            f"The records do not contain the model function {self.name}, which cannot be pickled.",
            fix="Continue in the script that defines it, with workers=0.",
        )


def _can_be_pickled(value: Any) -> bool:
    try:
        _pickled(value, "")
    except FunctionError:
        return False
    return True


def _check_source(path: Path, name: str) -> None:
    """Check that a file is valid Python and has a name, without running it.

    The process that coordinates a study imports no Keras, so it cannot run the file.
    """
    _existing(path)
    try:
        with tokenize.open(path) as stream:
            source = stream.read()
        symbols = symtable.symtable(source, path.name, "exec").get_symbols()
    except (SyntaxError, ValueError) as error:
        raise FunctionError(f"{path} is not valid Python.", received=_syntax(error)) from None
    names = [
        symbol.get_name()
        for symbol in symbols
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
    ]
    if name not in names and "import *" not in source:
        raise _no_such_name(path, name, names)


def _syntax(error: Exception) -> str:
    if not isinstance(error, SyntaxError):
        return str(error)
    return f"line {error.lineno}: {error.msg}" if error.lineno else error.msg


def _existing(path: Path) -> Path:
    if not path.is_file():
        others = []
        if path.parent.is_dir():
            others = [other.name for other in path.parent.glob(f"*{path.suffix}")]
        raise FunctionError(
            f"There is no file {path}.",
            expected="a Python file and the function in it, as file.py:build_model",
            fix=nearest(path.name, sorted(others)) if others else None,
        )
    return path


def _no_such_name(path: Path, name: str, names: list[str]) -> FunctionError:
    public = [public_name for public_name in names if not public_name.startswith("_")]
    return FunctionError(
        f"{path.name} has no {name}.", received=name, fix=nearest(name, public) if public else None
    )


def _pickled(value: Any, description: str) -> bytes:
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(value))
    except Exception as error:  # each type has its own errors
        raise FunctionError(
            f"Worker processes cannot receive {description}: it cannot be pickled.",
            expected="no open files, locks or generators",
            received=f"{type(error).__name__}: {error}",
            fix=(
                "Create such objects inside the function, or put the function into a file and "
                "name it as file.py:build_model."
            ),
        ) from None


@contextmanager
def _by_value(function: object) -> Iterator[str]:
    """Pickle a user's own module with its code, as for __main__; yield its folder."""
    import cloudpickle

    kind = function if inspect.isclass(function) or inspect.isfunction(function) else type(function)
    module = sys.modules.get(getattr(kind, "__module__", "") or "")
    path = getattr(module, "__file__", None)
    folder = str(Path(path).resolve().parent) if path else str(Path.cwd())
    if module is None or module.__name__ == "__main__" or not path or _is_installed(path):
        yield folder
        return
    cloudpickle.register_pickle_by_value(module)
    try:
        yield folder
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def _is_installed(path: str) -> bool:
    roots = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return any(Path(path).resolve().is_relative_to(Path(root).resolve()) for root in roots)


def _written(folder: Path, contents: Mapping[str, bytes]) -> Path:
    """Write files into a folder that is named by their content, and return the folder."""
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(f"{name}:{len(content)}:".encode() + content)
    target = folder.resolve() / digest.hexdigest()[:16]
    target.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        if not (target / name).exists():
            write_bytes(target / name, content)
    return target


_shared: dict[str, Loaded] = {}  # model functions whose original this process uses, by name


def load(function: str) -> Loaded:
    """Load a model function; Keras must be started.

    Args:
        function: From `keep`, or "file.py:name".

    Returns:
        The function. In a process, the same object for the same text; within `sharing`, the user's
        own.

    Raises:
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

    path, name = split(function)
    before = keras.config.dtype_policy()
    try:
        with _their_modules(_existing(path)):
            if path.suffix == ".pickle":
                value, arguments = _unpickled(path)
            else:
                value, arguments = _from_file(path, name)
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
def _their_modules(path: Path) -> Iterator[None]:
    """Let a user's file import the modules beside it.

    They come before all other modules while the file is loaded, and after them from then on.
    """
    origin = path.parent / ORIGIN
    folder = str(path.resolve().parent)
    if origin.is_file():
        folder = json.loads(origin.read_text())["folder"]
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        if folder not in sys.path:
            sys.path.append(folder)


def _from_file(path: Path, name: str) -> tuple[Any, Mapping[str, Any]]:
    _check_source(path, name)
    module = _module(path)
    if not hasattr(module, name):
        raise _no_such_name(path, name, list(vars(module)))
    arguments_path = path.parent / ARGUMENTS
    arguments = {}
    if arguments_path.is_file():
        arguments = pickle.loads(arguments_path.read_bytes())
    return getattr(module, name), arguments


def _module(path: Path) -> ModuleType:
    name = f"their_function_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and Keras look up the module of a class there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise FunctionError(
            f"{path.name} cannot be imported.", received=their_traceback(error)
        ) from None
    return module


def _unpickled(path: Path) -> tuple[Any, Mapping[str, Any]]:
    try:
        value, arguments = pickle.loads(path.read_bytes())
    except Exception as error:  # the user's imports and damaged files raise many errors
        raise FunctionError(
            f"The function in {path} cannot be loaded.", received=their_traceback(error)
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
