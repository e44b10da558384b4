"""Filters, feature maps and heatmaps of a trained network, as plain values that need no Keras.

`models.activations` reads them from a Keras model, and `report.figures` draws them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune.values.renamed_attributes import renamed_to

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

KERNEL_KINDS = ("brightness", "edge", "colour", "coloured edge")
MANY_DEAD = 0.25  # share of units: from here on, a narrower layer would do the same
# Share of outputs. Saturated ones pass less than a tenth of the gradient, so that learning is slow.
MANY_SATURATED = 0.5
BOUNDED = {
    "tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
}


@dataclass(frozen=True)
class Filters:
    """The learned kernels of a network's first convolution.

    Attributes:
        layer: Name of the layer.
        numbers: Number of each filter in the layer, shape (N,), the strongest first (by the sum of
            squares of its weights).
        kernels: float32, shape (N, height, width, channels of the image).
    """

    layer: str
    numbers: Integers
    kernels: Floats

    @property
    def tiles(self) -> Floats:
        """The kernels as pictures, float32 in [0, 1], where 0.5 (gray) is a weight of 0.

        Each is scaled to its largest weight. The shape is (N, height, width, 3) in color. Other
        numbers of channels than 3 are separate in gray: (N x channels, height, width, 1), with the
        channels of a filter in a row.
        """
        kernels = self.kernels
        if kernels.shape[-1] != 3:
            kernels = kernels.transpose(0, 3, 1, 2).reshape(-1, *kernels.shape[1:3], 1)
        largest = np.abs(kernels).max(axis=(1, 2, 3), keepdims=True)
        return np.asarray(0.5 + 0.5 * kernels / np.where(largest > 0, largest, 1), np.float32)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What each kernel responds to most, one of KERNEL_KINDS: see `kernel_kind`."""
        return tuple(kernel_kind(kernel) for kernel in self.kernels)

    @property
    def text(self) -> str:
        """A description of the kernels in a few sentences."""
        count, height, width, channels = self.kernels.shape
        names = {
            "edge": "an edge or a line",
            "colour": "a color",
            "coloured edge": "a colored edge",
            "brightness": "brightness",
        }
        counts = {name: self.kinds.count(kind) for kind, name in names.items()}
        listed = ", ".join(f"{name} in {number}" for name, number in counts.items() if number)
        noun = "channel" if channels == 1 else "channels"
        return (
            f"{count} learned kernels of {height}x{width} over {channels} {noun}; gray is a weight "
            f"of 0. What matters most in each: {listed}. Kernels that look like noise have learned "
            "little."
        )

    words = renamed_to("text")


def kernel_kind(kernel: Floats) -> str:
    """Return what a kernel responds to most: brightness, an edge, a color or a colored edge.

    Its weights are split into their mean, what varies with the position, what varies with the
    channel, and the rest (a two-way analysis of variance). The part with the largest mean square
    decides.

    Args:
        kernel: Shape (height, width, channels).

    Example:
        >>> dark_left = np.array([[[-1.0], [1.0]], [[-1.0], [1.0]]], np.float32)
        >>> kernel_kind(dark_left), kernel_kind(np.ones((3, 3, 3), np.float32))
        ('edge', 'brightness')
    """
    height, width, channels = kernel.shape
    mean = kernel.mean()
    position = kernel.mean(axis=2) - mean
    channel = kernel.mean(axis=(0, 1)) - mean
    rest = kernel - mean - position[:, :, np.newaxis] - channel
    position_freedom = height * width - 1  # degrees of freedom
    channel_freedom = channels - 1
    squares = (
        kernel.size * mean**2,
        channels * (position**2).sum() / max(position_freedom, 1),
        height * width * (channel**2).sum() / max(channel_freedom, 1),
        (rest**2).sum() / max(position_freedom * channel_freedom, 1),
    )
    return KERNEL_KINDS[int(np.argmax(squares))]


@dataclass(frozen=True)
class FeatureMap:
    """The output of one layer for one image.

    Attributes:
        layer: Name of the layer.
        kind: Class of the layer, for example "Conv2D".
        settings: Its main settings, for example "3x3, relu".
        activation: Name of its activation, "" for none.
        shape: Shape of its whole output for one image.
        channels: The channels that are kept, shape (N,), the strongest first (by mean magnitude);
            all of them in order if each has a single value.
        values: float32, shape (N, height, width), or (N,) if each channel has a single value.
    """

    layer: str
    kind: str
    settings: str
    activation: str
    shape: tuple[int, ...]
    channels: Integers
    values: Floats


@dataclass(frozen=True)
class Heatmaps:
    """Where a network looks, for some images and one class each (Grad-CAM).

    Attributes:
        layer: Name of the layer whose feature maps were weighted.
        maps: float32, shape (N, height, width) of that layer, 0 to 1: 1 supports the class most;
            all 0 if nothing does.
    """

    layer: str
    maps: Floats


@dataclass(frozen=True)
class LayerActivity:
    """How the activation of one layer behaves over a sample of images.

    Attributes:
        layer: Name of the layer.
        activation: Name of the activation, for example "relu".
        units: Number of channels, or of units in a dense layer.
        dead: Number of units that stay on a flat part of the activation for every image and at
            every position: never above 0, or with a bounded activation (tanh, sigmoid) always
            saturated.
        resting: Share of all outputs that are not above 0, or with a bounded activation that are
            saturated: within 2.5% of the range from an end, where the slope is below about a tenth
            of the largest.
    """

    layer: str
    activation: str
    units: int
    dead: int
    resting: float

    @property
    def dead_share(self) -> float:
        """Share of the units that are dead, 0 to 1."""
        return self.dead / self.units

    @property
    def bounded(self) -> bool:
        """Whether the activation is bounded, with two flat ends."""
        return self.activation in BOUNDED

    @property
    def text(self) -> str:
        """What the values mean, and what to try."""
        if self.dead_share >= MANY_DEAD:
            return (
                "many units are dead: try a lower learning rate, batch normalization or fewer units"
            )
        if self.bounded and self.resting >= MANY_SATURATED:
            return "mostly saturated, so it learns slowly: try relu or batch normalization"
        return f"{self.dead} dead, the others active" if self.dead else "all units active"

    words = renamed_to("text")

    def to_json(self) -> dict[str, Any]:
        """Return the values as plain JSON values."""
        return {
            "layer": self.layer,
            "activation": self.activation,
            "units": self.units,
            "dead": self.dead,
            "dead_share": self.dead_share,
            "saturated_share" if self.bounded else "zero_share": self.resting,
            "text": self.text,
            "words": self.text,  # the earlier name of text
        }
