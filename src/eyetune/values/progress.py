"""How slow steps report their progress."""

from __future__ import annotations

from collections.abc import Callable

OnProgress = Callable[[int, int], None]  # the number of finished items, and of all items
