"""Strange pictures: far from all others, without contrast, or blurred."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from eyetune.analysis.strange_pictures import strange_pictures


def usual(count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    generator = np.random.default_rng(0)
    images = generator.integers(60, 190, (count, 32, 32, 3), dtype=np.uint8)
    return generator.normal(0, 1, (count, 8)).astype(np.float32), images


def test_usual_pictures_are_not_strange() -> None:
    assert len(strange_pictures(*usual(300))) <= 3


def test_strange_pictures_are_found_with_their_reasons() -> None:
    features, images = usual(300)
    features[7] += 30
    images[11] = 90
    blurred = Image.fromarray(images[13]).filter(ImageFilter.GaussianBlur(6))
    images[13] = (np.asarray(blurred, np.float32) - 125).clip(-99, 99) * 20 % 200
    images[13] = np.asarray(Image.fromarray(images[13]).resize((2, 2)).resize((32, 32), 0))
    found = {strange.index: strange for strange in strange_pictures(features, images)}
    assert {7, 11, 13} <= set(found)
    assert len({found[index].reason for index in (7, 11, 13)}) == 3
    assert all(0.5 <= strange.score <= 1 for strange in found.values())


def test_few_pictures_have_no_usual_look() -> None:
    features, images = usual(20)
    features[0] += 100
    assert strange_pictures(features, images) == ()
