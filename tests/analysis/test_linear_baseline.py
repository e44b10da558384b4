from __future__ import annotations

import numpy as np
import pytest

from eyetune.analysis.linear_baseline import MAX_IMAGES, linear_accuracy
from eyetune.testing.datasets import tiny_images


def test_classes_of_a_colour_each_are_told_apart():
    train, test = tiny_images(60, 3, size=8), tiny_images(30, 3, size=8, seed=1)
    assert linear_accuracy(*train, *test) == 1.0


def test_labels_that_have_nothing_to_do_with_the_images_stay_near_chance():
    images, _ = tiny_images(400, 1, size=4)
    labels = np.random.default_rng(0).integers(0, 4, 400)
    found = linear_accuracy(images[:200], labels[:200], images[200:], labels[200:])
    assert found == pytest.approx(0.25, abs=0.12)


def test_what_no_line_can_tell_apart_is_not_told_apart():
    dark = np.random.default_rng(0).integers(0, 2, (400, 2))
    labels = dark[:, 0] ^ dark[:, 1]
    images = (dark * 200).astype(np.uint8).reshape(400, 1, 2, 1)
    assert linear_accuracy(images[:200], labels[:200], images[200:], labels[200:]) < 0.7


def test_the_share_is_that_of_the_other_images():
    images, labels = tiny_images(60, 3, size=8)
    half_wrong = labels.copy()
    half_wrong[:30] = (half_wrong[:30] + 1) % 3
    assert linear_accuracy(images, labels, images, half_wrong) == 0.5


def test_the_same_images_give_the_same_share():
    images, labels = tiny_images(60, 3, size=8)
    noisy = np.random.default_rng(0).permutation(labels)
    first, second = (linear_accuracy(images, noisy, images, labels) for _ in range(2))
    assert first == second


@pytest.mark.timeout(60)
def test_large_images_are_thinned_out_first():
    images, labels = tiny_images(24, 3, size=256)
    spoilt = images.copy()
    spoilt[:, 1::2] = 0
    spoilt[:, :, 1::2] = 0
    assert linear_accuracy(images, labels, spoilt, labels) == 1.0


def test_the_first_images_are_enough():
    images, labels = tiny_images(2 * MAX_IMAGES, 2, size=2)
    misleading = labels.copy()
    misleading[MAX_IMAGES:] = 1 - misleading[MAX_IMAGES:]
    assert linear_accuracy(images, misleading, images[:100], labels[:100]) == 1.0
