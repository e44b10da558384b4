"""Classification of many images by several interpreters at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

import numpy as np

from eyetune.device.export.int8_values import Images, OnImage, Scores, no_progress

CHUNK_IMAGES = 64

Result = TypeVar("Result")
Classify = Callable[[Images], Scores]


class Workers(Protocol):
    """Processes that call functions; `eyetune.tuning.executors` has such executors."""

    num_workers: int

    def submit(self, function: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Let a process call a function, and return a future for its result."""


def scores_in_parallel(
    classifiers: Sequence[Classify], images: Images, on_image: OnImage = no_progress
) -> Scores:
    """Return the int8 scores of each image, shape (N, classes), in the order of the images.

    Each classifier gets one chunk of the images after the other, in a thread of its own.

    Args:
        classifiers: Functions that return the scores of images, all with the same result.
        images: Pixels, uint8 of shape (N, height, width, channels), at least one image.
        on_image: Called after each chunk with the number of images that are done.
    """
    free: SimpleQueue[Classify] = SimpleQueue()
    for classify in classifiers:
        free.put(classify)

    def classified(start: int) -> Scores:
        classify = free.get()
        try:
            return classify(np.asarray(images[start : start + CHUNK_IMAGES]))
        finally:
            free.put(classify)

    pool = ThreadPoolExecutor(len(classifiers))
    chunks = []
    num_done = 0
    try:
        for scores in pool.map(classified, range(0, len(images), CHUNK_IMAGES)):
            chunks.append(scores)
            num_done += len(scores)
            on_image(num_done)
    finally:  # also after Ctrl-C, which ends the classification after the chunks at work
        pool.shutdown(cancel_futures=True)
    return np.concatenate(chunks)
