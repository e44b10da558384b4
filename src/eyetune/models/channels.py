"""The channels of a built network of blocks: which layers share them, and networks with fewer.

A convolution or dense layer makes channels. Batch normalization, activations, pooling and depthwise
convolutions keep them, and an addition makes the channels of its inputs one group: a channel of a
group can only be removed from all of its layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyetune.errors import TrainingError
from eyetune.models.keras_internals import functional_model, nodes_in_order

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]
IMAGE = 0  # the group of the images' channels

_MAKING = ("Conv2D", "Dense")
_KEEPING = ("Activation", "BatchNormalization", "DepthwiseConv2D", "Dropout", "Flatten",
            "GlobalAveragePooling2D", "MaxPooling2D")  # fmt: skip


@dataclass(frozen=True)
class LayerChannels:
    """The channels of a layer with weights.

    Attributes:
        layer: The Keras layer.
        read: The group of the channels that it reads.
        made: The group of the channels that it writes; that of `read` if it makes none.
        positions: Number of pixels that a dense layer reads of each channel; 1 for other layers.
        gate: For a layer that makes channels, the layer whose weights scale and shift each of them
            last: itself, or the batch normalization after it. None for others.
    """

    layer: Any
    read: int
    made: int
    positions: int = 1
    gate: Any = None


@dataclass(frozen=True)
class Channels:
    """The channels of a network.

    Attributes:
        layers: The layers with weights, in the order in which they are computed.
        sizes: Number of channels of each group, by its number.
    """

    layers: tuple[LayerChannels, ...]
    sizes: Mapping[int, int]

    def has_same_layers(self, other: Channels) -> bool:
        """Return whether another network differs in nothing but the sizes of its groups."""
        return _outline(self) == _outline(other)


def _outline(channels: Channels) -> list[tuple[str, int, int, int]]:
    return [
        (type(item.layer).__name__, item.read, item.made, item.positions)
        for item in channels.layers
    ]


def channels_of(network: keras.Model) -> Channels:
    """Return the channels of a network of blocks.

    Args:
        network: From `cnn.build`.

    Raises:
        TrainingError: It has a layer that no network of blocks has.

    Example:
        >>> from eyetune.models.build import build
        >>> from eyetune.recipe import Recipe
        >>> resnet8 = Recipe().with_({"model": "resnet8"}).model
        >>> sorted(channels_of(build(resnet8, (32, 32, 3), 10)).sizes.values())
        [3, 10, 16, 16, 32, 32, 64, 64]
    """
    functional = functional_model(network)
    if functional is None:
        raise _unknown(network)
    walk = _Walk([IMAGE], {id(functional.inputs[0]): IMAGE}, [], {})
    walk.sizes[IMAGE] = functional.inputs[0].shape[-1]
    for node in nodes_in_order(functional):
        walk.add(node.operation, node.input_tensors, node.outputs[0])
    layers = tuple(
        LayerChannels(item.layer, walk.root(item.read), walk.root(item.made), item.positions, gate)
        for item, gate in ((item, walk.gates.get(id(item.layer))) for item in walk.layers)
    )
    roots = {walk.root(group) for group in walk.sizes}
    return Channels(layers, {root: walk.sizes[root] for root in sorted(roots)})


@dataclass
class _Walk:
    """Groups and layers, collected while a network is walked through."""

    parents: list[int]  # of each group, the one that it was joined with, or itself
    group_of: dict[int, int]  # by the id of a tensor
    layers: list[LayerChannels]
    sizes: dict[int, int]

    def __post_init__(self) -> None:
        self.gates: dict[int, Any] = {}  # by the id of a layer that makes channels
        self.fresh: dict[int, Any] = {}  # by the id of a tensor, the layer that has just made it
        self.positions: dict[int, int] = {}  # by the id of a tensor, if it is flattened

    def root(self, group: int) -> int:
        while self.parents[group] != group:
            group = self.parents[group]
        return group

    def add(self, layer: Any, inputs: Sequence[Any], output: Any) -> None:
        """Add a layer."""
        kind = type(layer).__name__
        read = self.group_of[id(inputs[0])]
        made = read
        if kind == "Add":
            for tensor in inputs[1:]:
                self._join(read, self.group_of[id(tensor)])
        elif kind in _MAKING:
            made = len(self.parents)
            self.parents.append(made)
            self.sizes[made] = output.shape[-1]
            self.gates[id(layer)] = layer
            self.fresh[id(output)] = layer
        elif kind not in _KEEPING:
            raise _unknown(layer)
        if kind == "BatchNormalization" and id(inputs[0]) in self.fresh:
            self.gates[id(self.fresh[id(inputs[0])])] = layer
        if kind == "Flatten":
            self.positions[id(output)] = output.shape[-1] // inputs[0].shape[-1]
        elif kind == "Dropout":
            self.positions[id(output)] = self.positions.get(id(inputs[0]), 1)
        if layer.weights:
            positions = self.positions.get(id(inputs[0]), 1)
            self.layers.append(LayerChannels(layer, read, made, positions))
        self.group_of[id(output)] = made

    def _join(self, first: int, second: int) -> None:
        low, high = sorted((self.root(first), self.root(second)))
        self.parents[high] = low


def _unknown(layer: Any) -> TrainingError:
    return TrainingError(
        f"The channels of layer {layer.name} ({type(layer).__name__}) cannot be followed.",
        expected="a network of blocks",
    )


def kept_channels(sizes: Mapping[int, int], importance: Mapping[int, Floats]) -> dict[int, Indices]:
    """Return the most important channels of each group, in their order.

    Args:
        sizes: Number of channels to keep, by group.
        importance: Importance of each channel, by group, shape (channels,).

    Example:
        >>> kept = kept_channels({0: 2}, {0: np.array([0.5, 0.1, 0.9], np.float32)})
        >>> kept[0].tolist()
        [0, 2]
    """
    return {
        group: np.sort(np.argsort(-importance[group], kind="stable")[:size])
        for group, size in sizes.items()
    }


def put_part(large: Channels, small: Channels, importance: Mapping[int, Floats]) -> None:
    """Set the weights of a network to those of the most important channels of a larger one.

    Args:
        large: Channels of the trained network.
        small: Channels of a network with the same layers and fewer channels.
        importance: Importance of each channel of the large network, by group.

    Raises:
        TrainingError: The networks have other layers.
    """
    if not large.has_same_layers(small):
        raise TrainingError("The smaller network has other layers than the trained one.")
    kept = kept_channels(small.sizes, importance)
    for source, target in zip(large.layers, small.layers, strict=True):
        read, made = kept[source.read], kept[source.made]
        values = [np.asarray(value) for value in source.layer.get_weights()]
        match type(source.layer).__name__:
            case "Conv2D":
                values[0] = values[0][:, :, read][..., made]
                values[1:] = [value[made] for value in values[1:]]
            case "Dense":
                rows = _rows(read, source.positions, large.sizes[source.read])
                values[0] = values[0][rows][:, made]
                values[1:] = [value[made] for value in values[1:]]
            case "DepthwiseConv2D":
                values[0] = values[0][:, :, read]
                values[1:] = [value[read] for value in values[1:]]
            case _:  # batch normalization
                values = [value[read] for value in values]
        target.layer.set_weights(values)


def _rows(channels: Indices, positions: int, num_channels: int) -> Indices:
    """Return the inputs of a dense layer that belong to some channels of a flattened map."""
    starts = np.arange(positions)[:, np.newaxis] * num_channels
    return np.asarray((starts + channels).ravel(), np.int64)
