"""Files of a firmware, made of the templates beside this file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from eyetune.device.firmware.text import FILTERS
from eyetune.errors import UsageError

_TEMPLATE = ".j2"


def render_all(files: Iterable[tuple[str, str]], context: Mapping[str, Any]) -> dict[str, str]:
    """Return the contents of files by their paths.

    Args:
        files: Of each the path that it is to have and the template's; one that ends in .j2 is
            filled.
        context: The values that templates name.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # What is made is C and Markdown, not HTML: the filters in `text` take the place of autoescape.
    environment = Environment(
        loader=PackageLoader("eyetune", "device/firmware/templates"),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= FILTERS
    rendered = {}
    for path, template in files:
        if template.endswith(_TEMPLATE):
            rendered[path] = environment.get_template(template).render(context)
        else:
            assert environment.loader is not None
            rendered[path] = environment.loader.get_source(environment, template)[0]
    return rendered


def write_all(folder: Path, contents: Mapping[str, str]) -> tuple[Path, ...]:
    """Write files into an empty folder, and return their paths in order.

    Raises:
        UsageError: There is no such folder, it is not empty, or it cannot be written to.
    """
    _check_empty(folder)
    paths = []
    try:
        for name, content in sorted(contents.items()):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", errors="replace", newline="\n") as stream:
                stream.write(content)
            paths.append(path)
    except OSError as error:
        raise UsageError(
            "The firmware cannot be written.",
            received=f"{error.filename or folder}: {error.strerror}",
            fix="Choose a folder with room that you may write to.",
        ) from None
    return tuple(paths)


def _check_empty(folder: Path) -> None:
    problem = None
    if not folder.is_dir():
        problem = "not a folder" if folder.exists() else "not there"
    elif any(folder.iterdir()):
        problem = "not empty"
    if problem:
        raise UsageError(
            "The firmware cannot be written there.",
            expected="an empty folder",
            received=f"{folder}, which is {problem}",
            fix="Make a new folder; nothing is written over.",
        )
