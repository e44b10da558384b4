"""The conversion to int8 without loss: remedies, how one is chosen, and what is reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from eyetune.data import Split
from eyetune.device.estimate.tflite import read
from eyetune.device.export.calibration import CalibratedModel, calibrate
from eyetune.device.export.conversions import Method
from eyetune.device.export.int8_values import check_ports
from eyetune.device.export.litert import litert_scores
from eyetune.values.pixels import PIXEL_LIMITS, PixelRange, scaled_pixels
from tests.models.int8.networks import SHAPE, add_outliers, solved

MANY_POINTS = 0.03
FEW_POINTS = 0.003


def converted(
    model: keras.Model,
    train: Split,
    validation: Split,
    on_step: Callable[[str, int], Any] = lambda *_: lambda _: None,
    pixels: PixelRange = "0-1",
) -> CalibratedModel:
    images = scaled_pixels(validation.images, pixels)
    return calibrate(
        model,
        train,
        validation,
        float_probabilities=model.predict(images, verbose=0),
        per_channel_dense=True,
        on_step=on_step,
        pixels=pixels,
    )


def float_accuracy(model: keras.Model, split: Split) -> float:
    probabilities = model.predict(split.images / np.float32(255), verbose=0)
    return float(np.mean(probabilities.argmax(axis=1) == split.labels))


def test_calibrate_needs_one_conversion_where_nothing_is_lost() -> None:
    model, train, validation = solved()
    result = converted(model, train, validation)
    (conversion,) = result.conversions
    assert (conversion.method, conversion.training_images) == (Method.PLAIN, 200)
    assert result.chosen is conversion
    assert conversion.error < 0.02


def test_calibrate_repairs_a_channel_of_outliers() -> None:
    model, train, validation = solved()
    add_outliers(model, 1000)
    expected = float_accuracy(model, validation)
    steps: list[str] = []

    def on_step(text: str, _: int) -> Callable[[int], object]:
        steps.append(text)
        return lambda _: None

    result = converted(model, train, validation, on_step)
    plain, chosen = result.conversions[0], result.chosen
    assert expected - plain.int8_accuracy >= MANY_POINTS
    assert expected - chosen.int8_accuracy <= FEW_POINTS
    assert chosen.method is not Method.PLAIN
    assert len([step for step in steps if "Comparing" in step]) == len(result.conversions)
    # The model is the one that the conversion describes.
    scores = litert_scores(result.content, validation.images, reference=False)
    assert np.mean(scores.argmax(axis=1) == validation.labels) == chosen.int8_accuracy


@pytest.mark.parametrize("pixels", ["0-255", "-1-1"])
def test_calibrate_repairs_a_network_for_other_pixels(pixels: PixelRange) -> None:
    model, train, validation = solved()
    add_outliers(model, 1000)
    expected = float_accuracy(model, validation)
    first = model.layers[0].get_layer("first")
    low, high = PIXEL_LIMITS[pixels]
    kernel, bias = first.get_weights()
    kernel /= high - low
    first.set_weights([kernel, bias - low * kernel.sum(axis=(0, 1, 2))])

    result = converted(model, train, validation, pixels=pixels)
    check_ports(read(result.content), pixels)
    assert expected - result.conversions[0].int8_accuracy >= MANY_POINTS
    assert expected - result.chosen.int8_accuracy <= FEW_POINTS


@pytest.mark.parametrize("num_images", [50, 288])
def test_one_image_less_is_no_loss(num_images: int) -> None:
    """Whatever the shares round to: 282/288 - 281/288 is more than 1/288."""
    model, train, validation = solved()
    images = validation.images[:num_images]
    content = converted(model, train, validation).content
    labels = litert_scores(content, images, reference=False).argmax(axis=1)
    labels[:7] = (labels[:7] + 1) % 10  # the int8 network is wrong about seven images
    right = labels.copy()
    right[1:7] = (right[1:7] + 1) % 10  # and the float network about six of them
    result = calibrate(
        model,
        train,
        Split(images, labels),
        float_probabilities=np.eye(10, dtype=np.float32)[right],
        per_channel_dense=True,
        on_step=lambda *_: lambda _: None,
    )
    assert result.chosen.int8_accuracy == pytest.approx(1 - 7 / num_images)
    assert len(result.conversions) == 1


def test_calibrate_says_why_remedies_are_not_possible() -> None:
    inner, train, validation = solved()
    add_outliers(inner, 1000)
    model = keras.Sequential([layers.Input(SHAPE), layers.Rescaling(1.0, name="odd"), inner])
    result = converted(model, train, validation)
    assert {conversion.method for conversion in result.conversions} == {Method.PLAIN}
    assert "odd" in result.left_out
    errors = [conversion.error for conversion in result.conversions]
    assert result.chosen.error == min(errors)


@pytest.mark.parametrize("num_images", [1, 40])
def test_calibrate_uses_each_number_of_images_once(num_images: int) -> None:
    model, train, validation = solved()
    result = converted(model, train.take(0, num_images), validation)
    plain = [c.training_images for c in result.conversions if c.method is Method.PLAIN]
    assert plain == [num_images]
