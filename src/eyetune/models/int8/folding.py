"""A network as int8 arithmetic sees it: batch normalization folded into weights, a node per tensor.

TensorFlow Lite quantizes the tensors between operators. So a network is taken apart into nodes, one
for each tensor that its int8 version may have, and the weights become plain arrays that can be
equalized, corrected, trained and put back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from eyetune.errors import BoardError
from eyetune.models.keras_internals import functional_model, nodes_in_order
from eyetune.values.pixels import PixelRange

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float32]


class Kind(StrEnum):
    """What a node computes, as far as its range is concerned."""

    INPUT = "input"  # the image
    WEIGHTED = "weighted"  # a convolution or a dense layer, without its activation
    ACTIVATION = "activation"
    SUM = "sum"
    CONCATENATION = "concatenation"  # its inputs and its output have one range
    AVERAGE = "average"  # over the whole feature map; it has a range of its own
    SELECTION = "selection"  # pooling and reshaping: the output has the range of the input


@dataclass(frozen=True)
class Node:
    """A tensor of a folded network, and the layer that computes it.

    Attributes:
        name: Name of the layer, with the names of the models that it is nested in.
        kind: What it computes.
        inputs: Indices of the nodes that it reads.
        shape: Shape of the tensor for one image.
        layer: The Keras layer.
        activation: Keras's name of the activation, for an activation.
        normalization: The batch normalization that is folded into its weights; None if there is
            none.
    """

    name: str
    kind: Kind
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    layer: Any
    activation: str = ""
    normalization: Any = None

    @property
    def is_depthwise(self) -> bool:
        """Whether it is a depthwise convolution, whose kernel ends with the input's channels."""
        return type(self.layer).__name__ == "DepthwiseConv2D"


@dataclass(frozen=True)
class Weights:
    """The weights of a node.

    Attributes:
        kernel: float32, in Keras's order of axes.
        bias: float32, shape (output channels,).
    """

    kernel: Floats
    bias: Floats


@dataclass(frozen=True)
class FoldedNetwork:
    """A network without batch normalization, as nodes in the order in which they are computed.

    Attributes:
        nodes: The nodes; the first is the input, and the last is the output.
        weights: The weights of each node with weights, by its index.
        pixels: The range of pixels that it takes. Default: "0-1".
    """

    nodes: tuple[Node, ...]
    weights: Mapping[int, Weights] = field(repr=False)
    pixels: PixelRange = "0-1"

    def with_weights(self, weights: Mapping[int, Weights]) -> FoldedNetwork:
        """Return the network with other weights for some nodes."""
        return replace(self, weights={**self.weights, **weights})

    def readers(self) -> dict[int, list[int]]:
        """Return the nodes that read each node; none read the output."""
        result: dict[int, list[int]] = {index: [] for index in range(len(self.nodes))}
        for index, node in enumerate(self.nodes):
            for source in node.inputs:
                result[source].append(index)
        return result


# Activations that a fake-quantized network computes as TensorFlow Lite does.
ACTIVATIONS = frozenset(
    {"relu", "relu6", "leaky_relu", "elu", "silu", "hard_silu", "tanh", "sigmoid", "softmax"}
)
# Those whose results int8 arithmetic always stores with the same range
WITH_FIXED_RANGE = ("softmax", "sigmoid", "tanh")
_OTHER_NAMES = {"swish": "silu", "hard_swish": "hard_silu"}
_SELECTIONS = ("MaxPooling2D", "AveragePooling2D", "GlobalMaxPooling2D", "Flatten", "Reshape",
               "ZeroPadding2D", "Cropping2D")  # fmt: skip
_RESHAPES = ("Flatten", "Reshape")
_ACTIVATION_LAYERS = {"LeakyReLU": "leaky_relu", "ELU": "elu", "Softmax": "softmax"}
_VANISHING = ("Dropout", "GaussianDropout", "GaussianNoise", "Identity", "SpatialDropout2D",
              "AlphaDropout", "ActivityRegularization")  # fmt: skip


