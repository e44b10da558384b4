from __future__ import annotations

import numpy as np
import pytest

from eyetune.analysis.linear_baseline import MAX_IMAGES, count_correct
from eyetune.testing.datasets import tiny_images


def test_count_correct_separates_colors() -> None:
    train, test = tiny_images(60, 3, size=8), tiny_images(30, 3, size=8, seed=1)
    assert count_correct(*train, *test) == 30


def test_count_correct_of_random_labels_is_near_chance() -> None:
    images, _ = tiny_images(400, 1, size=4)
    labels = np.random.default_rng(0).integers(0, 4, 400)
    correct = count_correct(images[:200], labels[:200], images[200:], labels[200:])
    assert correct == pytest.approx(50, abs=24)


def test_count_correct_is_low_for_inseparable_classes() -> None:
    dark = np.random.default_rng(0).integers(0, 2, (400, 2))
    labels = dark[:, 0] ^ dark[:, 1]
    images = (dark * 200).astype(np.uint8).reshape(400, 1, 2, 1)
    assert count_correct(images[:200], labels[:200], images[200:], labels[200:]) < 140


def test_count_correct_counts_the_other_images() -> None:
    images, labels = tiny_images(60, 3, size=8)
    half_wrong = labels.copy()
    half_wrong[:30] = (half_wrong[:30] + 1) % 3
    assert count_correct(images, labels, images, half_wrong) == 30


def test_count_correct_repeats_exactly() -> None:
    images, labels = tiny_images(60, 3, size=8)
    noisy = np.random.default_rng(0).permutation(labels)
    first, second = (count_correct(images, noisy, images, labels) for _ in range(2))
    assert first == second


@pytest.mark.timeout(60)
def test_count_correct_thins_out_large_images() -> None:
    images, labels = tiny_images(24, 3, size=256)
    spoilt = images.copy()
    spoilt[:, 1::2] = 0
    spoilt[:, :, 1::2] = 0
    assert count_correct(images, labels, spoilt, labels) == 24


def test_count_correct_uses_the_first_images() -> None:
    images, labels = tiny_images(2 * MAX_IMAGES, 2, size=2)
    misleading = labels.copy()
    misleading[MAX_IMAGES:] = 1 - misleading[MAX_IMAGES:]
    assert count_correct(images, misleading, images[:100], labels[:100]) == 100
