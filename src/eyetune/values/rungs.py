"""Numbers of epochs that grow by a factor: the rungs of a search, the cycles of a schedule."""

from __future__ import annotations

import math


def geometric_rungs(max_epochs: int, factor: float, min_epochs: int) -> tuple[int, ...]:
    """Return `min_epochs * factor**k` for k = 0, 1, ..., and `max_epochs`.

    A power that is closer to `max_epochs` than to the rung below is left out: a pause there would
    decide little.

    Args:
        max_epochs: The last rung, 1 or more.
        factor: From one rung to the next, above 1.
        min_epochs: The first rung, from 1 to `max_epochs`.

    Example:
        >>> geometric_rungs(27, 3, 1), geometric_rungs(10, 3, 1), geometric_rungs(50, 3, 1)
        ((1, 3, 9, 27), (1, 3, 10), (1, 3, 9, 27, 50))
    """
    rungs: list[int] = []
    epochs: float = min_epochs
    while epochs * math.sqrt(factor) <= max_epochs:
        rungs.append(round(epochs))
        epochs *= factor
    return tuple(sorted({*rungs, max_epochs}))
