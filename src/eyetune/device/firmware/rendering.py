"""Rendering of the templates beside this module, and writing of the files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from eyetune.device.firmware.escaping import FILTERS
from eyetune.errors import UsageError

_TEMPLATE = ".j2"
_FOLDER = Path(__file__).parent / "templates"


def render_all(templates: Iterable[tuple[str, str]], context: Mapping[str, Any]) -> dict[str, str]:
    """Return the contents of files by their paths.

    Args:
        templates: For each file its path, and the path of its template. A template that ends in
            .j2 is rendered; others are copied.
        context: The values for the templates.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # The output is C and Markdown, not HTML: the filters in `escaping` replace autoescape.
    environment = Environment(  # nosec B701
        loader=FileSystemLoader(_FOLDER),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= FILTERS
    contents = {}
    for path, template in templates:
        if template.endswith(_TEMPLATE):
            contents[path] = environment.get_template(template).render(context)
        else:
            contents[path] = (_FOLDER / template).read_text(encoding="utf-8")
    return contents


def write_all(folder: Path, contents: Mapping[str, str]) -> tuple[Path, ...]:
    """Write files into an empty folder, and return their paths in alphabetical order.

    Raises:
        UsageError: The folder is missing or not empty, or cannot be written.
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
            "Cannot write the firmware.",
            expected="a folder that you may write to, on a disk with free space",
            received=f"{error.filename or folder}: {error.strerror}",
            fix="Choose another folder.",
        ) from None
    return tuple(paths)


def _check_empty(folder: Path) -> None:
    if not folder.exists():
        problem = "does not exist"
    elif not folder.is_dir():
        problem = "is not a folder"
    elif any(folder.iterdir()):
        problem = "is not empty"
    else:
        return
    raise UsageError(
        "Firmware can only be written to an empty folder.",
        expected="an empty folder",
        received=f"{folder}, which {problem}",
        fix="Create a new folder: existing files are never replaced.",
    )