def fold(model: keras.Model, pixels: PixelRange = "0-1") -> FoldedNetwork:
    """Take a trained network apart and fold batch normalization into weights.

    Args:
        model: A sequential or functional model with one input and one output; models may be nested
            in it.
        pixels: The range of pixels that it takes. Default: "0-1".

    Raises:
        BoardError: The int8 arithmetic of a layer is not known. The error names the layer.

    Example:
        >>> import keras
        >>> layers = [keras.layers.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv")]
        >>> layers += [keras.layers.BatchNormalization(), keras.layers.ReLU(name="relu")]
        >>> [(node.name, node.kind.value) for node in fold(keras.Sequential(layers)).nodes[1:]]
        [('conv', 'weighted'), ('relu', 'activation')]
    """
    functional = functional_model(model)
    if functional is None or len(functional.inputs) != 1 or len(functional.outputs) != 1:
        raise BoardError(
            "Cannot take the network apart for int8.",
            expected="a sequential or functional model with one input and one output",
            received=type(model).__name__,
        )
    folder = _Folder(_Readers.of(functional))
    shape = _shape(functional.inputs[0])
    folder.add(Node("image", Kind.INPUT, (), shape, None))
    output = folder.add_model(functional, 0, "")
    return replace(_pruned(folder.nodes, folder.weights, output), pixels=pixels)


def put_back(network: FoldedNetwork) -> None:
    """Set the weights of the Keras model that a network was folded from.

    The model then computes what the folded network computes: batch normalization keeps the bias
    and changes nothing else.

    Args:
        network: From `fold`, perhaps with other weights.
    """
    for index, weights in network.weights.items():
        node = network.nodes[index]
        node.layer.kernel.assign(weights.kernel)
        bias = weights.bias
        if node.layer.use_bias:
            node.layer.bias.assign(bias)
            bias = np.zeros_like(bias)
        if node.normalization is not None:
            _neutralize(node.normalization, bias)


def _neutralize(layer: Any, bias: Floats) -> None:
    """Make a batch normalization add a bias, and do nothing else."""
    ones = np.ones_like(bias)
    layer.moving_variance.assign(ones - np.float32(layer.epsilon))
    layer.moving_mean.assign(np.zeros_like(bias) if layer.center else -bias)
    if layer.scale:
        layer.gamma.assign(ones)
    if layer.center:
        layer.beta.assign(bias)


@dataclass
class _Readers:
    """Counts the layers that read each tensor, whatever vanishes or is nested in between."""

    sources: dict[int, int] = field(default_factory=dict)  # the first tensor with the same values
    counts: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(cls, functional: Any) -> Self:
        readers = cls()
        readers.add_model(functional)
        readers.counts[readers.source(functional.outputs[0])] += 1
        return readers

    def source(self, tensor: Any) -> int:
        return self.sources.get(id(tensor), id(tensor))

    def add_model(self, functional: Any) -> None:
        import keras

        for call in nodes_in_order(functional):
            layer, given = call.operation, [self.source(tensor) for tensor in call.input_tensors]
            nested = functional_model(layer) if isinstance(layer, keras.Model) else None
            if nested is not None:
                self.sources[id(nested.inputs[0])] = given[0]
                self.add_model(nested)
                self.sources[id(call.outputs[0])] = self.source(nested.outputs[0])
            elif _vanishes(layer):
                self.sources[id(call.outputs[0])] = given[0]
            else:
                self.counts.update(given)

    def has_one(self, tensor: Any) -> bool:
        return self.counts[self.source(tensor)] == 1


