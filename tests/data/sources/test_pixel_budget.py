from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from eyetune.data.sources.pixel_budget import PixelBudget
from eyetune.inputs.limits import Limit

LIMIT = Limit("EYETUNE_MAX_TEST", 10, "pixels", "Pixels in a test.")


def test_reserved_keeps_threads_within_the_limit() -> None:
    budget, lock = PixelBudget(LIMIT), threading.Lock()
    current, sums = 0, []

    def decode(num_pixels: int) -> None:
        nonlocal current
        with budget.reserved(num_pixels):
            with lock:
                current += num_pixels
                sums.append(current)
            threading.Event().wait(0.001)
            with lock:
                current -= num_pixels

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(decode, [1, 4, 9, 3, 10, 2, 5] * 5))
    assert len(sums) == 35
    assert max(sums) <= LIMIT.default


def test_reserved_lets_a_larger_image_pass_alone() -> None:
    with PixelBudget(LIMIT).reserved(1000):
        pass


def test_reserved_is_given_back_after_an_error() -> None:
    budget = PixelBudget(LIMIT)
    for _ in range(3):
        try:
            with budget.reserved(10):
                raise OSError
        except OSError:
            pass
    with budget.reserved(10):
        pass
