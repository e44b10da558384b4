"""Feature maps: the output of each layer for one image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eyetune.models.activations.trace import CONVOLUTIONS, Call, Step, outline, traced
from eyetune.values.activations import FeatureMap

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float32]

MAX_CHANNELS = 12  # of each layer, in a figure
_DRAWN_KINDS = (
    *CONVOLUTIONS, "Dense", "Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax",
)  # fmt: skip


def feature_maps(
    model: keras.Model, image: Floats, *, channels: int = MAX_CHANNELS
) -> tuple[FeatureMap, ...]:
    """Return the outputs of convolutions, poolings, activations and hidden dense layers.

    The output layer is left out.

    Args:
        model: A built model.
        image: float32, shape (height, width, channels), 0 to 1.
        channels: Largest number of channels of each layer; the strongest are kept.

    Example:
        >>> from eyetune.models.cnn import build
        >>> from eyetune.recipe import ModelSection
        >>> model = build(ModelSection(), (32, 32, 3), 10)
        >>> first, *_, last = feature_maps(model, np.zeros((32, 32, 3), np.float32))
        >>> first.values.shape, last.values.shape
        ((12, 30, 30), (64,))
    """
    maps: list[FeatureMap] = []
    steps = outline(model)
    remaining = iter(steps)

    def on_call(call: Call) -> None:
        step = next(remaining)
        is_output = step.index == len(steps) - 1
        if is_output or not (step.kind in _DRAWN_KINDS or "Pooling" in step.kind):
            return
        values = np.asarray(call.outputs, np.float32)[0]
        if values.ndim in (1, 3):
            maps.append(_feature_map(step, values, channels))

    with traced(model, on_call):
        model(image[np.newaxis], training=False)
    return tuple(maps)


def _feature_map(step: Step, values: Floats, channels: int) -> FeatureMap:
    if values.size == values.shape[-1]:  # not an image, or an image of a single pixel
        shown = values.reshape(-1)
        chosen = np.arange(len(shown))
    else:
        chosen = np.argsort(-np.abs(values).mean(axis=(0, 1)), kind="stable")[:channels]
        shown = values[..., chosen].transpose(2, 0, 1)
    return FeatureMap(
        step.layer, step.kind, step.settings, step.activation, step.shape, chosen, shown
    )