@dataclass
class _Folder:
    """Collects nodes and weights while a model is walked through."""

    readers: _Readers
    nodes: list[Node] = field(default_factory=list)
    weights: dict[int, Weights] = field(default_factory=dict)
    layers: set[int] = field(default_factory=set)

    def add(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1

    def add_model(self, functional: Any, image: int, prefix: str) -> int:
        """Add the nodes of a functional model, and return the index of its output."""
        import keras

        indices = {id(functional.inputs[0]): image}
        for call in nodes_in_order(functional):
            layer = call.operation
            name = f"{prefix}{layer.name}"
            inputs = tuple(indices[id(tensor)] for tensor in call.input_tensors)
            if isinstance(layer, keras.Model):
                nested = functional_model(layer)
                if nested is None or len(nested.inputs) != 1 or len(nested.outputs) != 1:
                    raise _unknown(name, layer)
                index = self.add_model(nested, inputs[0], f"{name}/")
            else:
                is_only_reader = self.readers.has_one(call.input_tensors[0])
                index = self.add_layer(name, layer, inputs, _shape(call.outputs[0]), is_only_reader)
            indices[id(call.outputs[0])] = index
        return indices[id(functional.outputs[0])]

    def add_layer(
        self,
        name: str,
        layer: Any,
        inputs: tuple[int, ...],
        shape: tuple[int, ...],
        is_only_reader: bool,
    ) -> int:
        """Add the nodes of a layer, and return the index of its output."""
        kind = type(layer).__name__
        if _vanishes(layer):
            return inputs[0]
        if getattr(layer, "data_format", "channels_last") != "channels_last":
            raise _unknown(name, layer)
        match kind:
            case "Conv2D" | "DepthwiseConv2D" | "Dense":
                index = self.add_weighted(name, layer, inputs, shape)
            case "BatchNormalization":
                index = self.fold_normalization(name, layer, inputs[0], is_only_reader)
            case "GlobalAveragePooling2D":
                index = self.add(Node(name, Kind.AVERAGE, inputs, shape, layer))
            case "Add" | "Concatenate":
                index = self.add_merge(name, layer, inputs, shape)
            case _ if kind in _SELECTIONS:
                node = Node(name, Kind.SELECTION, inputs, shape, layer)
                is_reshaped_elu = kind in _RESHAPES and self.nodes[inputs[0]].activation == "elu"
                is_moved = is_reshaped_elu and is_only_reader
                index = self.add_before(inputs[0], node) if is_moved else self.add(node)
            case _:
                index = self.add_activation(name, layer, inputs, shape, _activation(layer, name))
        return index

    def add_before(self, index: int, reshaped: Node) -> int:
        """Add a node that reshapes values before their activation, and return the latter's index.

        That computes the same. The converter loses the range of an ELU that is reshaped.
        """
        activation = self.nodes[index]
        source = self.add(replace(reshaped, inputs=activation.inputs))
        return self.add(replace(activation, inputs=(source,), shape=reshaped.shape))

    def add_weighted(
        self, name: str, layer: Any, inputs: tuple[int, ...], shape: tuple[int, ...]
    ) -> int:
        if id(layer) in self.layers or (type(layer).__name__ == "Dense" and len(shape) > 1):
            raise _unknown(name, layer)  # used twice, or applied to each pixel
        self.layers.add(id(layer))
        index = self.add(Node(name, Kind.WEIGHTED, inputs, shape, layer))
        bias = np.asarray(layer.bias) if layer.use_bias else np.zeros(shape[-1])
        kernel = np.asarray(layer.kernel, np.float32)
        self.weights[index] = Weights(kernel, bias.astype(np.float32))
        return self.add_activation(
            f"{name}/activation", layer, (index,), shape, _function_name(layer.activation)
        )

    def add_activation(
        self, name: str, layer: Any, inputs: tuple[int, ...], shape: tuple[int, ...], function: str
    ) -> int:
        if function == "linear":
            return inputs[0]
        function = _OTHER_NAMES.get(function, function)
        if function not in ACTIVATIONS:
            raise _unknown(name.removesuffix("/activation"), layer, function)
        return self.add(Node(name, Kind.ACTIVATION, inputs, shape, layer, function))

    def add_merge(
        self, name: str, layer: Any, inputs: tuple[int, ...], shape: tuple[int, ...]
    ) -> int:
        sources = [self.nodes[index] for index in inputs]
        if type(layer).__name__ == "Concatenate":
            if any(self.has_fixed_range(index) for index in inputs):
                raise _unknown(name, layer)
            return self.add(Node(name, Kind.CONCATENATION, inputs, shape, layer))
        if len(sources) != 2 or any(source.shape != shape for source in sources):
            raise _unknown(name, layer)
        return self.add(Node(name, Kind.SUM, inputs, shape, layer))

    def has_fixed_range(self, index: int) -> bool:
        """Return whether the int8 arithmetic prescribes the range of a node."""
        node = self.nodes[index]
        while node.kind is Kind.SELECTION:
            node = self.nodes[node.inputs[0]]
        return node.kind is Kind.INPUT or node.activation in WITH_FIXED_RANGE

    def fold_normalization(self, name: str, layer: Any, index: int, is_only_reader: bool) -> int:
        node = self.nodes[index]
        if (
            node.kind is not Kind.WEIGHTED
            or node.normalization is not None
            or not is_only_reader
            or layer.axis not in (-1, len(node.shape))
        ):
            raise _unknown(name, layer)
        variance = np.asarray(layer.moving_variance, np.float64)
        scale = 1 / np.sqrt(variance + layer.epsilon)
        if layer.scale:
            scale = scale * np.asarray(layer.gamma, np.float64)
        offset = np.asarray(layer.beta, np.float64) if layer.center else np.zeros_like(scale)
        weights = self.weights[index]
        bias = (weights.bias - np.asarray(layer.moving_mean, np.float64)) * scale + offset
        kernel = weights.kernel * output_scales(node, weights.kernel, scale)
        self.weights[index] = Weights(kernel.astype(np.float32), bias.astype(np.float32))
        self.nodes[index] = replace(node, normalization=layer)
        return index


def output_scales(node: Node, kernel: NDArray[Any], scale: NDArray[Any]) -> NDArray[Any]:
    """Return a factor for each output channel in a shape that multiplies the kernel."""
    return scale.reshape(kernel.shape[-2:]) if node.is_depthwise else scale


def _pruned(nodes: list[Node], weights: dict[int, Weights], output: int) -> FoldedNetwork:
    """Return the network up to its output, without nodes that the output does not need."""
    needed = {output}
    for index in range(len(nodes) - 1, -1, -1):
        if index in needed:
            needed.update(nodes[index].inputs)
    kept = sorted(needed)
    new = {index: number for number, index in enumerate(kept)}
    return FoldedNetwork(
        tuple(
            replace(nodes[index], inputs=tuple(new[source] for source in nodes[index].inputs))
            for index in kept
        ),
        {new[index]: values for index, values in weights.items() if index in needed},
    )


def _vanishes(layer: Any) -> bool:
    """Return whether a layer returns its input when the network is used."""
    kind = type(layer).__name__
    is_linear = kind == "Activation" and _function_name(layer.activation) == "linear"
    return kind in _VANISHING or kind.startswith("Random") or is_linear


def _activation(layer: Any, name: str) -> str:
    """Return the name of the function that an activation layer computes."""
    kind = type(layer).__name__
    if kind == "Activation":
        return _function_name(layer.activation)
    if kind == "ReLU" and not layer.negative_slope and not layer.threshold:
        if layer.max_value is None:
            return "relu"
        if layer.max_value == 6:
            return "relu6"
    if kind in _ACTIVATION_LAYERS and getattr(layer, "axis", -1) == -1:
        return _ACTIVATION_LAYERS[kind]
    raise _unknown(name, layer)


def _function_name(function: Any) -> str:
    return "linear" if function is None else str(getattr(function, "__name__", function))


def _unknown(name: str, layer: Any, function: str = "") -> BoardError:
    what = function or type(layer).__name__
    return BoardError(
        f"The int8 arithmetic of the layer {name} ({what}) is not known.",
        expected="Conv2D, DepthwiseConv2D and Dense, each with its own batch normalization or none;"
        f" pooling, flattening, Add, Concatenate; {', '.join(sorted(ACTIVATIONS))}",
        received=f"{what} in {name}",
    )


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(size or 1 for size in tensor.shape[1:])
