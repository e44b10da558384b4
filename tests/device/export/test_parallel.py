"""Parts of images share processes: the order of the results, progress, and errors."""

from __future__ import annotations

import threading
import time
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.device.export.int8_values import Images, OnImage
from eyetune.device.export.parallel import in_parts
from eyetune.errors import BoardError


def numbered(num_images: int) -> Images:
    return np.arange(num_images, dtype=np.uint8).reshape(-1, 1, 1, 1)


def twice(images: Images, on_image: OnImage) -> list[int]:
    """Return the number of each image, as two interpreters that report their progress do."""
    for number in range(1, 2 * len(images) + 1):
        on_image(number)
    return [int(number) for number in images[:, 0, 0, 0]]


@given(num_images=st.integers(1, 50), num_parts=st.integers(1, 5))
def test_results_are_in_the_order_of_images(num_images: int, num_parts: int) -> None:
    numbers: list[int] = []
    results = in_parts(twice, numbered(num_images), num_parts, numbers.append)
    assert list(chain.from_iterable(results)) == list(range(num_images))
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 2 * num_images


def test_parts_are_classified_at_the_same_time() -> None:
    both_are_there = threading.Barrier(2, timeout=60)

    def wait_for_the_other(images: Images, _: OnImage) -> int:
        both_are_there.wait()
        return len(images)

    assert in_parts(wait_for_the_other, numbered(10), 2) == [5, 5]


@pytest.mark.parametrize("first", [0, 3])
def test_other_parts_end_after_an_error(first: int) -> None:
    num_classified = [0]

    def work(images: Images, on_image: OnImage) -> None:
        if images[0, 0, 0, 0] == first:
            raise KeyboardInterrupt
        for number in range(1, 1000):
            on_image(number)
            num_classified[0] = number
            time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        in_parts(work, numbered(6), 2)
    assert num_classified[0] < 500


@pytest.mark.parametrize("num_parts", [1, 3])
@pytest.mark.parametrize("error", [BoardError("The model is broken."), KeyboardInterrupt()])
def test_error_of_a_part_is_raised(error: BaseException, num_parts: int) -> None:
    def fail(images: Images, _: OnImage) -> int:
        if images[0, 0, 0, 0] == 0:
            raise error
        return len(images)

    with pytest.raises(type(error)):
        in_parts(fail, numbered(6), num_parts)
