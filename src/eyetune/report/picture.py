"""A matplotlib figure that a notebook shows by itself."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

DOTS_PER_INCH = 144


class Picture(Figure):
    """A figure made without pyplot, which would keep it alive for ever and need a backend.

    A notebook shows a plain Figure only once pyplot is imported; this one brings its own picture.
    """

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=DOTS_PER_INCH)
        return stream.getvalue()
