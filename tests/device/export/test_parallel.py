"""Several classifiers share images: the order of the results, progress, and errors."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.device.export.int8_values import Images, Scores
from eyetune.device.export.parallel import CHUNK_IMAGES, Classify, scores_in_parallel
from eyetune.errors import BoardError


def first_pixels(images: Images) -> Scores:
    """Return scores that identify each image: its first two bytes."""
    return images.reshape(len(images), -1)[:, :2].view(np.int8)


def numbered(num_images: int) -> Images:
    images = np.zeros((num_images, 2, 2, 1), np.uint8)
    images[:, 0, 0, 0] = np.arange(num_images) % 256
    images[:, 0, 1, 0] = np.arange(num_images) // 256
    return images


@given(num_images=st.integers(1, 5 * CHUNK_IMAGES), num_classifiers=st.integers(1, 4))
def test_scores_are_in_the_order_of_images(num_images: int, num_classifiers: int) -> None:
    images = numbered(num_images)
    numbers: list[int] = []
    scores = scores_in_parallel(num_classifiers * [first_pixels], images, numbers.append)
    np.testing.assert_array_equal(scores, first_pixels(images))
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == num_images


def test_classifiers_work_at_the_same_time() -> None:
    both_are_there = threading.Barrier(2, timeout=60)

    def wait_for_the_other(images: Images) -> Scores:
        both_are_there.wait()
        return first_pixels(images)

    images = numbered(2 * CHUNK_IMAGES)
    scores = scores_in_parallel(2 * [wait_for_the_other], images)
    assert len(scores) == len(images)


def test_each_classifier_has_one_chunk_at_a_time() -> None:
    def exclusive() -> Classify:
        lock = threading.Lock()

        def classify(images: Images) -> Scores:
            assert lock.acquire(blocking=False)
            try:
                return first_pixels(images)
            finally:
                lock.release()

        return classify

    images = numbered(20 * CHUNK_IMAGES)
    assert len(scores_in_parallel([exclusive() for _ in range(3)], images)) == len(images)


@pytest.mark.parametrize("error", [BoardError("The model is broken."), KeyboardInterrupt()])
def test_errors_end_the_classification(error: BaseException) -> None:
    num_chunks = 0

    def fail(images: Images) -> Scores:
        nonlocal num_chunks
        num_chunks += 1
        raise error

    with pytest.raises(type(error)):
        scores_in_parallel([fail], numbered(50 * CHUNK_IMAGES))
    assert num_chunks < 50
