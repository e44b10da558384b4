"""The figure that all plots are drawn into, how it is written, and text that is safe in it."""

from __future__ import annotations

import base64
import html
import io
import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.text import Text

from eyetune._files import replaced_file
from eyetune.report.output import output_errors
from eyetune.values.display import lines

DOTS_PER_INCH = 144
FORMATS = ("png", "svg")
MAX_LABEL_LENGTH = 38  # characters of a label, before it is broken into lines
# Whole labels without wide margins.
UNCUT: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.12}


class Picture(Figure):
    """A figure that a notebook shows without pyplot.

    A notebook shows a plain Figure only after pyplot was imported, and pyplot needs a backend and
    keeps every figure alive.
    """

    def draw(self, renderer: Any) -> None:
        """Draw everything; control characters in texts, which SVG cannot hold, become visible."""
        for text in self.findobj(Text):
            shown = lines(text.get_text())
            if shown != text.get_text():
                text.set_text(shown)
        super().draw(renderer)

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=DOTS_PER_INCH, **UNCUT)
        return stream.getvalue()

    def as_html(self, alt: str) -> str:
        """Return the picture as an `img` element that needs no file.

        Args:
            alt: A text for readers who cannot see it.
        """
        content = base64.b64encode(self._repr_png_()).decode()
        return (
            f"<img alt='{html.escape(alt)}' style='max-width:100%'"
            f" src='data:image/png;base64,{content}'>"
        )


def new_picture(width_inches: float, height_inches: float) -> Picture:
    """Return an empty picture whose axes and legends are arranged when it is drawn."""
    return Picture(figsize=(width_inches, height_inches), layout="constrained")


def message_picture(message: str) -> Picture:
    """Return a picture that holds only a message, for example why there is nothing to draw."""
    picture = Picture(figsize=(6, 1))
    picture.add_axes((0, 0, 1, 1)).set_axis_off()  # a notebook shows no picture without axes
    picture.text(0.5, 0.5, plain(message), ha="center", va="center", color="0.35")
    return picture


def svg_style() -> AbstractContextManager[None]:
    """Return a context in which SVG keeps its text, and the same figure gives the same file."""
    return rc_context({"svg.fonttype": "none", "svg.hashsalt": "eyetune"})


def svg_bytes(picture: Picture) -> bytes:
    """Return a picture as the content of an SVG file."""
    stream = io.BytesIO()
    with svg_style():
        picture.savefig(stream, format="svg", metadata={"Date": None}, **UNCUT)
    return stream.getvalue()


def save(picture: Picture, folder: Path, name: str, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write a picture in one or several formats and return the files.

    Args:
        picture: The picture.
        folder: Where to write; it is created if it is missing.
        name: File name without extension.
        formats: Extensions without the dot.

    Raises:
        WorkspaceError: A file cannot be written.
    """
    paths = [folder / f"{name}.{extension}" for extension in formats]
    with output_errors(folder / name), svg_style():
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            metadata = {"Date": None} if path.suffix == ".svg" else {}
            with replaced_file(path) as partial:  # a link of that name is not followed
                picture.savefig(partial, dpi=DOTS_PER_INCH, metadata=metadata, **UNCUT)
    return paths


def plain(text: str) -> str:
    """Return a text that matplotlib shows as it is, and that an SVG file can hold.

    A dollar sign would start a formula, and control characters are not allowed in SVG. Line breaks
    stay: a name of the user's goes through `eyetune.values.display.one_line` first.

    Example:
        >>> plain("5 $")
        '5 \\\\$'
    """
    return lines(text).replace("$", r"\$")


def wrapped(text: str, max_length: int = MAX_LABEL_LENGTH) -> str:
    """Break a long label into lines.

    Example:
        >>> wrapped("one two three", 8)
        'one two\\nthree'
    """
    return "\n".join(textwrap.wrap(text, max_length)) or " "
