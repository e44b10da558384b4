"""Keras layers that compute the nodes of a folded network, in float or as int8 arithmetic does.

Rounding has the gradient of the identity (the straight-through estimator of Bengio et al., 2013,
arXiv:1308.3432). Ranges are learned as in learned step size quantization (Esser et al., 2020,
arXiv:1902.08153).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from eyetune.models.int8.folding import FoldedNetwork, Kind, Node, Weights
from eyetune.models.int8.ranges import NUM_LEVELS, Range, Ranges, fixed_ranges, range_owners

_MAX_WEIGHT = 127  # int8 weights are symmetric: -127 to 127
_MAX_ACTIVATION = 127
_LEAKY_SLOPE = 0.2  # of the activation that Keras calls leaky_relu

_Scale = Callable[[], Any]


class FoldedWeights(keras.layers.Layer):  # type: ignore[misc]
    """A convolution or a dense layer without activation.

    Args:
        index: Index of the node.
        node: The node.
        weights: Its initial weights.
        quantized: Whether the kernel is rounded to int8, with a scale for each output channel.
    """

    def __init__(self, index: int, node: Node, weights: Weights, *, quantized: bool) -> None:
        super().__init__(dtype="float32")
        self.index = index
        self.node = node
        self.quantized = quantized
        # Return the scales of input and output; None if these are not rounded. Methods of other
        # layers, not the layers themselves, whose variables would become part of this one.
        self.input_scale: _Scale | None = None
        self.output_scale: _Scale | None = None
        self.kernel = self.add_weight(
            name="kernel",
            shape=weights.kernel.shape,
            initializer=lambda *_, **__: tf.constant(weights.kernel),
        )
        self.bias = self.add_weight(
            name="bias",
            shape=weights.bias.shape,
            initializer=lambda *_, **__: tf.constant(weights.bias),
        )

    def call(self, inputs: Any) -> Any:
        """Return the sums of products of the inputs with the kernel, plus the bias."""
        kernel, bias = tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.bias)
        if self.quantized:
            scale = int8_scale(kernel, is_depthwise=self.node.is_depthwise)
            kernel = on_grid(kernel, scale)
            if self.input_scale is not None:  # biases have the scale of the sums
                sums = tf.reshape(scale, [-1]) * tf.stop_gradient(self.input_scale())
                bias = on_grid(bias, sums)
                outputs = self._computed(inputs, kernel) + bias
                return scaled_down(outputs, sums, self.output_scale)
        return self._computed(inputs, kernel) + bias

    def _computed(self, inputs: Any, kernel: Any) -> Any:
        layer = self.node.layer
        if type(layer).__name__ == "Dense":
            return tf.matmul(inputs, kernel)
        convolve = keras.ops.depthwise_conv if self.node.is_depthwise else keras.ops.conv
        return convolve(
            inputs,
            kernel,
            strides=tuple(layer.strides),
            padding=layer.padding,
            data_format="channels_last",
            dilation_rate=tuple(layer.dilation_rate),
        )

    def folded(self) -> Weights:
        """Return the current weights."""
        return Weights(np.asarray(self.kernel), np.asarray(self.bias))


class Rescaling(keras.layers.Layer):  # type: ignore[misc]
    """A leaky ReLU or a mean over the whole feature map, whose input and output differ in scale.

    Args:
        node: The node.
        layer: The Keras layer that computes it in float.
    """

    def __init__(self, node: Node, layer: Any) -> None:
        super().__init__(dtype="float32")
        self.node = node
        self.layer = layer
        self.input_scale: _Scale | None = None
        self.output_scale: _Scale | None = None

    def call(self, inputs: Any) -> Any:
        """Return what int8 arithmetic computes, but for the last rounding."""
        outputs = self.layer(inputs)
        if self.input_scale is None:
            return outputs
        scale = tf.stop_gradient(self.input_scale())
        if self.node.kind is Kind.AVERAGE:
            num_values = inputs.shape[1] * inputs.shape[2]
            return scaled_down(outputs, scale, self.output_scale, divided_by=num_values)
        slope = getattr(self.layer, "negative_slope", _LEAKY_SLOPE)
        scales = tf.where(inputs < 0, slope * scale, scale)
        return scaled_down(outputs, scales, self.output_scale)


def scaled_down(
    outputs: Any, scale: Any, output_scale: _Scale | None, *, divided_by: int = 1
) -> Any:
    """Return sums as TensorFlow Lite Micro scales them down to its output: it rounds twice.

    The first time, it multiplies by a factor between a half and 1 and rounds; then, it divides by a
    power of two and rounds half away from zero. A quarter of a step makes sure that fake
    quantization rounds a half in the same direction.

    Args:
        outputs: The sums, times their scale.
        scale: Scale of the sums, in a shape that multiplies the outputs.
        output_scale: Returns the scale of the output; None if it is not rounded.
        divided_by: Number of values of which this is the mean, 1 or more. Default: 1.
    """
    if output_scale is None:
        return outputs
    result = tf.stop_gradient(output_scale())
    exponent = tf.floor(tf.math.log(scale / result) / np.float32(np.log(2))) + 1
    exponent -= np.float32(divided_by.bit_length() - 1)
    step = result * tf.minimum(tf.pow(2.0, exponent), 1.0)
    return on_grid(outputs, step) + tf.where(outputs < 0, -step / 4, step / 4)


def int8_scale(kernel: Any, *, is_depthwise: bool) -> Any:
    """Return the scale of each output channel of a kernel in int8, in a shape that divides it.

    Args:
        kernel: The kernel, in Keras's order of axes.
        is_depthwise: Whether it is the kernel of a depthwise convolution.
    """
    axes = [0, 1] if is_depthwise else list(range(len(kernel.shape) - 1))
    largest = tf.reduce_max(tf.abs(tf.stop_gradient(kernel)), axes, keepdims=True)
    return tf.maximum(largest, np.finfo(np.float32).tiny * 2**20) / _MAX_WEIGHT


def on_grid(values: Any, scale: Any) -> Any:
    """Return values rounded to multiples of a scale, with the gradient of the identity."""
    rounded = tf.round(tf.stop_gradient(values) / scale) * scale
    return values + tf.stop_gradient(rounded - values)


class FakeQuantize(keras.layers.Layer):  # type: ignore[misc]
    """Values rounded to those that an int8 tensor can hold, and limited to its range.

    Args:
        index: Index of the first node that has the range.
        bounds: The range at first.
        learned: Whether training adjusts it.
    """

    def __init__(self, index: int, bounds: Range, *, learned: bool) -> None:
        super().__init__(dtype="float32")
        self.index = index
        self.learned = learned
        self.initial = self.add_weight(
            name="bounds",
            shape=(2,),
            initializer=lambda *_, **__: tf.constant([bounds.minimum, bounds.maximum], tf.float32),
            trainable=False,
        )
        # The logarithm of the factor on the range: as an optimizer changes weights by a share of
        # their usual size, it changes ranges by a share of theirs. The zero point stays.
        self.factor = self.add_weight(name="factor", initializer="zeros") if learned else None

    def call(self, inputs: Any) -> Any:
        """Return the values as int8 holds them."""
        if self.factor is None:
            low, high = tf.unstack(tf.convert_to_tensor(self.initial))
            return tf.quantization.fake_quant_with_min_max_vars(inputs, low, high)
        return _rounded(inputs, tf.convert_to_tensor(self.initial), tf.identity(self.factor))

    def scale(self) -> Any:
        """Return the difference between two neighboring values, as a tensor."""
        low, high = tf.unstack(tf.convert_to_tensor(self.initial))
        factor = 1.0 if self.factor is None else tf.exp(self.factor)
        return factor * (high - low) / (NUM_LEVELS - 1)

    def current(self) -> Range:
        """Return the range as training has left it."""
        factor = 1.0 if self.factor is None else np.exp(np.asarray(self.factor))
        minimum, maximum = np.asarray(self.initial) * factor
        return Range(float(minimum), float(maximum))


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _rounded(values: Any, bounds: Any, factor: Any) -> Any:
    """Return values as int8 holds them, and the function that computes their gradients.

    Args:
        values: The values of a tensor.
        bounds: The range before training, float32 of shape (2,).
        factor: The logarithm of what training multiplies it by.
    """
    low, high = tf.unstack(bounds * tf.exp(factor))
    rounded = tf.quantization.fake_quant_with_min_max_vars(values, low, high)

    def gradients(upstream: Any) -> tuple[Any, Any, Any]:
        inside = tf.cast((values >= low) & (values <= high), values.dtype)
        # A larger range rounds values inside more, and moves those outside with its bounds.
        by_factor = tf.reduce_sum(upstream * (rounded - values * inside))
        share = tf.math.rsqrt(_MAX_ACTIVATION * tf.cast(tf.size(values), tf.float32))
        return upstream * inside, tf.zeros_like(bounds), share * by_factor

    return rounded, gradients


def operations(network: FoldedNetwork, *, quantized: bool = False) -> list[Any]:
    """Return a Keras layer for each node but the input, which has None.

    Args:
        network: The folded network.
        quantized: Whether weights are rounded to int8.
    """
    result: list[Any] = [None]
    for index, node in enumerate(network.nodes[1:], start=1):
        if node.kind is Kind.WEIGHTED:
            layer = FoldedWeights(index, node, network.weights[index], quantized=quantized)
        elif node.kind is Kind.ACTIVATION:
            layer = _activation(node, quantized=quantized)
        else:
            config = {**node.layer.get_config(), "dtype": "float32", "name": None}
            layer = type(node.layer).from_config(config)
        if quantized and (node.kind is Kind.AVERAGE or node.activation == "leaky_relu"):
            layer = Rescaling(node, layer)
        result.append(layer)
    return result


def _activation(node: Node, *, quantized: bool) -> Any:
    if type(node.layer).__name__ == "LeakyReLU":
        return keras.layers.LeakyReLU(node.layer.negative_slope, dtype="float32")
    if type(node.layer).__name__ == "ELU":
        return keras.layers.ELU(node.layer.alpha, dtype="float32")
    if quantized and node.activation == "silu":
        return keras.layers.Activation(_rounded_silu, dtype="float32")
    return keras.layers.Activation(node.activation, dtype="float32")


def _rounded_silu(values: Any) -> Any:
    """Return SiLU as int8 arithmetic does: the logistic function is a tensor of its own."""
    logistic = tf.quantization.fake_quant_with_min_max_args(tf.sigmoid(values), 0.0, 255 / 256)
    return values * logistic


def called(node: Node, layer: Any, values: Any) -> Any:
    """Return what a node's layer computes from the values of the nodes by index."""
    inputs = [values[source] for source in node.inputs]
    return layer(inputs if node.kind in (Kind.SUM, Kind.CONCATENATION) else inputs[0])


