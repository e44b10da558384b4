"""The files of a model function: what is hashed, shown and run is read once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from eyetune.errors import FunctionError, nearest

DEFAULT_NAME = "build_model"
PICKLE = "function.pickle"
ARGUMENTS = "arguments.pickle"
ORIGIN = "origin.json"


@dataclass(frozen=True)
class FunctionFiles:
    """A model function on disk.

    Attributes:
        path: Its file: Python source or a pickle.
        name: Name of the function in its source; "" for a pickle.
        contents: Contents by file name: its file, the folder that it imports from (`ORIGIN`), and
            the arguments of its search (`ARGUMENTS`) if there are any.
    """

    path: Path
    name: str
    contents: Mapping[str, bytes]

    @property
    def content(self) -> bytes:
        """The content of its file."""
        return self.contents[self.path.name]

    @property
    def is_pickle(self) -> bool:
        """Whether it is a pickle instead of source text."""
        return self.path.suffix == ".pickle"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all contents, as hexadecimal digits."""
        return digest_of(self.contents)

    @cached_property
    def folder(self) -> Path:
        """The folder of the modules that it may import: where the user's file was, or is.

        Raises:
            FunctionError: The file that names it is damaged.
        """
        try:
            return Path(json.loads(self.contents[ORIGIN])["folder"])
        except (ValueError, TypeError, KeyError, RecursionError):
            raise FunctionError(
                f"{self.path.parent / ORIGIN} is damaged.",
                expected='a JSON object with the text "folder"',
                fix="Name the file of the model function again.",
            ) from None


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


def read_files(function: str) -> FunctionFiles:
    """Read the files of a model function. Nothing of them is run.

    Args:
        function: `model.function` of a recipe.

    Raises:
        FunctionError: A file is missing or cannot be read.
    """
    path, name = split(function)
    existing(path)
    contents = {path.name: _content(path)}
    if (path.parent / ORIGIN).is_file():  # a copy in a workspace
        contents[ORIGIN] = _content(path.parent / ORIGIN)
        if (path.parent / ARGUMENTS).is_file():
            contents[ARGUMENTS] = _content(path.parent / ARGUMENTS)
    else:
        contents[ORIGIN] = origin_of(path.resolve().parent)
    return FunctionFiles(path, name, contents)


def origin_of(folder: Path | str) -> bytes:
    """Return the content of `ORIGIN` for a folder that a function may import from."""
    return json.dumps({"folder": str(folder)}).encode()


def digest_of(contents: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of files by name, as hexadecimal digits."""
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(f"{name}:{len(content)}:".encode() + content)
    return digest.hexdigest()


def existing(path: Path) -> Path:
    """Return the path of a file that exists.

    Raises:
        FunctionError: It does not; the error suggests the nearest name.
    """
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


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FunctionError(
            f"The model function {path} cannot be read.", received=error.strerror or error
        ) from None
