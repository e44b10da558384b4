"""Cross-layer equalization: channels of one tensor get ranges of similar size.

All channels of a tensor share one scale, so a channel with large values leaves the others few
levels. Dividing a channel by a factor, and multiplying the weights that read it by the same factor,
changes nothing in float. It is possible where only operations without a scale of their own (ReLU,
pooling, flattening) lie between the layers.

Sources: Nagel et al., 2019 (arXiv:1906.04721). The weights of TensorFlow Lite have a scale for each
output channel, so that the size of the values counts instead of that of the weights that produce
them, as in Xiao et al., 2022 (SmoothQuant, arXiv:2211.10438).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eyetune.models.int8.folding import Floats, FoldedNetwork, Kind, Weights, output_scales
from eyetune.models.int8.observation import Observation

_WITHOUT_SCALE = ("relu", "leaky_relu")
_MAX_FACTOR = 1e4  # a channel that is almost always 0 stays as it is


@dataclass(frozen=True)
class Pair:
    """Two nodes with weights, of which only the second reads what the first computes."""

    first: int
    second: int
    between: int  # the node that the second reads


def equalized(network: FoldedNetwork, observation: Observation) -> FoldedNetwork:
    """Return a network that computes the same in float, with channels of similar size.

    Args:
        network: The network.
        observation: The values of its tensors on training images.
    """
    changed: dict[int, Weights] = dict(network.weights)
    for pair in scalable_pairs(network):
        num_channels = len(changed[pair.first].bias)
        sizes = observation.channels[pair.between].reshape(-1, num_channels).max(axis=0)
        factors = _factors(network, pair.second, changed[pair.second].kernel, sizes)
        first, second = changed[pair.first], changed[pair.second]
        scales = output_scales(network.nodes[pair.first], first.kernel, 1 / factors)
        changed[pair.first] = Weights(
            (first.kernel * scales).astype(np.float32), (first.bias / factors).astype(np.float32)
        )
        kernel = _by_input(second.kernel, num_channels)
        scaled = kernel * factors.reshape(-1, 1)
        changed[pair.second] = Weights(
            scaled.reshape(second.kernel.shape).astype(np.float32), second.bias
        )
    return network.with_weights(changed)


def scalable_pairs(network: FoldedNetwork) -> list[Pair]:
    """Return the pairs of layers between which channels can be scaled."""
    readers = network.readers()
    pairs = []
    for first, node in enumerate(network.nodes):
        if node.kind is not Kind.WEIGHTED:
            continue
        index = first
        while len(readers[index]) == 1:
            following = network.nodes[readers[index][0]]
            if following.kind is Kind.WEIGHTED:
                if _reads_channels(following.layer):
                    pairs.append(Pair(first, readers[index][0], index))
                break
            is_plain = following.activation in _WITHOUT_SCALE or following.kind in (
                Kind.SELECTION,
                Kind.AVERAGE,
            )
            if not is_plain or type(following.layer).__name__ == "Reshape":
                break
            index = readers[index][0]
    return pairs


def _reads_channels(layer: object) -> bool:
    """Return whether each input channel of a layer has weights of its own: it has no groups."""
    return getattr(layer, "groups", 1) == 1


def _by_input(kernel: Floats, num_channels: int) -> Floats:
    """Return a view of a kernel with the shape (positions, channels read, others)."""
    return kernel.reshape(-1, num_channels, kernel.shape[-1])


def _factors(
    network: FoldedNetwork, index: int, kernel: Floats, sizes: Floats
) -> NDArray[np.float64]:
    """Return what to divide each channel by: it balances its values and the weights that read it.

    A depthwise convolution has a scale for each channel, so only the values count.
    """
    usable = sizes > sizes.max(initial=0) / _MAX_FACTOR
    factors = np.ones(len(sizes), np.float64)
    if network.nodes[index].is_depthwise:
        factors[usable] = sizes[usable]
    else:
        weights = np.abs(_by_input(kernel, len(sizes))).max(axis=0)
        relative = (weights / np.maximum(weights.max(axis=0), np.finfo(np.float32).tiny)).max(
            axis=1
        )
        usable &= relative > 1 / _MAX_FACTOR
        factors[usable] = np.sqrt(sizes[usable] / relative[usable])
    if usable.any():
        factors[usable] /= np.exp(np.log(factors[usable]).mean())
    return factors
