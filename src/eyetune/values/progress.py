"""How the steps that take long say how far they are."""

from __future__ import annotations

from collections.abc import Callable

OnProgress = Callable[[int, int], None]  # gets the number of items that are done, and of all items
