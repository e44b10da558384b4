"""A matplotlib figure that a notebook shows by itself, and how all figures are written."""

from __future__ import annotations

import base64
import html
import io
from contextlib import AbstractContextManager
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

DOTS_PER_INCH = 144
UNCUT: dict[str, Any] = {
    "bbox_inches": "tight",
    "pad_inches": 0.12,
}  # labels whole, no wide margins


class Picture(Figure):
    """A figure made without pyplot, which would keep it alive for ever and need a backend.

    A notebook shows a plain Figure only once pyplot is imported; this one brings its own picture.
    """

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=DOTS_PER_INCH, **UNCUT)
        return stream.getvalue()

    def as_html(self, words: str) -> str:
        """Return the picture as an element of a page that needs no file; `words` are for who cannot
        see it.
        """
        content = base64.b64encode(self._repr_png_()).decode()
        return f"<img alt='{html.escape(words)}' style='max-width:100%' src='data:image/png;base64,{content}'>"


def svg_style() -> AbstractContextManager[None]:
    """Within it, text stays text in an SVG, and the same figure gives the same file."""
    return rc_context({"svg.fonttype": "none", "svg.hashsalt": "eyetune"})


def svg_bytes(picture: Picture) -> bytes:
    """Return a figure as the content of an SVG file."""
    stream = io.BytesIO()
    with svg_style():
        picture.savefig(stream, format="svg", metadata={"Date": None}, **UNCUT)
    return stream.getvalue()
