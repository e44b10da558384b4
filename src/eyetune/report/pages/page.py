"""Pages: one HTML file each that opens anywhere, offline too; everything in it that a user wrote is
escaped.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from eyetune._files import write_text
from eyetune.errors import WorkspaceError
from eyetune.recipe.changes import recipe_changes, value_text

if TYPE_CHECKING:
    from markupsafe import Markup

    from eyetune.recipe import Recipe
    from eyetune.report.figures.picture import Picture

_XLINK = "{http://www.w3.org/1999/xlink}"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_TALL = 900  # points: a picture that need not fit on one printed page


@dataclass(frozen=True)
class Drawing:
    """A picture in a page.

    Attributes:
        svg: Its markup.
        caption: What it shows, below it.
        width: In points; it is shown no larger.
        tall: Whether it may be cut when the page is printed.
        photo: Whether it holds photographs, whose colours stay in a dark page.
    """

    svg: Markup
    caption: str
    width: float
    tall: bool
    photo: bool


@dataclass(frozen=True)
class Cell:
    """A table's cell: what it shows, what it is sorted by, and a class for its looks."""

    text: str
    key: float | str = ""
    kind: str = ""


@dataclass(frozen=True)
class Row:
    """A table's row, and a class for its looks."""

    cells: Sequence[Cell]
    kind: str = ""


def render(template: str, context: Mapping[str, Any]) -> str:
    """Fill one of the package's templates; whatever is put in is escaped.

    Args:
        template: Its name, without ".html.j2".
        context: The values that it names, all of them.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("eyetune", "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(f"{template}.html.j2").render(context)


def write_page(html: str, path: Path) -> Path:
    """Write a page, whole or not at all, and return its path.

    Raises:
        WorkspaceError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, html)
    except OSError as error:
        raise WorkspaceError(
            f"The report {path} cannot be written.",
            received=error.strerror or error,
            fix="Name another file with --output.",
        ) from None
    return path


def drawing(picture: Picture, name: str, caption: str, *, photo: bool = False) -> Drawing:
    """Make a picture part of a page.

    Args:
        picture: The figure.
        name: A word that no other drawing of the page has: it keeps their ids apart.
        caption: What it shows.
        photo: Whether it holds photographs.
    """
    from eyetune.report.figures.picture import svg_bytes

    return embedded(svg_bytes(picture), name, caption, photo=photo)


def embedded(content: bytes, name: str, caption: str, *, photo: bool = False) -> Drawing:
    """Make an SVG file's content part of a page, as `drawing` does."""
    from markupsafe import Markup

    root = ElementTree.fromstring(content)
    width, height = (float(size) for size in root.attrib["viewBox"].split()[2:])
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {
            _local(key): _prefixed(_local(key), value, name)
            for key, value in element.attrib.items()
        }
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.attrib |= {"role": "img", "aria-label": caption}
    # ElementTree escapes text and attributes, so what users wrote into labels is harmless here too.
    markup = Markup(ElementTree.tostring(root, encoding="unicode"))
    return Drawing(markup, caption, width, height > _TALL, photo)


def _local(key: str) -> str:
    return f"xlink:{key.removeprefix(_XLINK)}" if key.startswith(_XLINK) else key.rpartition("}")[2]


def _prefixed(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key in ("href", "xlink:href") and value.startswith("#"):
        return f"#{name}-{value[1:]}"
    return _REFERENCE.sub(rf"url(#{name}-\1)", value)


def marked_lines(text: str, other: str) -> list[tuple[str, bool]]:
    """Return a text's lines, each with whether the other text lacks it.

    Example:
        >>> marked_lines("a = 1\\nb = 2", "a = 1\\nb = 3")
        [('a = 1', False), ('b = 2', True)]
    """
    mine, theirs = text.splitlines(), other.splitlines()
    blocks = difflib.SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks()
    same = {place for block in blocks for place in range(block.a, block.a + block.size)}
    return [(line, place not in same) for place, line in enumerate(mine)]


def change_rows(before: Recipe, after: Recipe) -> list[Row]:
    """Return a table of the settings that differ between two recipes: path, old and new value."""
    rows = []
    for change in recipe_changes(before, after):
        values = (change.path, value_text(change.before), value_text(change.after))
        rows.append(Row([Cell(value) for value in values]))
    return rows


def web_link(link: str) -> str:
    """Return a link if it leads into the web, else "": a technique of the user's own may hold
    anything.

    Example:
        >>> web_link("https://keras.io"), web_link("javascript:alert(1)")
        ('https://keras.io', '')
    """
    return link if link.lower().startswith(("https://", "http://")) else ""


def signed(share: float) -> Cell:
    """Return a difference of shares in points, with its sign."""
    return Cell(f"{100 * share:+.2f}", share)


def probability(p_value: float) -> Cell:
    """Return a p-value."""
    return Cell("<0.0001" if p_value < 0.0001 else f"{p_value:.4f}", p_value)


def finding(words: str | None) -> Cell:
    """Return "better" or "worse", or where neither is sure (None) so much."""
    return Cell(words, words, words) if words else Cell("not sure", "not sure", "soft")


def interval_words(interval: Sequence[float]) -> str:
    """Return an interval of shares in points.

    Example:
        >>> interval_words((-0.001, 0.02))
        '-0.10 to +2.00'
    """
    low, high = interval
    return f"{100 * low:+.2f} to {100 * high:+.2f}"


def with_spread(accuracy: float, deviation: float | None) -> str:
    """Return an accuracy with its standard deviation over seeds, where there is one.

    Example:
        >>> with_spread(0.7, 0.004), with_spread(0.7, None)
        ('70.00% ± 0.40', '70.00%')
    """
    return f"{accuracy:.2%}" + (f" ± {100 * deviation:.2f}" if deviation is not None else "")


def duration(seconds: float) -> str:
    """Return a time in the words that one would say.

    Example:
        >>> duration(42.4), duration(600), duration(5025)
        ('42 s', '10 min', '1 h 24 min')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
