"""Which model functions may run: those that this user has named or trusted.

A recipe or a workspace may come from anyone and may name any file. Its function runs only if
- the user of this process named it, on the command line or in Python, or
- its SHA-256 is in the user's list (`eyetune.models.trusted`), where a function gets when its user
  names it, or reviews it with `--trust`.

`loading.load` asks here before it runs anything. See docs/security.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.util import decode_source

from eyetune.errors import UntrustedFunctionError
from eyetune.models import trusted
from eyetune.models.model_function.files import (
    ORIGIN,
    FunctionFiles,
    digest_of,
    read_files,
)
from eyetune.models.model_function.pickle_summary import pickle_summary
from eyetune.models.model_function.reviewed_modules import Module, modules_beside
from eyetune.recipe.named_functions import is_named


@dataclass(frozen=True)
class Review:
    """A function that its user has not named, and the modules that it may import.

    Attributes:
        files: The function.
        modules: The modules beside it that it imports, by name.
    """

    files: FunctionFiles
    modules: Mapping[str, Module]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the function and its modules, wherever they are."""
        contents = {name: text for name, text in self.files.contents.items() if name != ORIGIN}
        modules = {f"module {name}": module.content for name, module in self.modules.items()}
        return digest_of({**contents, **modules, "reviewed": b""})

    @property
    def texts(self) -> dict[str, str]:
        """What can be read of it, by path: source text, or what a pickle refers to."""
        folder = self.files.path.parent
        shown = {
            str(folder / name): pickle_summary(content)
            if name.endswith(".pickle")
            else _source_text(content)
            for name, content in self.files.contents.items()
            if name != ORIGIN
        }
        for module in self.modules.values():
            if module.content:
                shown[str(module.path)] = _source_text(module.content)
        return shown


@dataclass(frozen=True)
class Permission:
    """How a function may run.

    Attributes:
        modules: The modules beside it that it may import, by name; None if it may import any, since
            it is the user's own.
    """

    modules: Mapping[str, Module] | None = None


_reviewers: list[Callable[[Review], bool]] = []


@contextmanager
def reviewing(reviewer: Callable[[Review], bool]) -> Iterator[None]:
    """Let someone decide about functions that are not trusted, instead of refusing them.

    Args:
        reviewer: Returns whether a function is trusted from now on.
    """
    _reviewers.append(reviewer)
    try:
        yield
    finally:
        _reviewers.remove(reviewer)


def require(function: str) -> Permission:
    """Check that a function may run, before workers are asked to run it.

    Args:
        function: `model.function` of a recipe.

    Raises:
        UntrustedFunctionError: It may not.
        FunctionError: Its files are missing or damaged.
    """
    return permission(function, read_files(function))


def permission(function: str, files: FunctionFiles) -> Permission:
    """Return how a function may run; see `require`.

    Args:
        function: `model.function` of a recipe.
        files: Its files.
    """
    if is_named(function):
        trust_own(files)
    if trusted.is_trusted(files.digest):
        return Permission()
    review = Review(files, modules_beside(files))
    if trusted.is_trusted(review.digest):
        return Permission(review.modules)
    if _reviewers and _reviewers[-1](review):
        _remember(review)
        return Permission(review.modules)
    raise _refused(files)


def trust_own(files: FunctionFiles) -> None:
    """Trust a function that its user has named, with every module in its folder."""
    trusted.remember(files.digest, _label(files))


def trust_reviewed(function: str) -> None:
    """Trust a function that its user has reviewed, with the modules that it imports as they are.

    Args:
        function: `model.function` of a recipe.

    Raises:
        FunctionError: Its files are missing or damaged.
    """
    files = read_files(function)
    _remember(Review(files, modules_beside(files)))


def _remember(review: Review) -> None:
    trusted.remember(review.digest, _label(review.files))


def _source_text(content: bytes) -> str:
    """Return source as Python reads it, in the encoding that it declares."""
    try:
        return decode_source(content)
    except (SyntaxError, ValueError, LookupError):  # it cannot be run
        return content.decode("utf-8", errors="replace")


def _label(files: FunctionFiles) -> str:
    return f"{files.path.resolve()}:{files.name}" if files.name else str(files.path.resolve())


def _refused(files: FunctionFiles) -> UntrustedFunctionError:
    return UntrustedFunctionError(
        "A recipe or the workspace names a model function that you have not trusted. "
        "It was not run, since its code can do anything that you can.",
        expected="a function that you have named yourself, or whose SHA-256 is in "
        f"{trusted.list_path()}",
        received=f"{files.path}, SHA-256 {files.digest}",
        fix="If you trust its author, read it and repeat the command with --trust. "
        f'In Python: eyetune.trust_function("{files.path}").',
    )
