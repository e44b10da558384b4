"""The modules that a reviewed model function imports, run as they were reviewed.

A function of one's own may import everything beside its file. One from someone else may not: only
the modules that its source names are found beside it. They are hashed and shown with it, and run
from the bytes that were hashed. Compiled files beside them are never used.
"""

from __future__ import annotations

import ast
import importlib.util
import pickletools
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import final

from eyetune.errors import FunctionError
from eyetune.models.model_function.files import FunctionFiles

MAX_MODULES = 200
MAX_BYTES = 10_000_000  # of all modules together
_DOTTED_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True)
class Module:
    """A module beside a model function.

    Attributes:
        path: Its file; for a folder without `__init__.py`, the one that is missing.
        content: Its source.
    """

    path: Path
    content: bytes

    @property
    def is_package(self) -> bool:
        """Whether it is a folder of modules."""
        return self.path.name == "__init__.py"


def modules_beside(files: FunctionFiles) -> dict[str, Module]:
    """Return the modules by name that a function and its modules import from its folder.

    Args:
        files: The function.

    Raises:
        FunctionError: There are too many to review.
    """
    found: dict[str, Module] = {}
    waiting = list(_names_of(files))
    while waiting:
        for name in _with_parents(waiting.pop()):
            module = None if name in found else _module_in(files.folder, name)
            if module is None:
                continue
            found |= {name: module, **_folders_above(files.folder, name, found)}
            waiting += _imports(module.content, name if module.is_package else _parent(name))
        num_bytes = sum(len(module.content) for module in found.values())
        if len(found) > MAX_MODULES or num_bytes > MAX_BYTES:
            raise FunctionError(
                f"{files.path.name} imports too many modules from {files.folder} to review them.",
                expected=f"at most {MAX_MODULES} modules of {MAX_BYTES:,} bytes together",
                fix="If you trust all of them, name the file yourself: "
                "--set model.function=FILE.py:build_model.",
            )
    return found


@contextmanager
def importable(modules: Mapping[str, Module]) -> Iterator[None]:
    """Let this process import reviewed modules.

    They come before all other modules inside of the block, and after them from then on.
    """
    if not modules:
        yield
        return
    finder = _Finder(modules)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        sys.meta_path.append(finder)


def module_of_source(name: str, path: Path, content: bytes) -> ModuleType:
    """Return a module that will run source text, before it does.

    Args:
        name: Name of the module.
        path: Its file, for tracebacks.
        content: Its source. The file is not read, and neither is Python's cache of compiled files.
    """
    spec = importlib.util.spec_from_file_location(name, path, loader=_Source(path, content))
    assert spec is not None  # a loader was given
    return importlib.util.module_from_spec(spec)


@final
class _Source(SourceLoader):
    """Loads a module from bytes; without times of its file, it reads and writes no cache."""

    def __init__(self, path: Path, content: bytes) -> None:
        self._path = str(path)
        self._content = content

    def get_filename(self, fullname: str) -> str:  # noqa: ARG002
        return self._path

    def get_data(self, path: str | bytes) -> bytes:
        if path != self._path:
            raise OSError(f"{path!r} was not reviewed")
        return self._content


@final
class _Finder(MetaPathFinder):
    """Finds reviewed modules."""

    def __init__(self, modules: Mapping[str, Module]) -> None:
        self._modules = modules

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        module = self._modules.get(fullname)
        if module is None:
            return None
        spec = importlib.util.spec_from_file_location(
            fullname, module.path, loader=_Source(module.path, module.content)
        )
        assert spec is not None  # a loader was given
        # Submodules are found here, too, and not by a search of the folder.
        spec.submodule_search_locations = [] if module.is_package else None
        return spec


def _names_of(files: FunctionFiles) -> Iterator[str]:
    for name, content in files.contents.items():
        if name.endswith(".pickle"):
            yield from _dotted_names(content)
        elif name == files.path.name:
            yield from _imports(content, "")


def _dotted_names(content: bytes) -> list[str]:
    """Return everything in a pickle that could be the name of a module."""
    names: dict[str, None] = {}
    try:
        for _, argument, _ in pickletools.genops(content):
            for text in argument.split(" ") if isinstance(argument, str) else ():
                if _DOTTED_NAME.fullmatch(text):
                    names[text] = None
    except Exception:  # a damaged pickle; it cannot be loaded either
        return list(names)
    return list(names)


def _imports(source: bytes, package: str) -> list[str]:
    """Return the names of modules that source text imports, and of what it imports from them."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # it cannot be run either
        return []
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node.module or "", node.level, package)
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return names


def _absolute(name: str, level: int, package: str) -> str:
    """Return the full name of a module that is imported relative to a package."""
    if level == 0:
        return name
    parts = package.split(".")
    parts = parts[: len(parts) - level + 1]
    return ".".join([*parts, *([name] if name else [])])


def _with_parents(name: str) -> Iterable[str]:
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def _parent(name: str) -> str:
    return name.rpartition(".")[0]


def _module_in(folder: Path, name: str) -> Module | None:
    """Return a module of a folder; None if it has none of this name."""
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        return None
    base = folder.joinpath(*parts)
    try:
        for path in (base / "__init__.py", base.with_name(f"{base.name}.py")):
            if path.is_file():
                return Module(path, path.read_bytes())
    except (OSError, ValueError):
        pass
    return None


def _folders_above(folder: Path, name: str, found: Mapping[str, Module]) -> dict[str, Module]:
    """Return the packages above a module that have no `__init__.py`."""
    return {
        parent: Module(folder.joinpath(*parent.split("."), "__init__.py"), b"")
        for parent in _with_parents(_parent(name))
        if parent and parent not in found
    }
