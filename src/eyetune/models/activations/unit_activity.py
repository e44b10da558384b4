"""The activity of units: which are dead, zero or saturated on a sample of images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyetune.models.activations.trace import Call, Step, batches, outline, traced
from eyetune.values.activations import BOUNDED, LayerActivity

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float32]

SATURATED = 0.025  # share of a bounded activation's range, from each end


@dataclass
class _Count:
    """Counts of a layer's outputs so far.

    Attributes:
        active: Whether each unit was ever active, shape (units,).
        resting: Number of outputs on a flat part of the activation.
        total: Number of outputs.
    """

    active: NDArray[np.bool_]
    resting: int = 0
    total: int = 0

    def add(self, activation: str, outputs: Any) -> None:
        """Count the outputs of a batch."""
        from keras import ops

        resting = _is_resting(activation, outputs)
        axes = tuple(range(len(outputs.shape) - 1))
        self.active |= ~np.asarray(ops.all(resting, axis=axes))
        self.resting += int(ops.count_nonzero(resting))
        self.total += int(np.prod(outputs.shape))


def activity(model: keras.Model, images: Floats) -> tuple[LayerActivity, ...]:
    """Return how the units of each hidden layer behave: dead units, zeros, saturation.

    Layers without an activation and the output layer are left out. Outputs are counted batch by
    batch, so that memory does not grow with the number of images.

    Args:
        model: A built model.
        images: float32, shape (N, height, width, channels), 0 to 1; N at least 1.

    Example:
        >>> from eyetune.models.cnn import build
        >>> from eyetune.recipe import ModelSection
        >>> model = build(ModelSection(), (32, 32, 3), 10)
        >>> black = np.zeros((2, 32, 32, 3), np.float32)
        >>> [(layer.activation, layer.dead_share) for layer in activity(model, black)]
        [('relu', 1.0), ('relu', 1.0), ('relu', 1.0)]
    """
    steps = outline(model)
    counted = [step for step in steps[:-1] if step.activation not in ("", "softmax")]
    counts = {step.index: _Count(np.zeros(step.shape[-1], bool)) for step in counted}
    for batch in batches(images, steps):
        with traced(model, _counter(iter(steps), counts)):
            model(images[batch], training=False)
    return tuple(
        LayerActivity(
            step.layer,
            step.activation,
            step.shape[-1],
            int((~counts[step.index].active).sum()),
            counts[step.index].resting / counts[step.index].total,
        )
        for step in counted
    )


def _counter(steps: Iterator[Step], counts: dict[int, _Count]) -> Any:
    """Return a function that adds each call of a forward pass to the counts of its layer."""

    def on_call(call: Call) -> None:
        step = next(steps)
        if step.index in counts:
            counts[step.index].add(step.activation, call.outputs)

    return on_call


def _is_resting(activation: str, outputs: Any) -> Any:
    """Return for each output whether it lies on a flat part of its activation."""
    if activation not in BOUNDED:
        return outputs <= 0
    low, high = BOUNDED[activation]
    margin = SATURATED * (high - low)
    return (outputs < low + margin) | (outputs > high - margin)
