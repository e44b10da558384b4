"""From a Keras model, trained or not, to the graph of its int8 model, without converting it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from eyetune.device.estimate.activations import ACTIVATIONS, activate, name_of
from eyetune.device.estimate.draft import UNKNOWN, Call, Draft, in_float
from eyetune.device.estimate.graph import Constant, Graph, Tensor, fused, ordered
from eyetune.errors import UsageError

if TYPE_CHECKING:
    import keras

# Layers that leave no trace in a model that is used rather than trained.
_VANISHING = frozenset(
    {
        *(
            "Dropout",
            "SpatialDropout1D",
            "SpatialDropout2D",
            "AlphaDropout",
            "GaussianNoise",
            "GaussianDropout",
        ),
        *("ActivityRegularization", "Identity", "Masking", "InputLayer", "Cast"),
    }
)
_AXES = Constant(8)
_COMMON_AXES = Constant(8, is_common=True)


def lower(model: keras.Model) -> Graph:
    """Return the graph of a model's int8 version, as TensorFlow's converter would make it of
    trained weights.

    Args:
        model: A built Keras model, sequential or functional, with models nested in it or not.

    Raises:
        UsageError: It is neither, or has no input shape yet, so that its wiring cannot be read.

    Example:
        >>> import keras
        >>> layers = [keras.layers.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()]
        >>> [operator.kind for operator in lower(keras.Sequential([*layers, keras.layers.Softmax()])).operators]
        ['CONV_2D', 'SOFTMAX']
    """
    function = _function(model)
    draft = Draft()
    inputs = [draft.add(Tensor(_shape(tensor))) for tensor in function.inputs]
    outputs = _walk(function, inputs, draft, "")
    return fused(
        ordered(Graph(tuple(draft.tensors), tuple(draft.operators), tuple(inputs), tuple(outputs)))
    )


def _function(model: Any) -> Any:
    """Return the wiring of a model: Keras keeps that of a sequential one beside it."""
    function = getattr(model, "_functional", model)
    if not hasattr(function, "_nodes_by_depth"):
        raise UsageError(
            "The wiring of the model cannot be read, so that what it needs of a board is not known.",
            expected="a keras.Sequential with an Input, or a functional keras.Model",
            received=f"{type(model).__name__} {getattr(model, 'name', '')}".strip(),
            fix="Start a Sequential with keras.layers.Input(shape); build others from inputs to outputs.",
        )
    return function


def _walk(function: Any, inputs: Sequence[int], draft: Draft, path: str) -> list[int]:
    """Write the operators of a wiring, nodes from the deepest on as Keras runs them, and return its
    outputs.

    Keras has no public way to see the nodes but to run the model.
    """
    import keras

    places = {id(tensor): place for tensor, place in zip(function.inputs, inputs, strict=True)}
    for depth in sorted(function._nodes_by_depth, reverse=True):
        for node in function._nodes_by_depth[depth]:
            if node.is_input:
                continue
            given = [places[id(tensor)] for tensor in node.input_tensors]
            name = f"{path}{node.operation.name}"
            if isinstance(node.operation, keras.Model):
                found = _walk(_function(node.operation), given, draft, f"{name}/")
            else:
                first, *more = [
                    Call(name, node.operation, tuple(given), _shape(one), draft)
                    for one in node.outputs
                ]
                found = [_layer(first), *(one.emit(UNKNOWN) for one in more)]
            places |= {id(tensor): place for tensor, place in zip(node.outputs, found, strict=True)}
    return [places[id(tensor)] for tensor in function.outputs]


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(size or 1 for size in tensor.shape[1:])


def _layer(call: Call) -> int:
    kind = type(call.layer).__name__
    if kind in _VANISHING or kind.startswith("Random"):
        return call.inputs[0]
    if kind in _RULES:
        return _RULES[kind](call)
    if kind.lower() in ACTIVATIONS:  # also as an operation, such as keras.ops.relu
        return activate(call, call.inputs[0], kind.lower())
    weights = tuple(
        Constant(math.prod(weight.shape)) for weight in getattr(call.layer, "weights", ())
    )
    return call.emit(UNKNOWN, constants=weights)


def _convolution(call: Call) -> int:
    depthwise = type(call.layer).__name__ == "DepthwiseConv2D"
    kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    output = _weighted(call, kind, call.layer.kernel, call.shape, [_unpadded(call)])
    return activate(call, output, name_of(call.layer.activation))


def _padding(call: Call) -> int:
    output = call.emit("PAD", constants=(Constant(32),))
    call.draft.padded[output] = (call.inputs[0], call.layer.padding)
    return output


def _unpadded(call: Call) -> int:
    """Return what a convolution reads: not its padded input where padding "same" would do the same."""
    layer = call.layer
    place, sides = call.draft.padded.get(call.inputs[0], (call.inputs[0], None))
    sizes = call.draft.tensors[place].shape
    same = tuple(map(_same_padding, sizes[:2], layer.kernel_size, layer.strides))
    return place if layer.padding == "valid" and sides == same else call.inputs[0]


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _weighted(
    call: Call, kind: str, kernel: Any, shape: tuple[int, ...], inputs: Sequence[int] = ()
) -> int:
    """Write an operator with weights: each of them is used once at each position of its output."""
    size, channels = math.prod(kernel.shape), shape[-1]
    constants = [Constant(size, channels)]
    if call.layer.use_bias or kind in (
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
    ):  # of which the converter makes none without
        constants.append(Constant(4 * channels, channels))
    return call.emit(
        kind,
        inputs,
        shape,
        constants=tuple(constants),
        channels=channels,
        macs=math.prod(shape[:-1]) * size,
        names=_names(kind, call.layer),
    )


def _names(kind: str, layer: Any) -> int:
    """Return how many of TensorFlow's operations a layer with weights is: the last two or one add
    the bias.
    """
    return 1 if not layer.use_bias else 2 if kind == "FULLY_CONNECTED" else 3


def _separable(call: Call) -> int:
    layer = call.layer
    between = (*call.shape[:2], call.input_shape()[-1] * layer.depth_multiplier)
    depthwise = _weighted(call, "DEPTHWISE_CONV_2D", layer.depthwise_kernel, between)
    point = _weighted(call, "CONV_2D", layer.pointwise_kernel, call.shape, [depthwise])
    return activate(call, point, name_of(layer.activation))


def _transposed(call: Call) -> int:
    size, channels = math.prod(call.layer.kernel.shape), call.shape[-1]
    bias = (Constant(4 * channels, channels),) if call.layer.use_bias else ()
    output = call.emit(
        "TRANSPOSE_CONV",
        constants=(Constant(size, channels), Constant(16), *bias),
        channels=channels,
        macs=math.prod(call.input_shape()[:-1]) * size,
        names=_names("TRANSPOSE_CONV", call.layer),
        scratch_bytes=4 * math.prod(call.shape),  # sums in int32
    )
    return activate(call, output, name_of(call.layer.activation))


def _dense(call: Call) -> int:
    output = _weighted(call, "FULLY_CONNECTED", call.layer.kernel, call.shape)
    return activate(call, output, name_of(call.layer.activation))


def _scaled(call: Call) -> int:
    """Batch normalization: a multiplication, then an addition, by channel."""
    constant = (Constant(call.shape[-1], 1),)
    return call.emit("ADD", [call.emit("MUL", constants=constant)], constants=constant)


def _rescaled(call: Call) -> int:
    scale, offset = (
        value if isinstance(value, list | tuple) else [value]
        for value in (call.layer.scale, call.layer.offset)
    )
    product = call.emit("MUL", constants=(Constant(len(scale), 1),))
    return (
        call.emit("ADD", [product], constants=(Constant(len(offset), 1),))
        if any(offset)
        else product
    )


def _standardized(call: Call) -> int:
    constant = (Constant(call.shape[-1], 1),)
    return call.emit("MUL", [call.emit("SUB", constants=constant)], constants=constant)


def _layer_normalization(call: Call) -> int:
    values, narrow = call.inputs[0], (*call.shape[:-1], 1)
    mean = call.emit("MEAN", shape=narrow, constants=(_COMMON_AXES,))
    negative = in_float(call, "NEG", mean, narrow)
    squares = call.emit("SQUARED_DIFFERENCE", [values, mean])
    return _normalized(call, values, negative, squares, (call.shape, narrow, call.shape))


def _group_normalization(call: Call) -> int:
    groups = call.layer.groups
    shape, narrow = (
        (*call.shape[:-1], groups, call.shape[-1] // groups),
        (1,) * (len(call.shape) - 1) + (groups, 1),
    )
    values = call.emit("RESHAPE", shape=shape, constants=(Constant(20),))
    mean = call.emit("MEAN", [values], narrow, constants=(_COMMON_AXES,))
    negative = in_float(call, "NEG", mean, narrow)
    squares = in_float(call, "SQUARE", call.emit("SUB", [values, mean], shape), shape)
    scales = (*narrow[:-1], shape[-1])
    return call.emit(
        "RESHAPE", [_normalized(call, values, negative, squares, (shape, narrow, scales))]
    )


def _normalized(
    call: Call,
    values: int,
    negative: int,
    squares: int,
    shapes: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]],
) -> int:
    """Write what the converter makes of values less their mean, divided by their deviation.

    The shapes are those of the values, of their mean, and of the scales that multiply them.
    """
    wide, narrow, scales = shapes
    by_channel, number = (Constant(call.shape[-1], 1),), (Constant(1, 1, is_common=True),)
    variance = call.emit("MEAN", [squares], narrow, constants=(_COMMON_AXES,))
    deviation = call.emit("RSQRT", [call.emit("ADD", [variance], narrow, constants=number)], narrow)
    scale = call.emit("MUL", [deviation], scales, constants=by_channel)
    offset = call.emit(
        "ADD", [call.emit("MUL", [negative, scale], scales)], scales, constants=by_channel
    )
    return call.emit("ADD", [call.emit("MUL", [values, scale], wide), offset], wide)


def _combined(kind: str) -> Callable[[Call], int]:
    """Return the rule of an operator of two inputs: more are taken one after the other, one meets a
    constant.
    """

    def rule(call: Call) -> int:
        if len(call.inputs) == 1:
            return call.emit(kind, constants=(Constant(1, 1),))
        result = call.inputs[0]
        for other in call.inputs[1:]:
            result = call.emit(kind, [result, other])
        return result

    return rule


def _average(call: Call) -> int:
    return call.emit("MUL", [_combined("ADD")(call)], constants=(Constant(1, 1),))


def _plain(kind: str, *constants: Constant) -> Callable[[Call], int]:
    """Return the rule of a layer that is one operator."""
    return lambda call: call.emit(kind, constants=constants)


def _reshape(call: Call) -> int:
    before, after = (
        [size for size in shape if size > 1] for shape in (call.input_shape(), call.shape)
    )
    if before == after:  # the converter lets what follows take it as it is
        return call.inputs[0]
    return call.emit("RESHAPE", constants=(Constant(4 * len(call.shape) + 4),))


def _activation_layer(call: Call) -> int:
    return activate(call, call.inputs[0], name_of(call.layer.activation))


def _relu_layer(call: Call) -> int:
    if call.layer.negative_slope:
        return call.emit("LEAKY_RELU")
    return activate(call, call.inputs[0], "relu6" if call.layer.max_value == 6 else "relu")


_RULES: dict[str, Callable[[Call], int]] = {
    "Conv2D": _convolution,
    "DepthwiseConv2D": _convolution,
    "SeparableConv2D": _separable,
    "Conv2DTranspose": _transposed,
    "Dense": _dense,
    "BatchNormalization": _scaled,
    "Normalization": _standardized,
    "Rescaling": _rescaled,
    "LayerNormalization": _layer_normalization,
    "GroupNormalization": _group_normalization,
    "Activation": _activation_layer,
    "ReLU": _relu_layer,
    "PReLU": lambda call: call.emit(
        "PRELU", constants=(Constant(math.prod(call.layer.alpha.shape), 1),)
    ),
    "LeakyReLU": _plain("LEAKY_RELU"),
    "MaxPooling2D": _plain("MAX_POOL_2D"),
    "AveragePooling2D": _plain("AVERAGE_POOL_2D"),
    "GlobalAveragePooling2D": _plain("MEAN", _AXES),
    "GlobalMaxPooling2D": _plain("REDUCE_MAX", _AXES),
    "Flatten": _reshape,
    "Reshape": _reshape,
    "Permute": _plain("TRANSPOSE", Constant(16)),
    "ZeroPadding2D": _padding,
    "Cropping2D": _plain("STRIDED_SLICE", Constant(16), Constant(16), Constant(16)),
    "GetItem": _plain("STRIDED_SLICE", Constant(16), Constant(16), Constant(16)),
    "Flip": _plain("REVERSE_V2", Constant(4)),
    "Resizing": _plain("RESIZE_BILINEAR", Constant(8)),
    "UpSampling2D": _plain("TILE", Constant(20), Constant(20)),
    "Concatenate": lambda call: call.emit("CONCATENATION"),
    "Add": _combined("ADD"),
    "Subtract": _combined("SUB"),
    "Multiply": _combined("MUL"),
    "Maximum": _combined("MAXIMUM"),
    "Minimum": _combined("MINIMUM"),
    "Average": _average,
}
