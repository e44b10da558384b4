"""What a Keras model has learned: its first filters, what each layer makes of an image, which units
are at work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyetune.models.activations.trace import (
    CONVOLUTIONS,
    Call,
    Step,
    batches,
    outline,
    watched,
    working,
)
from eyetune.values.activations import BOUNDED, FeatureMap, Filters, LayerActivity

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float32]

CHANNELS_KEPT = 12  # of each layer, for a picture
SATURATED = 0.025  # share of a bounded activation's range, from each end
_DRAWN = (*CONVOLUTIONS, "Dense", "Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax")


def first_filters(model: keras.Model) -> Filters | None:
    """Return the kernels of the first convolution, the strongest first; None where there is no
    convolution.

    Example:
        >>> from eyetune.models.cnn import build
        >>> from eyetune.recipe import ModelSection
        >>> first_filters(build(ModelSection(), (32, 32, 3), 10)).kernels.shape
        (32, 3, 3, 3)
    """
    step = next((step for step in outline(model) if step.is_convolution), None)
    if step is None:
        return None
    kernels = _kernels(working(model)[step.place].layer)
    order = np.argsort(-(kernels**2).sum(axis=(1, 2, 3)), kind="stable")
    return Filters(step.layer, order, kernels[order])


def _kernels(layer: Any) -> Floats:
    """Return the kernels of a convolution, shape (filters, height, width, input channels)."""
    from keras import ops

    kind = type(layer).__name__
    weights = layer.depthwise_kernel if kind == "SeparableConv2D" else layer.kernel
    values = np.asarray(ops.convert_to_tensor(weights), np.float32)
    if kind in (
        "DepthwiseConv2D",
        "SeparableConv2D",
    ):  # (height, width, channels, filters of each channel)
        return values.reshape(*values.shape[:2], -1).transpose(2, 0, 1)[..., np.newaxis]
    if kind == "Conv2DTranspose":  # (height, width, filters, channels)
        return values.transpose(2, 0, 1, 3)
    return values.transpose(3, 0, 1, 2)


def feature_maps(
    model: keras.Model, image: Floats, *, channels: int = CHANNELS_KEPT
) -> tuple[FeatureMap, ...]:
    """Return what each convolution, pooling, activation and hidden dense layer makes of one image.

    The layer that gives the answer is left out.

    Args:
        model: A built model.
        image: float32, shape (height, width, channels), 0 to 1.
        channels: How many of a layer to keep at most.

    Example:
        >>> from eyetune.models.cnn import build
        >>> from eyetune.recipe import ModelSection
        >>> first, *_, last = feature_maps(build(ModelSection(), (32, 32, 3), 10), np.zeros((32, 32, 3), np.float32))
        >>> first.values.shape, last.values.shape
        ((12, 30, 30), (64,))
    """
    kept: list[FeatureMap] = []
    steps = outline(model)
    place = iter(steps)

    def see(call: Call) -> None:
        step = next(place)
        if step.place < len(steps) - 1 and (step.kind in _DRAWN or "Pooling" in step.kind):
            values = np.asarray(call.outputs, np.float32)[0]
            if values.ndim in (1, 3):
                kept.append(_feature_map(step, values, channels))

    with watched(model, see):
        model(image[np.newaxis], training=False)
    return tuple(kept)


def _feature_map(step: Step, values: Floats, channels: int) -> FeatureMap:
    if values.size == values.shape[-1]:  # no picture, or one of a single place
        shown = values.reshape(-1)
        chosen = np.arange(len(shown))
    else:
        chosen = np.argsort(-np.abs(values).mean(axis=(0, 1)), kind="stable")[:channels]
        shown = values[..., chosen].transpose(2, 0, 1)
    return FeatureMap(
        step.layer, step.kind, step.settings, step.activation, step.shape, chosen, shown
    )


@dataclass
class _Count:
    """What was seen of a layer's outputs so far."""

    awake: NDArray[np.bool_]
    resting: int = 0
    total: int = 0


def activity(model: keras.Model, images: Floats) -> tuple[LayerActivity, ...]:
    """Return how each hidden layer's activation behaves over a sample: dead units, zeros,
    saturation.

    Layers without an activation and the one that gives the answer are left out. Outputs are counted
    as they come, a batch at a time: no more than a batch of them is ever in memory.

    Args:
        model: A built model.
        images: float32, shape (N, height, width, channels), 0 to 1; N at least 1.

    Example:
        >>> from eyetune.models.cnn import build
        >>> from eyetune.recipe import ModelSection
        >>> black = np.zeros((2, 32, 32, 3), np.float32)
        >>> [(one.activation, one.dead_share) for one in activity(build(ModelSection(), (32, 32, 3), 10), black)]
        [('relu', 1.0), ('relu', 1.0), ('relu', 1.0)]
    """
    steps = outline(model)
    counted = {step.place: step for step in steps[:-1] if step.activation not in ("", "softmax")}
    counts = {place: _Count(np.zeros(step.shape[-1], bool)) for place, step in counted.items()}
    for stretch in batches(images, steps):
        place = iter(steps)

        def see(call: Call, place: Any = place) -> None:
            step = next(place)
            if step.place in counted:
                _count(counts[step.place], step.activation, call.outputs)

        with watched(model, see):
            model(images[stretch], training=False)
    return tuple(
        LayerActivity(
            step.layer,
            step.activation,
            step.shape[-1],
            int((~count.awake).sum()),
            count.resting / count.total,
        )
        for step, count in ((step, counts[place]) for place, step in counted.items())
    )


def _count(count: _Count, activation: str, outputs: Any) -> None:
    from keras import ops

    resting = _resting(activation, outputs)
    axes = tuple(range(len(outputs.shape) - 1))
    count.awake |= ~np.asarray(ops.all(resting, axis=axes))
    count.resting += int(ops.count_nonzero(resting))
    count.total += int(np.prod(outputs.shape))


def _resting(activation: str, outputs: Any) -> Any:
    """Tell for each output whether it lies on a flat part of its activation."""
    if activation not in BOUNDED:
        return outputs <= 0
    low, high = BOUNDED[activation]
    margin = SATURATED * (high - low)
    return (outputs < low + margin) | (outputs > high - margin)
