"""What is seen inside a trained network, as plain values that need no Keras.

`models.insight` and `models.gradcam` read them off a Keras model; `report.explanation` draws them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

KERNEL_KINDS = ("brightness", "edge", "colour", "coloured edge")
MANY_DEAD = 0.25  # from a quarter on, a narrower layer would do the same
# at the ends less than a tenth of the gradient passes: for every second output, learning crawls
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
        layer: Its name.
        numbers: Which filter each kernel is, shape (N,), the strongest first (by the sum of its
            squares).
        kernels: float32, shape (N, height, width, channels of the image).
    """

    layer: str
    numbers: Integers
    kernels: Floats

    @property
    def tiles(self) -> Floats:
        """The kernels as pictures, float32 in [0, 1]: 0.5 (grey) is no weight, each as bright as
        its largest one.

        Shape (N, height, width, 3) in colour; with other channels than 3, each by itself in grey:
        (N x channels, height, width, 1), the channels of a filter in a row.
        """
        kernels = self.kernels
        if kernels.shape[-1] != 3:
            kernels = kernels.transpose(0, 3, 1, 2).reshape(-1, *kernels.shape[1:3], 1)
        largest = np.abs(kernels).max(axis=(1, 2, 3), keepdims=True)
        return np.asarray(0.5 + 0.5 * kernels / np.where(largest > 0, largest, 1), np.float32)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What each kernel reacts to most, one of KERNEL_KINDS: see `kernel_kind`."""
        return tuple(kernel_kind(kernel) for kernel in self.kernels)

    @property
    def words(self) -> str:
        """What one sees, in a sentence."""
        count, height, width, channels = self.kernels.shape
        seen = {kind: self.kinds.count(kind) for kind in KERNEL_KINDS}
        told = {
            "edge": "an edge or a line",
            "colour": "a colour",
            "coloured edge": "a coloured edge",
            "brightness": "brightness",
        }
        listed = ", ".join(f"{words} in {seen[kind]}" for kind, words in told.items() if seen[kind])
        return (
            f"{count} learned kernels of {height}x{width} over {channels} channel{'s' * (channels > 1)}; grey is no "
            f"weight. What matters most in each: {listed}. Kernels that look like noise have learned little."
        )


def kernel_kind(kernel: Floats) -> str:
    """Say what a kernel reacts to most: brightness, an edge, a colour or a coloured edge.

    Its weights are split into their mean, what changes with the place, what changes with the
    channel, and the rest (a two-way analysis of variance); the part with the largest mean square
    names it.

    Args:
        kernel: Shape (height, width, channels).

    Example:
        >>> dark_left = np.array([[[-1.0], [1.0]], [[-1.0], [1.0]]], np.float32)
        >>> kernel_kind(dark_left), kernel_kind(np.ones((3, 3, 3), np.float32))
        ('edge', 'brightness')
    """
    height, width, channels = kernel.shape
    mean = kernel.mean()
    place = kernel.mean(axis=2) - mean
    channel = kernel.mean(axis=(0, 1)) - mean
    rest = kernel - mean - place[:, :, np.newaxis] - channel
    free_place, free_channel = height * width - 1, channels - 1
    squares = (
        kernel.size * mean**2,
        channels * (place**2).sum() / max(free_place, 1),
        height * width * (channel**2).sum() / max(free_channel, 1),
        (rest**2).sum() / max(free_place * free_channel, 1),
    )
    return KERNEL_KINDS[int(np.argmax(squares))]


@dataclass(frozen=True)
class FeatureMap:
    """What one layer makes of one image.

    Attributes:
        layer: Its name.
        kind: Its class, for example "Conv2D".
        settings: For example "3x3, relu".
        activation: The name of its activation, "" for none.
        shape: Of all that it gives for one image.
        channels: Which channels are kept, shape (N,), the strongest first (by their mean size); all
            in order where there is one value a channel.
        values: float32, shape (N, height, width), or (N,) of a layer that gives one value a
            channel.
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
    """Where a network looks, for some images and a class each (Grad-CAM).

    Attributes:
        layer: The layer whose feature maps were weighed.
        maps: float32, shape (N, height, width) of that layer, 0 to 1: 1 is where each speaks most
            for its class; all 0 where nothing does.
    """

    layer: str
    maps: Floats


@dataclass(frozen=True)
class LayerActivity:
    """How the activation of one layer behaves over a sample of images.

    Attributes:
        layer: Its name.
        activation: For example "relu".
        units: Number of channels, or of units in a dense layer.
        dead: Units that stay on a flat part of the activation on every image and at every place:
            never above 0; of a bounded activation (tanh, sigmoid), always saturated.
        resting: Share of all outputs that are not above 0; of a bounded activation, that are
            saturated. Saturated is within 2.5% of the range from an end, where the slope is below
            about a tenth of the largest.
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
        """Whether the activation has two flat ends."""
        return self.activation in BOUNDED

    @property
    def words(self) -> str:
        """What it means."""
        if self.dead_share >= MANY_DEAD:
            return "many units are dead: try a lower rate, batch normalization or fewer units"
        if self.bounded and self.resting >= MANY_SATURATED:
            return "mostly saturated, so it learns slowly: try relu or batch normalization"
        return f"{self.dead} dead, the rest at work" if self.dead else "all units at work"

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "layer": self.layer,
            "activation": self.activation,
            "units": self.units,
            "dead": self.dead,
            "dead_share": self.dead_share,
            "saturated_share" if self.bounded else "zero_share": self.resting,
            "words": self.words,
        }
