"""Many images, divided among processes that work at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import partial
from typing import TypeVar

import numpy as np

from eyetune.device.export.int8_values import Images, OnImage, no_progress

Result = TypeVar("Result")


class _EndedError(Exception):
    """Ends a part whose result is not needed any more."""


def in_parts(
    work: Callable[[Images, OnImage], Result],
    images: Images,
    num_parts: int,
    on_image: OnImage = no_progress,
) -> list[Result]:
    """Return the results for parts of images, in their order; each part has a thread of its own.

    Args:
        work: Called with some images and a function that gets its number of classifications so far.
        images: Pixels, uint8 of shape (N, height, width, channels), at least one image.
        num_parts: Number of parts, 1 or more; at most one for each image.
        on_image: Called with the number of classifications so far, in all parts together.

    Raises:
        BaseException: What a part raises, or Ctrl-C. The other parts end at their next image.
    """
    lock, is_ended = threading.Lock(), threading.Event()
    num_parts = min(num_parts, len(images))
    num_done = [0] * num_parts
    shown = 0

    def on_part(part: int, number: int) -> None:
        nonlocal shown
        if is_ended.is_set():
            raise _EndedError
        with lock:
            num_done[part] = number
            if sum(num_done) > shown:
                shown = sum(num_done)
                on_image(shown)

    borders = np.linspace(0, len(images), num_parts + 1).astype(int)
    if num_parts == 1:
        return [work(images, partial(on_part, 0))]
    with ThreadPoolExecutor(num_parts) as pool:
        futures = [
            pool.submit(work, images[borders[part] : borders[part + 1]], partial(on_part, part))
            for part in range(num_parts)
        ]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        except BaseException:  # an error in one of them, or Ctrl-C
            is_ended.set()  # the others end at their next image, and are waited for
            raise
    return [future.result() for future in futures]
