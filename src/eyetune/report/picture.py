"""A matplotlib figure that a notebook shows by itself."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.figure import Figure

DOTS_PER_INCH = 144
UNCUT: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.12}  # labels whole, no wide margins


class Picture(Figure):
    """A figure made without pyplot, which would keep it alive for ever and need a backend.

    A notebook shows a plain Figure only once pyplot is imported; this one brings its own picture.
    """

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=DOTS_PER_INCH, **UNCUT)
        return stream.getvalue()
