"""From a trained network to the int8 model that is closest to it: remedies where int8 loses.

A plain conversion comes first, with ranges from a few training images. Where it loses accuracy on
validation images, remedies follow one after the other, until one is accurate enough. They are
computed from training images, and compared on validation images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eyetune.data import Split
from eyetune.device.estimate.tflite import read
from eyetune.device.export.conversions import Conversion, Method
from eyetune.device.export.int8_values import Images, OnImage, accuracy
from eyetune.device.export.litert import litert_scores
from eyetune.device.export.quantize import quantize, quantize_with_ranges
from eyetune.errors import BoardError
from eyetune.models.int8.images import evenly_spaced
from eyetune.values.pixels import PixelRange

if TYPE_CHECKING:
    import keras

    from eyetune.models.int8.folding import FoldedNetwork
    from eyetune.models.int8.ranges import Ranges

MAX_DROP = 0.003  # of the validation accuracy, which needs no remedy; one image is none either
NUM_IMAGES = (200, 1000, 3000)  # of which a plain conversion takes ranges
NUM_REMEDY_IMAGES = 1000

_Converted = tuple[Method, int, bytes]
_OnStep = Callable[[str, int], OnImage]


@dataclass(frozen=True)
class CalibratedModel:
    """An int8 model and how it was found.

    Attributes:
        content: The content of its .tflite file.
        conversions: All conversions that were tried, in order; one of them is chosen.
        left_out: Why some remedies were not possible; "" if all were, or none were needed.
    """

    content: bytes
    conversions: tuple[Conversion, ...]
    left_out: str = ""

    @property
    def chosen(self) -> Conversion:
        """The conversion that made the model."""
        return next(conversion for conversion in self.conversions if conversion.chosen)


def calibrate(
    model: keras.Model,
    train: Split,
    validation: Split,
    *,
    float_probabilities: NDArray[np.float32],
    per_channel_dense: bool,
    on_step: _OnStep,
    learned: Ranges | None = None,
    pixels: PixelRange = "0-1",
) -> CalibratedModel:
    """Convert a model to int8, with one remedy after the other until it is accurate enough.

    If it never is, the conversion with the least error is returned: its probabilities are closest
    to those of the float network.

    Args:
        model: The trained model.
        train: Training images, of which evenly spaced ones are used.
        validation: Images on which the int8 models are compared.
        float_probabilities: What the float network predicts for the validation images, shape
            (N, classes).
        per_channel_dense: Whether each output of a dense layer has its own scale.
        on_step: Called at the start of each step with a sentence about it and its number of
            images; returns what to call after each image.
        learned: The range of each int8 tensor from quantization-aware training, which are tried
            first. Default: there are none.
        pixels: The range of pixels that the model takes. Default: "0-1".

    Raises:
        UsageError: There are no training images, or Keras does not run on TensorFlow.
        BoardError: TensorFlow cannot convert the model to int8.
    """
    source = _Source(model, train, per_channel_dense, pixels, on_step)
    float_accuracy = float(np.mean(float_probabilities.argmax(axis=1) == validation.labels))
    max_lost = max(1, math.floor(MAX_DROP * len(validation) + 1e-9))  # images
    tried: list[tuple[Conversion, bytes]] = []
    left_out: list[str] = []
    for method, num_images, content in _conversions(source, learned, left_out):
        text = f"Comparing int8 with float on {len(validation):,} validation images ..."
        on_image = on_step(text, len(validation))
        scores = litert_scores(content, validation.images, reference=False, on_image=on_image)
        output = read(content).output
        probabilities = (scores.astype(np.float32) - output.zero_point) * output.scale
        conversion = Conversion(
            method=method,
            training_images=num_images,
            int8_accuracy=accuracy(scores, validation.labels),
            agreement=float(np.mean(scores.argmax(axis=1) == float_probabilities.argmax(axis=1))),
            error=_error(float_probabilities, probabilities),
        )
        tried.append((conversion, content))
        if round((float_accuracy - conversion.int8_accuracy) * len(validation)) <= max_lost:
            best = len(tried) - 1
            break
    else:
        best = min(range(len(tried)), key=lambda index: tried[index][0].error)
    return CalibratedModel(
        tried[best][1],
        tuple(
            conversion.model_copy(update={"chosen": index == best})
            for index, (conversion, _) in enumerate(tried)
        ),
        "".join(left_out),
    )


@dataclass(frozen=True)
class _Source:
    """What all conversions of a network have in common."""

    model: keras.Model
    train: Split
    per_channel_dense: bool
    pixels: PixelRange
    on_step: _OnStep

    def images(self, num_images: int) -> Images:
        """Return images from all over the training split, since files may be sorted by class."""
        return evenly_spaced(self.train.images, num_images)

    def plain(self, num_images: int) -> _Converted:
        """Convert the network with ranges that the converter finds."""
        images = self.images(num_images)
        text = f"Converting to int8 with ranges from {len(images):,} training images ..."
        content = quantize(
            self.model,
            images,
            per_channel_dense=self.per_channel_dense,
            pixels=self.pixels,
            on_image=self.on_step(text, len(images)),
        )
        return Method.PLAIN, len(images), content

    def with_ranges(
        self, method: Method, network: FoldedNetwork, ranges: Ranges, num_images: int
    ) -> _Converted:
        """Convert a folded network with given ranges."""
        self.on_step(f"Converting to int8: {method.description} ...", 0)
        content = quantize_with_ranges(
            network, ranges, self.train.images, per_channel_dense=self.per_channel_dense
        )
        return method, num_images, content


def _conversions(
    source: _Source, learned: Ranges | None, left_out: list[str]
) -> Iterator[_Converted]:
    """Yield one conversion after the other; each is made when it is asked for.

    Args:
        source: What is converted.
        learned: Ranges from training, if there are any.
        left_out: Gets a sentence if some conversions are not possible.
    """
    if learned is not None:
        from eyetune.models.int8.folding import fold

        network = fold(source.model, source.pixels)
        yield source.with_ranges(Method.LEARNED, network, learned, len(source.train))
    counts = list(dict.fromkeys(min(limit, len(source.train)) for limit in NUM_IMAGES))
    for num_images in counts[:2]:
        yield source.plain(num_images)
    yield from _remedies(source, left_out)
    for num_images in counts[2:]:
        yield source.plain(num_images)


def _remedies(source: _Source, left_out: list[str]) -> Iterator[_Converted]:
    from eyetune.models.int8.bias_correction import bias_corrected
    from eyetune.models.int8.equalization import equalized
    from eyetune.models.int8.folding import fold
    from eyetune.models.int8.observation import observe

    try:
        network = fold(source.model, source.pixels)
    except BoardError as error:
        left_out.append(f"{error.message} So equalization and bias correction were not possible.")
        return
    images = source.images(NUM_REMEDY_IMAGES)
    text = f"Observing the values of all layers on {len(images):,} training images ..."
    observation = observe(network, images, source.on_step(text, len(images)))
    network = equalized(network, observation)
    observation = observe(network, images, source.on_step(text, len(images)))
    yield source.with_ranges(Method.EQUALIZED, network, observation.fulls, len(images))
    ranges = observation.ranges()
    yield source.with_ranges(Method.FITTED_RANGES, network, ranges, len(images))
    network = bias_corrected(network, ranges, images)
    yield source.with_ranges(Method.CORRECTED, network, ranges, len(images))


def _error(expected: NDArray[np.float32], received: NDArray[np.float32]) -> float:
    """Return the mean total variation distance of two tables of probabilities, 0 to 1."""
    return min(1.0, float(np.abs(expected - received).sum(axis=1).mean() / 2))
