from __future__ import annotations

import math
from fractions import Fraction
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from eyetune.data.dataset import Images
from eyetune.data.resize import Placement, grayscale, placement, resized
from eyetune.recipe import Resize

sizes = st.tuples(st.integers(1, 5000), st.integers(1, 5000))
ways = st.sampled_from(get_args(Resize))


def random_photo(height: int, width: int) -> Images:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def mean_by_definition(
    photo: Images,
    place: Placement,
    row: int,
    column: int,
    channel: int,
) -> int:
    """Integrate over the area that a value covers, in exact fractions, and round half up."""
    source, target = place.source, place.target
    high, wide = Fraction(source.height, target.height), Fraction(source.width, target.width)
    top, left = source.top + row * high, source.left + column * wide
    total = Fraction(0)
    for y in range(math.floor(top), math.ceil(top + high)):
        part_y = min(Fraction(y + 1), top + high) - max(Fraction(y), top)
        for x in range(math.floor(left), math.ceil(left + wide)):
            part_x = min(Fraction(x + 1), left + wide) - max(Fraction(x), left)
            total += part_y * part_x * int(photo[y, x, channel])
    return math.floor(total / (high * wide) + Fraction(1, 2))


@given(sizes, sizes, ways)
@settings(max_examples=300)
def test_placement_is_centered_inside_both(
    photo_size: tuple[int, int], image_size: tuple[int, int], resize: Resize
) -> None:
    place = placement(photo_size, image_size, resize)
    for area, (width, height) in ((place.source, photo_size), (place.target, image_size)):
        assert min(area.left, area.top) >= 0
        assert min(area.width, area.height) >= 1
        assert 0 <= width - area.width - 2 * area.left <= 1
        assert 0 <= height - area.height - 2 * area.top <= 1
    if resize != "crop":
        assert (place.source.width, place.source.height) == photo_size
    if resize != "pad":
        assert (place.target.width, place.target.height) == image_size


@given(sizes, st.integers(1, 300), st.sampled_from(["crop", "pad"]))
@settings(max_examples=300)
def test_placement_keeps_the_aspect_ratio(
    photo_size: tuple[int, int], side: int, resize: Resize
) -> None:
    place = placement(photo_size, (side, side), resize)
    kept, other = (place.source, place.target) if resize == "crop" else (place.target, place.source)
    longer, shorter = max(other.width, other.height), min(other.width, other.height)
    expected = min(kept.width, kept.height) if resize == "crop" else side * shorter / longer
    assert abs(min(kept.width, kept.height) - expected) <= 1
    assert max(kept.width, kept.height) == (min(photo_size) if resize == "crop" else side)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 12), st.integers(1, 12), ways)
@settings(max_examples=60, deadline=None)
def test_resized_values_are_rounded_means_of_areas(
    photo_height: int, photo_width: int, height: int, width: int, resize: Resize
) -> None:
    photo = random_photo(photo_height, photo_width)
    image = resized(photo, (width, height), resize)
    place = placement((photo_width, photo_height), (width, height), resize)
    target = place.target
    for row, column, channel in np.ndindex(height, width, 3):
        y, x = row - target.top, column - target.left
        expected = 0
        if 0 <= y < target.height and 0 <= x < target.width:
            expected = mean_by_definition(photo, place, y, x, channel)
        assert image[row, column, channel] == expected


def test_resized_squares_of_whole_multiples_are_block_means() -> None:
    photo = random_photo(30, 90)
    blocks = photo[:, 30:60].reshape(10, 3, 10, 3, 3).sum(axis=(1, 3), dtype=int)
    assert np.array_equal(resized(photo, (10, 10), "crop"), (blocks + 4) // 9)


@pytest.mark.parametrize("shape", [(7, 5, 3), (2, 7, 5, 3)])
def test_grayscale_is_that_of_pillow(shape: tuple[int, ...]) -> None:
    colors = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    flat = Image.fromarray(colors.reshape(-1, *shape[-2:])).convert("L")
    gray = grayscale(colors)
    assert gray.shape == (*shape[:-1], 1)
    assert np.array_equal(gray.reshape(-1, shape[-2]), np.asarray(flat))
    assert grayscale(gray) is gray
