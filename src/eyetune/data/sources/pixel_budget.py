"""A budget of pixels that threads share: large images are decoded one after the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from eyetune.inputs.limits import Limit


class PixelBudget:
    """Lets threads decode images while these have no more pixels together than a limit.

    Args:
        limit: The limit on the pixels of all images that are decoded at the same time.
    """

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._num_pixels = 0
        self._changed = threading.Condition()

    @contextmanager
    def reserved(self, num_pixels: int) -> Iterator[None]:
        """Wait until an image fits, and reserve its pixels meanwhile.

        An image that exceeds the limit waits until no other one is decoded.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._fits(num_pixels))
            self._num_pixels += num_pixels
        try:
            yield
        finally:
            with self._changed:
                self._num_pixels -= num_pixels
                self._changed.notify_all()

    def _fits(self, num_pixels: int) -> bool:
        return not self._num_pixels or self._num_pixels + num_pixels <= self._limit.value
