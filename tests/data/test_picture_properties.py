"""Measures of pictures: each follows its property and ignores the others."""

from __future__ import annotations

import numpy as np
import pytest

from eyetune.data.dataset import Images
from eyetune.data.picture_matching import blurred, noisy, turned
from eyetune.data.picture_properties import Measure, measured, measures_of


def scenes(count: int = 30, side: int = 24) -> Images:
    """Return pictures with smooth shapes, edges and light from above."""
    generator = np.random.default_rng(0)
    down, across = np.mgrid[:side, :side] / side
    pictures = []
    for _ in range(count):
        angle, size = generator.uniform(0, 2 * np.pi), generator.uniform(0.1, 0.4)
        wave = np.sin(9 * (down * np.cos(angle) + across * np.sin(angle)))
        shape = (down - 0.5) ** 2 + (across - 0.5) ** 2 < size**2
        gray = 110 + 40 * wave + np.where(shape, 50, 0) - 40 * down
        pictures.append(gray[..., np.newaxis] * generator.uniform(0.8, 1.2, 3))
    return np.asarray(np.clip(pictures, 0, 255), np.uint8)


SCENES = scenes()


def median(images: Images, measure: Measure) -> float:
    return float(np.median(measured(images, measure)))


def darker(images: Images, factor: float) -> Images:
    return np.asarray(images * factor, np.uint8)


def test_sharpness_falls_with_blur_and_hardly_with_noise_or_light() -> None:
    sharp = median(SCENES, Measure.SHARPNESS)
    values = [median(blurred(SCENES, pixels), Measure.SHARPNESS) for pixels in (0.5, 1, 2)]
    assert sharp > values[0] > values[1] > values[2]
    for others in (darker(SCENES, 0.6), noisy(SCENES, 0.01, 0)):
        assert abs(median(others, Measure.SHARPNESS) - sharp) < 0.5 * (sharp - values[0])


@pytest.mark.parametrize("deviation", [0.02, 0.05, 0.1])
def test_noise_is_measured_in_units_of_pixels(deviation: float) -> None:
    gray = np.full((20, 32, 32, 1), 128, np.uint8)
    assert median(noisy(gray, deviation, 0), Measure.NOISE) == pytest.approx(deviation, rel=0.1)
    assert median(gray, Measure.NOISE) == 0
    slopes = np.broadcast_to(np.arange(0, 128, 4, dtype=np.uint8)[:, np.newaxis], gray.shape[1:3])
    assert median(slopes[np.newaxis, ..., np.newaxis], Measure.NOISE) < 1e-6


def test_colors_are_logarithms_of_ratios_of_channels() -> None:
    image = np.full((1, 8, 8, 3), (200, 100, 50), np.uint8)
    assert median(image, Measure.WARMTH) == pytest.approx(np.log(4), abs=1e-4)
    assert median(image, Measure.GREENNESS) == pytest.approx(0, abs=1e-4)
    assert median(darker(image, 0.5), Measure.WARMTH) == pytest.approx(np.log(4), abs=1e-4)


def test_border_and_top_say_where_details_and_light_are() -> None:
    images = np.zeros((2, 20, 20, 1), np.uint8)
    images[0, 8:12, 8:12] = 255
    images[1, :4, :4] = 255
    near, far = measured(images, Measure.BORDER)
    assert near < 0.1
    assert far > 0.5
    assert measured(images, Measure.TOP)[1] > 0
    assert measured(turned(images, "turned by 180 degrees"), Measure.TOP)[1] < 0


def test_gray_pictures_have_no_colors() -> None:
    assert set(measures_of(3)) - set(measures_of(1)) == {Measure.WARMTH, Measure.GREENNESS}
    for measure in measures_of(1):
        assert np.isfinite(measured(SCENES[..., :1], measure)).all()
