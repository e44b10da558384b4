"""Lines below a notebook's cell that are rewritten in place: how a training shows itself there."""

from __future__ import annotations

import importlib
import sys
import time
from typing import Any

SECONDS_BETWEEN_UPDATES = 0.5  # a browser need not redraw after every few batches


def in_notebook() -> bool:
    """Return whether this process runs the cells of a notebook."""
    ipython: Any = sys.modules.get("IPython")  # a notebook has imported it long before us
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


class CellOutput:
    """A heading and one line below the running cell; the line is rewritten as the work goes on."""

    def __init__(self) -> None:
        self._heading = ""
        self._line = ""
        self._handle: Any = None
        self._shown_at = 0.0
        self._closed = False

    def note(self, words: str) -> None:
        """Take the first words as the heading; show later ones until something else happens."""
        if not self._heading:
            self._heading = words
            self._show("")
        else:
            self._show(words)

    def line(self, words: str) -> None:
        """Show a line that stays until the next one."""
        self._line = words
        self._show(words)

    def passing(self, words: str) -> None:
        """Show words that the next ones replace, unless some were shown just now."""
        if time.monotonic() - self._shown_at > SECONDS_BETWEEN_UPDATES:
            self._show(words)

    def close(self) -> None:
        """End with the heading and the last line; words alone, without a line, go."""
        if not self._line:
            self._heading = ""
        self._show(self._line)
        self._closed = True

    def _show(self, words: str) -> None:
        if self._closed:
            return
        content = {"text/plain": f"{self._heading}\n{words}".strip()}
        if self._handle is None:
            module: Any = importlib.import_module("IPython.display")
            self._handle = module.display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)
        self._shown_at = time.monotonic()
