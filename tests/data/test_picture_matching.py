"""Pictures get a property of others; what is not asked for stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.data import picture_matching as matching
from eyetune.data.dataset import Images
from eyetune.data.picture_properties import Measure
from tests.data.test_picture_properties import SCENES, darker, median


def tinted(images: Images, red: float, blue: float) -> Images:
    return np.asarray(np.clip(images * np.array([red, 1, blue]), 0, 255), np.uint8)


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=20), st.lists(st.floats(-9, 9), min_size=1))
def test_matched_keeps_the_order_and_the_range(values: list[float], others: list[float]) -> None:
    result = matching.matched(np.array(values), np.array(others))
    assert min(others) <= result.min() <= result.max() <= max(others)
    assert (np.diff(result[np.argsort(values, kind="stable")]) >= 0).all()


def test_colors_are_those_of_the_others_and_light_stays() -> None:
    result = matching.with_colors_of(tinted(SCENES, 1.2, 0.7), SCENES)
    for measure in (Measure.WARMTH, Measure.GREENNESS):
        assert median(result, measure) == pytest.approx(median(SCENES, measure), abs=0.03)
    before = median(tinted(SCENES, 1.2, 0.7), Measure.BRIGHTNESS)
    assert median(result, Measure.BRIGHTNESS) == pytest.approx(before, abs=0.01)


def test_light_is_that_of_the_others_and_colors_stay() -> None:
    result = matching.with_light_of(darker(SCENES, 0.5), SCENES)
    for measure in (Measure.BRIGHTNESS, Measure.WARMTH):
        assert median(result, measure) == pytest.approx(median(SCENES, measure), abs=0.02)


@pytest.mark.parametrize("pixels", [0.6, 1.2, 2.0])
def test_blur_of_finds_the_blur_of_the_others(pixels: float) -> None:
    others = matching.blurred(SCENES, pixels)
    assert matching.blur_of(SCENES, others) == pytest.approx(pixels, rel=0.15)
    assert matching.blur_of(others, SCENES) == 0


def test_noise_of_finds_the_noise_that_the_others_add() -> None:
    assert matching.noise_of(SCENES, matching.noisy(SCENES, 0.05, 1), 0) == pytest.approx(
        0.05, rel=0.15
    )
    others = matching.noisy(matching.blurred(SCENES, 1), 0.04, 1)
    blur = matching.blur_of(SCENES, others)
    assert matching.noise_of(SCENES, others, blur) == pytest.approx(0.04, rel=0.2)
    assert matching.noise_of(others, SCENES, 0) == 0


def test_blur_keeps_flat_pictures_and_the_mean() -> None:
    flat = np.full((1, 9, 13, 1), 77, np.uint8)
    assert (matching.blurred(flat, 2.0) == 77).all()
    assert matching.blurred(SCENES, 0) is SCENES
    assert matching.blurred(SCENES, 1.5).mean() == pytest.approx(SCENES.mean(), abs=1)


@pytest.mark.parametrize("zoom", matching.ZOOMS)
def test_zoomed_changes_the_size_of_things(zoom: float) -> None:
    image = np.zeros((1, 32, 32, 1), np.uint8)
    image[:, 12:20, 12:20] = 255
    result = matching.zoomed(image, zoom)
    assert result.shape == image.shape
    assert (result > 127).sum() == pytest.approx(64 * zoom**2, rel=0.2)


def test_turned_undoes_itself_and_keeps_shapes() -> None:
    for name in matching.orientations_of(SCENES):
        once = matching.turned(SCENES, name)
        assert once.shape == SCENES.shape
        assert not np.array_equal(once, SCENES)
    twice = matching.turned(
        matching.turned(SCENES, "turned left by 90 degrees"), "turned right by 90 degrees"
    )
    np.testing.assert_array_equal(twice, SCENES)
    wide = SCENES[:, :12]
    assert all(
        matching.turned(wide, name).shape == wide.shape for name in matching.orientations_of(wide)
    )
