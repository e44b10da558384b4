"""Model functions on disk: an immutable copy when a study begins, loaded by every process that
trains with it.
"""

from __future__ import annotations

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
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from eyetune._files import write_bytes
from eyetune.errors import FunctionError, nearest
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
        hypermodel: A `keras_tuner.HyperModel`: `build(hp)` makes a network, `fit(hp, model, ...)`
            trains it.
        arguments: What the user gave `search` for its trainings: callbacks, batch_size,
            class_weight and the like.
        policy: Keras's dtype policy as the user's file left it; "" where it said nothing.
        custom_objects: The user's own classes and functions by name, for Keras to find when it
            loads a network.
    """

    hypermodel: Any
    arguments: Mapping[str, Any] = field(default_factory=dict)
    policy: str = ""
    custom_objects: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_own_fit(self) -> bool:
        """Whether the user trains in their own way."""
        import keras_tuner

        return type(self.hypermodel).fit is not keras_tuner.HyperModel.fit


def keep(
    function: object | str | Path, folder: Path, arguments: Mapping[str, Any] | None = None
) -> str:
    """Copy a model function, so that a later edit of the original changes nothing.

    Args:
        function: "file.py:name" (without a name: build_model), or a callable, a HyperModel or its
            class.
        folder: Where copies go, each into a folder of its own, named by its digest.
        arguments: For every training, as the user gave them to `search`; kept beside the function.

    Returns:
        The word for `model.function` of a recipe. A copy's own word comes back as it is.

    Raises:
        FunctionError: There is no such file or name, it cannot be called, it is no Python, or it
            cannot be pickled.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "model.py").write_text("def build_model(hp): ...")
        >>> word = keep(f"{folder}/model.py:build_model", folder / "functions")
        >>> word.endswith("/model.py:build_model"), keep(word, folder / "functions") == word
        (True, True)
    """
    given = dict(arguments or {})
    if not isinstance(function, str | Path):
        return _keep_object(function, folder, given)
    path, name = split(str(function))
    if (path.parent / ORIGIN).is_file() and not given:
        return str(function)
    return _keep_file(path, name, folder, given)


def split(word: str) -> tuple[Path, str]:
    """Return the file and the name in it that a word means; a pickle has no name.

    Example:
        >>> split("nets/model.py:build_model"), split("function.pickle")
        ((PosixPath('nets/model.py'), 'build_model'), (PosixPath('function.pickle'), ''))
    """
    if word.endswith(".pickle"):
        return Path(word), ""
    path, colon, name = word.rpartition(":")
    if colon and path.endswith(".py"):
        return Path(path).expanduser(), name or DEFAULT_NAME
    return Path(word).expanduser(), DEFAULT_NAME


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


def _keep_object(function: object, folder: Path, arguments: dict[str, Any]) -> str:
    if not (callable(function) or hasattr(function, "build")):
        raise FunctionError(
            "What is to build the networks cannot be called.",
            expected="a function build_model(hp), a keras_tuner.HyperModel or file.py:name",
            received=f"{type(function).__name__}: {function!r:.60}",
        )
    with _by_value(function) as origin:
        name = getattr(function, "__name__", type(function).__name__)
        whole = _pickled((function, arguments), f"the function {name} or what was given with it")
    contents = {PICKLE: whole, ORIGIN: json.dumps({"folder": origin}).encode()}
    return str(_written(folder, contents) / PICKLE)


def _check_source(path: Path, name: str) -> None:
    """Refuse what can be seen without running it: the process that coordinates a study loads no
    Keras.
    """
    _existing(path)
    try:
        with tokenize.open(path) as stream:
            source = stream.read()
        symbols = symtable.symtable(source, path.name, "exec").get_symbols()
    except (SyntaxError, ValueError) as error:
        raise FunctionError(f"{path} is not valid Python.", received=_syntax(error)) from None
    names = [
        one.get_name()
        for one in symbols
        if one.is_assigned() or one.is_imported() or one.is_namespace()
    ]
    if name not in names and "import *" not in source:
        raise _no_such_name(path, name, names)


def _syntax(error: Exception) -> str:
    place = f"line {error.lineno}: " if isinstance(error, SyntaxError) and error.lineno else ""
    return f"{place}{error.msg if isinstance(error, SyntaxError) else error}"


def _existing(path: Path) -> Path:
    if not path.is_file():
        others = (
            [one.name for one in path.parent.glob(f"*{path.suffix}")]
            if path.parent.is_dir()
            else []
        )
        raise FunctionError(
            f"There is no file {path}.",
            expected="a Python file and the function in it, as file.py:build_model",
            fix=nearest(path.name, sorted(others)) if others else None,
        )
    return path


def _no_such_name(path: Path, name: str, names: list[str]) -> FunctionError:
    public = [one for one in names if not one.startswith("_")]
    return FunctionError(
        f"{path.name} has no {name}.", received=name, fix=nearest(name, public) if public else None
    )


def _pickled(value: Any, what: str) -> bytes:
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(value))
    except Exception as error:  # each kind of object fails in its own way
        raise FunctionError(
            f"Worker processes cannot be handed {what}.",
            expected="what can be pickled: no open files, locks or generators",
            received=f"{type(error).__name__}: {error}",
            fix="Make such things inside the function, or put it into a file and name it as file.py:build_model.",
        ) from None


@contextmanager
def _by_value(function: object) -> Iterator[str]:
    """Pickle what a user's own module defines with its code, as of __main__, and yield the folder
    of that module.
    """
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
    """Write files into a folder that is named by what they hold; one that is there holds the same."""
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(f"{name}:{len(content)}:".encode() + content)
    place = folder.resolve() / digest.hexdigest()[:16]
    place.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        if not (place / name).exists():
            write_bytes(place / name, content)
    return place


@lru_cache(maxsize=MAX_LOADED)
def load(word: str) -> Loaded:
    """Load a model function; Keras must be started.

    Args:
        word: From `keep`, or "file.py:name".

    Returns:
        The same for the same word, for as long as the process lives.

    Raises:
        FunctionError: It is not there, raised an exception when it was loaded, or is nothing that
            builds networks.
    """
    import keras

    path, name = split(word)
    before = keras.config.dtype_policy()
    try:
        with _their_modules(_existing(path)):
            value, arguments = (
                _unpickled(path) if path.suffix == ".pickle" else _from_file(path, name)
            )
        after = keras.config.dtype_policy()
    finally:
        keras.config.set_dtype_policy(before)
    policy = after.name if after.name != before.name else ""
    return Loaded(_hypermodel(value, word), arguments, policy, _custom_objects(value))


def _custom_objects(value: Any) -> dict[str, Any]:
    """Return the classes and functions that a model function can see under their names."""
    kind = value if inspect.isclass(value) or inspect.isroutine(value) else type(value)
    function = inspect.unwrap(getattr(kind, "build", kind))
    function = getattr(function, "__func__", function)
    if not inspect.isfunction(function):
        return {}
    seen = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
    found = {
        name: one for name, one in seen.items() if inspect.isclass(one) or inspect.isfunction(one)
    }
    return {**{one.__name__: one for one in found.values()}, **found}


@contextmanager
def _their_modules(path: Path) -> Iterator[None]:
    """Let a user's file import its neighbours: before all others while it is loaded, after them
    from then on.
    """
    origin = path.parent / ORIGIN
    folder = (
        json.loads(origin.read_text())["folder"] if origin.is_file() else str(path.resolve().parent)
    )
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
    arguments = path.parent / ARGUMENTS
    return getattr(module, name), pickle.loads(
        arguments.read_bytes()
    ) if arguments.is_file() else {}


def _module(path: Path) -> ModuleType:
    name = f"their_function_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and Keras look a class's module up there
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
    except Exception as error:  # it runs imports of the user's, and a damaged file raises anything
        raise FunctionError(
            f"The function in {path} cannot be loaded.", received=their_traceback(error)
        ) from None
    return value, arguments


def _hypermodel(value: Any, word: str) -> Any:
    import keras_tuner

    if inspect.isclass(value) and issubclass(value, keras_tuner.HyperModel):
        try:
            return value()
        except Exception as error:
            raise FunctionError(
                f"The HyperModel {value.__name__} cannot be made without arguments.",
                received=their_traceback(error),
                fix=f"Make one in the file, as my_model = {value.__name__}(...), and name that: file.py:my_model.",
            ) from None
    if isinstance(value, keras_tuner.HyperModel):
        return value
    if not callable(value):
        raise FunctionError(
            f"{word} cannot be called.",
            expected="a function build_model(hp) or a keras_tuner.HyperModel",
            received=f"{type(value).__name__}: {value!r:.60}",
        )
    hypermodel = keras_tuner.HyperModel()
    hypermodel.build = value
    return hypermodel
