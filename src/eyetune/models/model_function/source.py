"""Model functions on disk: copied when a study starts, so that later edits have no effect."""

from __future__ import annotations

import inspect
import io
import symtable
import sys
import sysconfig
import tokenize
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyetune._files import write_bytes
from eyetune.errors import FunctionError, nearest
from eyetune.models.model_function.files import (
    ARGUMENTS,
    ORIGIN,
    PICKLE,
    digest_of,
    existing,
    origin_of,
    read_files,
    split,
)
from eyetune.models.model_function.trust import trust_own


def keep(
    function: object | str | Path,
    folder: Path,
    arguments: Mapping[str, Any] | None = None,
    *,
    for_workers: bool = True,
    is_named: bool = True,
) -> str:
    """Copy a model function, so that later changes of the original have no effect.

    The user's list of trusted functions gets the SHA-256 of the copy.

    Args:
        function: "file.py:name" (without a name: build_model), a callable, or a HyperModel or its
            class.
        folder: Folder of the copies. Each goes into its own subfolder, named by its digest.
        arguments: The user's arguments of `search`, for every training; stored with the function.
        for_workers: Whether worker processes load the copy. Otherwise what cannot be pickled is
            left out of it: this process has the user's own objects (see `sharing`).
        is_named: Whether the user has named the function. A recipe may name that of someone else:
            its copy is as trusted as the original.

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
        kept = _keep_object(function, folder, arguments, for_workers=for_workers)
    else:
        path, name = split(str(function))
        if not for_workers and not _can_be_pickled(arguments):
            arguments = {}
        is_copy = (path.parent / ORIGIN).is_file() and not arguments
        kept = str(function) if is_copy else _keep_file(path, name, folder, arguments)
    if is_named:
        trust_own(read_files(kept))
    return kept


def _keep_file(path: Path, name: str, folder: Path, arguments: dict[str, Any]) -> str:
    if path.suffix == ".pickle":
        return str(existing(path).resolve())
    files = read_files(str(path))
    check_source(path, files.content, name)
    contents = {path.name: files.content, ORIGIN: origin_of(path.resolve().parent)}
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
    contents = {PICKLE: whole, ORIGIN: origin_of(origin)}
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


def check_source(path: Path, content: bytes, name: str) -> None:
    """Check that a file is valid Python and has a name, without running it.

    The process that coordinates a study imports no Keras, so it cannot run the file.

    Args:
        path: The file.
        content: Its content.
        name: Name of the function.

    Raises:
        FunctionError: It is not valid Python, or has no such name.
    """
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        source = io.TextIOWrapper(io.BytesIO(content), encoding).read()
        symbols = symtable.symtable(source, path.name, "exec").get_symbols()
    except (SyntaxError, ValueError, RecursionError) as error:
        raise FunctionError(f"{path} is not valid Python.", received=_syntax(error)) from None
    names = [
        symbol.get_name()
        for symbol in symbols
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
    ]
    if name not in names and "import *" not in source:
        raise no_such_name(path, name, names)


def _syntax(error: Exception) -> str:
    if not isinstance(error, SyntaxError):
        return str(error)
    return f"line {error.lineno}: {error.msg}" if error.lineno else error.msg


def no_such_name(path: Path, name: str, names: list[str]) -> FunctionError:
    """Return the error for a file without a name that was asked for."""
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
    target = folder.resolve() / digest_of(contents)[:16]
    target.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        path = target / name
        if not path.is_file() or path.read_bytes() != content:
            write_bytes(path, content)
    return target
