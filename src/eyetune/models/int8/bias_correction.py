"""Bias correction: what rounding shifts on average is added to the biases.

Source: Nagel et al., 2019 (arXiv:1906.04721), section 4.2; here the shift is measured on images.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune.models.int8.folding import FoldedNetwork, Kind, Weights
from eyetune.models.int8.images import evenly_spaced
from eyetune.models.int8.layers import called, connect, fake_quantizers, operations, rounded_owners
from eyetune.models.int8.ranges import Ranges
from eyetune.values.pixels import scaled_pixels

_MAX_VALUES = 2**25  # of all tensors together, for the images at once
_MAX_IMAGES = 256


def bias_corrected(
    network: FoldedNetwork, ranges: Ranges, images: NDArray[np.uint8]
) -> FoldedNetwork:
    """Return a network whose int8 version computes on average what the network computes in float.

    Layer by layer, the network runs in float and as int8 does, with the biases that are corrected
    so far.

    Args:
        network: The network.
        ranges: The range of each tensor.
        images: Training images, uint8 of shape (N, height, width, channels), at least one; of many
            images, evenly spaced ones are used.
    """
    layers = operations(network)
    rounded_layers = operations(network, quantized=True)
    limits = fake_quantizers(network, ranges)
    owners = rounded_owners(network)
    connect(network, rounded_layers, limits)
    corrected: dict[int, Weights] = {}
    chosen = scaled_pixels(_some(network, images), network.pixels)
    exact: dict[int, Any] = {}
    rounded: dict[int, Any] = {}
    for index, node in enumerate(network.nodes):
        exact[index] = called(node, layers[index], exact) if index else chosen
        value = called(node, rounded_layers[index], rounded) if index else chosen
        if node.kind is Kind.WEIGHTED:
            shift = _channel_means(exact[index]) - _channel_means(value)
            value = value + shift
            old = network.weights[index]
            corrected[index] = Weights(old.kernel, old.bias + shift)
        owner = owners[index]
        rounded[index] = limits[owner](value) if owner in limits else value
    return network.with_weights(corrected)


def _channel_means(values: Any) -> NDArray[np.float32]:
    array = np.asarray(values)
    return np.asarray(array.reshape(-1, array.shape[-1]).mean(axis=0), np.float32)


def _some(network: FoldedNetwork, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return as many images as fit into memory with all tensors."""
    values = sum(int(np.prod(node.shape)) for node in network.nodes)
    count = max(1, min(_MAX_IMAGES, _MAX_VALUES // values))
    return evenly_spaced(images, count)