def folded_model(
    network: FoldedNetwork,
    ranges: Ranges | None = None,
    *,
    quantized_weights: bool = False,
    learned: bool = False,
) -> keras.Model:
    """Return a Keras model that computes a folded network.

    TensorFlow's converter takes the ranges of the int8 tensors from fake quantization, and rounds
    the weights itself.

    Args:
        network: The folded network.
        ranges: Range of each tensor, for fake quantization. Default: none, everything is float.
        quantized_weights: Whether weights are rounded to int8, as for training.
        learned: Whether training adjusts the ranges.
    """
    layers = operations(network, quantized=quantized_weights)
    limits = fake_quantizers(network, ranges, learned=learned)
    owners = rounded_owners(network)
    connect(network, layers, limits)
    values: dict[int, Any] = {}
    image = keras.layers.Input(network.nodes[0].shape, name="image")
    for index, node in enumerate(network.nodes):
        value = called(node, layers[index], values) if index else image
        owner = owners[index]
        values[index] = limits[owner](value) if owner in limits else value
    return keras.Model(image, values[len(network.nodes) - 1], name="folded")


def connect(
    network: FoldedNetwork, layers: list[Any], limits: Mapping[int | None, FakeQuantize]
) -> None:
    """Tell layers the scales of their inputs and outputs, on which their sums depend.

    Args:
        network: The folded network.
        layers: From `operations`.
        limits: From `fake_quantizers`.
    """
    owners, readers = range_owners(network), network.readers()
    for index, (node, layer) in enumerate(zip(network.nodes, layers, strict=True)):
        is_scaled = isinstance(layer, FoldedWeights | Rescaling)
        if is_scaled and owners[node.inputs[0]] in limits:
            layer.input_scale = limits[owners[node.inputs[0]]].scale
            owner = owners[index]
            if owner is None:  # an activation follows, whose range may be that of a concatenation
                owner = owners[readers[index][0]]
            layer.output_scale = limits[owner].scale


def fake_quantizers(
    network: FoldedNetwork, ranges: Ranges | None, *, learned: bool = False
) -> dict[int | None, FakeQuantize]:
    """Return a layer for each range, by the index of the node that has it.

    A softmax at the end has none: its range is always the same, and rounded probabilities would
    give training no gradients.
    """
    if ranges is None:
        return {}
    fixed = fixed_ranges(network)
    last = len(network.nodes) - 1
    return {
        index: FakeQuantize(index, bounds, learned=learned and index not in fixed)
        for index, bounds in ranges.items()
        if index != last or network.nodes[index].activation != "softmax"
    }


def rounded_owners(network: FoldedNetwork) -> tuple[int | None, ...]:
    """Return for each node the node whose range its values are rounded to; None for no rounding.

    Maxima and reshaped values are rounded already, means of pooling are not.
    """
    return tuple(
        None if _only_selects(node) else owner
        for node, owner in zip(network.nodes, range_owners(network), strict=True)
    )


def _only_selects(node: Node) -> bool:
    return node.kind is Kind.SELECTION and type(node.layer).__name__ != "AveragePooling2D"
