"""Lines below a notebook's cell that are rewritten in place, for the progress of trainings."""

from __future__ import annotations

import importlib
import sys
import time
from typing import Any

from eyetune.values.display import lines

SECONDS_BETWEEN_UPDATES = 0.5  # faster than this, a browser would only redraw


def in_notebook() -> bool:
    """Return whether this process runs the cells of a notebook."""
    ipython: Any = sys.modules.get("IPython")  # a notebook has imported it before
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


class CellOutput:
    """A heading and one line below the running cell; the line is rewritten as work proceeds."""

    def __init__(self) -> None:
        self._heading = ""
        self._line = ""
        self._handle: Any = None
        self._shown_at = 0.0
        self._closed = False

    def note(self, message: str) -> None:
        """Use the first message as the heading; show later ones until something else happens."""
        if not self._heading:
            self._heading = message
            self._show("")
        else:
            self._show(message)

    def line(self, text: str) -> None:
        """Show a line that stays until the next one."""
        self._line = text
        self._show(text)

    def passing(self, text: str) -> None:
        """Show a text until the next one, unless another one was shown just before."""
        if time.monotonic() - self._shown_at > SECONDS_BETWEEN_UPDATES:
            self._show(text)

    def close(self) -> None:
        """End with the heading and the last line. A heading without a line is removed."""
        if not self._line:
            self._heading = ""
        self._show(self._line)
        self._closed = True

    def _show(self, text: str) -> None:
        if self._closed:
            return
        content = {"text/plain": lines(f"{self._heading}\n{text}".strip())}
        if self._handle is None:
            module: Any = importlib.import_module("IPython.display")
            self._handle = module.display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)
        self._shown_at = time.monotonic()
