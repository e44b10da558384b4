"""Causes of a gap: with classifiers that look at one property each, this property is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from eyetune.api.gap_causes import Classify, measure_gap, num_predictions
from eyetune.data import Split
from eyetune.data import picture_matching as matching
from eyetune.data.dataset import Floats, Images
from eyetune.data.picture_properties import Measure, measured
from tests.data.test_picture_matching import tinted
from tests.data.test_picture_properties import darker, scenes

SIDE, COUNT = 24, 120
LABELS = np.arange(COUNT) % 2


def pictures(change: Callable[[Images], Images]) -> Images:
    """Return scenes of two classes: those of class 1 have the change."""
    images = scenes(COUNT, SIDE)
    return np.where((LABELS == 1)[:, np.newaxis, np.newaxis, np.newaxis], change(images), images)


def by_threshold(measure: Measure, images: Images) -> Classify:
    """Return a classifier that asks whether a measure is above the middle of two classes."""
    values = measured(images, measure)
    low, high = (np.median(values[label == LABELS]) for label in (0, 1))

    def classify(given: Images) -> Floats:
        above = (measured(given, measure) - (low + high) / 2) * np.sign(high - low)
        sure = 1 / (1 + np.exp(-above / (abs(high - low) + 1e-9)))
        return np.stack([1 - sure, sure], axis=1).astype(np.float32)

    return classify


def square(images: Images) -> Images:
    """Return dark pictures with a bright square in the middle."""
    result = np.full_like(images, 20)
    result[:, 6:18, 6:18] = 200
    return result


def by_size(given: Images) -> Floats:
    """Classify pictures by whether more than 7% of them are bright."""
    share = (given[..., 0] > 100).mean(axis=(1, 2))
    return np.stack([share <= 0.07, share > 0.07], axis=1).astype(np.float32)


def small(images: Images) -> Images:
    """Return pictures of things that are far away, before something dark."""
    result = np.full_like(images, 20)
    result[:, 8:16, 8:16] = images[:, ::3, ::3]
    return result


def upside_down(images: Images) -> Images:
    return matching.turned(images, matching.UPSIDE_DOWN)


def coarse(images: Images) -> Images:
    return np.asarray(np.repeat(np.repeat(images[:, ::2, ::2], 2, axis=1), 2, axis=2), np.uint8)


RED = pictures(lambda images: tinted(images, 1.3, 0.8))
BRIGHT = pictures(lambda images: darker(images, 0.7))
FINE = pictures(lambda images: matching.blurred(images, 1.5))
ROUGH = pictures(lambda images: matching.noisy(images, 0.06, 3))
LIT = pictures(upside_down)
SQUARES = pictures(square)
SQUARES[LABELS == 0] = 20

CASES: list[tuple[str, Images, Classify, Callable[[Images], Images]]] = [
    ("color cast", RED, by_threshold(Measure.WARMTH, RED), lambda x: tinted(x, 1.3, 0.7)),
    ("exposure", BRIGHT, by_threshold(Measure.BRIGHTNESS, BRIGHT), lambda x: darker(x, 0.6)),
    (
        "sharpness",
        FINE,
        by_threshold(Measure.SHARPNESS, FINE),
        lambda x: matching.blurred(x, 1.6),
    ),
    (
        "noise",
        ROUGH,
        by_threshold(Measure.NOISE, ROUGH),
        lambda x: matching.noisy(x, 0.09, 5),
    ),
    ("framing", SQUARES, by_size, small),
    ("orientation", LIT, by_threshold(Measure.TOP, LIT), upside_down),
]


@pytest.mark.parametrize(
    ("name", "images", "classify", "camera"), CASES, ids=[case[0] for case in CASES]
)
def test_the_property_that_a_classifier_looks_at_is_found(
    name: str, images: Images, classify: Classify, camera: Callable[[Images], Images]
) -> None:
    found = measure_gap(Split(images, LABELS), Split(camera(images), LABELS), classify)
    assert found.fall.value > 0.25
    main = found.causes[0]
    assert main.name == name
    assert main.certain
    assert main.explained is not None
    assert main.explained.value > 0.6 * found.fall.value
    others = [cause.explained.value for cause in found.causes[1:] if cause.explained]
    assert max(others) < main.explained.value


def test_pictures_that_are_partly_upside_down_are_found() -> None:
    half = LIT.copy()
    half[::3] = upside_down(LIT[::3])
    surer = by_threshold(Measure.TOP, LIT)

    def classify(given: Images) -> Floats:
        """Classify by light from above, and be unsure of pictures that are upside down."""
        answers = surer(given)
        marked = given[:, 0, 0, 0] == 255
        return np.where(marked[:, np.newaxis], answers, 0.5 + (answers - 0.5) / 10)

    clean = LIT.copy()
    for images in (clean, half):
        images[:, 0, 0, 0] = 255
        images[:, -1, -1, 0] = 0
    half[::3, 0, 0, 0], half[::3, -1, -1, 0] = 0, 255
    found = measure_gap(Split(clean, LABELS), Split(half, LABELS), classify)
    cause = next(cause for cause in found.causes if cause.name == "orientation")
    assert cause.setting["orientation"] == "upside down or upright"
    assert cause.certain


def test_the_same_pictures_have_no_gap_and_no_cause() -> None:
    found = measure_gap(Split(RED, LABELS), Split(RED, LABELS), by_threshold(Measure.WARMTH, RED))
    assert found.fall.low <= 0 <= found.fall.high
    assert not any(cause.certain for cause in found.causes)


def test_gray_pictures_are_classified_as_often_as_announced() -> None:
    calls: list[Any] = []
    inner = by_threshold(Measure.BRIGHTNESS, BRIGHT[..., :1])

    def classify(given: Images) -> Floats:
        calls.append(given.shape)
        return inner(given)

    gray = BRIGHT[..., :1]
    found = measure_gap(Split(gray, LABELS), Split(darker(gray, 0.6), LABELS), classify)
    assert "color cast" not in {cause.name for cause in found.causes}
    assert found.causes[0].name == "exposure"
    assert len(calls) <= num_predictions(gray)
    assert set(calls) == {gray.shape}
