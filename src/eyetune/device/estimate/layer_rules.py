"""The operators that Keras's layers become: one rule for each class of layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from eyetune.device.estimate.activation_rules import (
    ACTIVATION_RULES,
    activation_name,
    emit_activation,
)
from eyetune.device.estimate.graph import Constant, Window
from eyetune.device.estimate.graph_builder import UNKNOWN, LayerCall, emit_in_float

_LayerRule = Callable[[LayerCall], int]

# Layers that do nothing in a model that is not being trained.
_VANISHING = frozenset(
    {
        "ActivityRegularization",
        "AlphaDropout",
        "Cast",
        "Dropout",
        "GaussianDropout",
        "GaussianNoise",
        "Identity",
        "InputLayer",
        "Masking",
        "SpatialDropout1D",
        "SpatialDropout2D",
    }
)
_ALONG_LAST_AXIS = ("BatchNormalization", "LayerNormalization", "GroupNormalization", "Softmax")
# Operations of keras.ops over axes.
_REDUCTIONS = {"Mean": "MEAN", "Sum": "SUM", "Max": "REDUCE_MAX", "Min": "REDUCE_MIN"}
_INTERPOLATIONS = {"bilinear": "RESIZE_BILINEAR", "nearest": "RESIZE_NEAREST_NEIGHBOR"}
_AXES = Constant(8)
_COMMON_AXES = Constant(8, is_common=True)


def emit_layer(call: LayerCall) -> int:
    """Add the operators of a layer, and return the index of its output.

    A layer without a rule becomes an operator of the kind UNKNOWN with the layer's weights.
    """
    kind = type(call.layer).__name__
    if kind in _VANISHING or kind.startswith("Random"):
        return call.inputs[0]
    if _has_other_layout(call):
        return emit_unknown(call)
    if kind in _RULES:
        return _RULES[kind](call)
    if kind.lower() in ACTIVATION_RULES:  # also as an operation, such as keras.ops.relu
        return emit_activation(call, call.inputs[0], kind.lower())
    return emit_unknown(call)


def emit_unknown(call: LayerCall) -> int:
    """Add an operator of the kind UNKNOWN with the layer's weights, and return its output."""
    weights = getattr(call.layer, "weights", ())
    return call.emit(
        UNKNOWN, constants=tuple(Constant(math.prod(weight.shape)) for weight in weights)
    )


def _has_other_layout(call: LayerCall) -> bool:
    """Return whether a layer works along other axes than its rule assumes."""
    if getattr(call.layer, "data_format", "") == "channels_first":
        return True
    if type(call.layer).__name__ not in _ALONG_LAST_AXIS:
        return False
    return _as_list(call.layer.axis) not in ([-1], [len(call.shape)])


# Layers with weights


def _convolution(call: LayerCall) -> int:
    is_depthwise = type(call.layer).__name__ == "DepthwiseConv2D"
    kind = "DEPTHWISE_CONV_2D" if is_depthwise else "CONV_2D"
    window = _window(call.layer)
    inputs = [_unpadded_input(call)]
    output = _emit_weighted(call, kind, call.layer.kernel, call.shape, inputs, window)
    return emit_activation(call, output, activation_name(call.layer.activation))


def _window(layer: Any) -> Window:
    height, width = layer.kernel_size
    return Window((height, width), tuple(layer.strides), tuple(layer.dilation_rate))


def _padding(call: LayerCall) -> int:
    output = call.emit("PAD", constants=(Constant(32),))
    call.builder.paddings[output] = (call.inputs[0], call.layer.padding)
    return output


def _unpadded_input(call: LayerCall) -> int:
    """Return the tensor that a convolution reads.

    It skips an explicit padding that equals padding="same", as the converter does.
    """
    layer = call.layer
    index, sides = call.builder.paddings.get(call.inputs[0], (call.inputs[0], None))
    sizes = call.builder.tensors[index].shape
    same = tuple(map(_same_padding, sizes[:2], layer.kernel_size, layer.strides))
    if layer.padding == "valid" and sides == same:
        return index
    return call.inputs[0]


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return how many pixels padding="same" adds before and after a side."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _emit_weighted(
    call: LayerCall,
    kind: str,
    kernel: Any,
    shape: tuple[int, ...],
    inputs: Sequence[int] = (),
    window: Window | None = None,
) -> int:
    """Add an operator each of whose weights is used once at each position of its output."""
    size, channels = math.prod(kernel.shape), shape[-1]
    constants = [Constant(size, channels)]
    # The converter gives convolutions a bias in any case.
    if call.layer.use_bias or kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        constants.append(Constant(4 * channels))
    return call.emit(
        kind,
        inputs,
        shape,
        constants=tuple(constants),
        channels=channels,
        macs=math.prod(shape[:-1]) * size,
        window=window,
    )


def _separable(call: LayerCall) -> int:
    layer = call.layer
    channels = call.input_shape()[-1] * layer.depth_multiplier
    depthwise_shape = (*call.shape[:2], channels)
    depthwise = _emit_weighted(
        call,
        "DEPTHWISE_CONV_2D",
        layer.depthwise_kernel,
        depthwise_shape,
        window=_window(layer),
    )
    pointwise = _emit_weighted(
        call, "CONV_2D", layer.pointwise_kernel, call.shape, [depthwise], Window((1, 1))
    )
    return emit_activation(call, pointwise, activation_name(layer.activation))


def _transposed(call: LayerCall) -> int:
    if set(call.layer.dilation_rate) != {1}:
        return emit_unknown(call)
    size, channels = math.prod(call.layer.kernel.shape), call.shape[-1]
    bias = (Constant(4 * channels),) if call.layer.use_bias else ()
    output = call.emit(
        "TRANSPOSE_CONV",
        constants=(Constant(size, channels), Constant(16), *bias),
        channels=channels,
        macs=math.prod(call.input_shape()[:-1]) * size,
        scratch_bytes=4 * math.prod(call.shape),  # it adds up in int32
    )
    return emit_activation(call, output, activation_name(call.layer.activation))


def _dense(call: LayerCall) -> int:
    output = _emit_weighted(call, "FULLY_CONNECTED", call.layer.kernel, call.shape)
    return emit_activation(call, output, activation_name(call.layer.activation))


# Layers that normalize


def _batch_normalization(call: LayerCall) -> int:
    """Add a multiplication and an addition by channel."""
    constant = (Constant(call.shape[-1], 1),)
    return call.emit("ADD", [call.emit("MUL", constants=constant)], constants=constant)


def _rescaling(call: LayerCall) -> int:
    scales = _as_list(call.layer.scale)
    offsets = _as_list(call.layer.offset)
    product = call.emit("MUL", constants=(Constant(len(scales), 1),))
    if not any(offsets):
        return product
    return call.emit("ADD", [product], constants=(Constant(len(offsets), 1),))


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _normalization(call: LayerCall) -> int:
    constant = (Constant(call.shape[-1], 1),)
    return call.emit("MUL", [call.emit("SUB", constants=constant)], constants=constant)


def _layer_normalization(call: LayerCall) -> int:
    values, narrow = call.inputs[0], (*call.shape[:-1], 1)
    mean = call.emit("MEAN", shape=narrow, constants=(_COMMON_AXES,))
    negative = emit_in_float(call, "NEG", mean, narrow)
    squares = call.emit("SQUARED_DIFFERENCE", [values, mean])
    return _emit_normalized(call, values, negative, squares, (call.shape, narrow, call.shape))


def _group_normalization(call: LayerCall) -> int:
    groups = call.layer.groups
    shape = (*call.shape[:-1], groups, call.shape[-1] // groups)
    narrow = (1,) * (len(call.shape) - 1) + (groups, 1)
    values = call.emit("RESHAPE", shape=shape, constants=(Constant(20),))
    mean = call.emit("MEAN", [values], narrow, constants=(_COMMON_AXES,))
    negative = emit_in_float(call, "NEG", mean, narrow)
    squares = emit_in_float(call, "SQUARE", call.emit("SUB", [values, mean], shape), shape)
    scales = (*narrow[:-1], shape[-1])
    normalized = _emit_normalized(call, values, negative, squares, (shape, narrow, scales))
    return call.emit("RESHAPE", [normalized])


def _emit_normalized(
    call: LayerCall,
    values: int,
    negative_mean: int,
    squares: int,
    shapes: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]],
) -> int:
    """Add the operators that subtract a mean and divide by a standard deviation.

    Args:
        call: The layer.
        values: Index of the values to normalize.
        negative_mean: Index of their mean, negated.
        squares: Index of the squared differences from the mean.
        shapes: Shapes of the values, of their mean, and of the scales that multiply them.
    """
    wide, narrow, scales = shapes
    by_channel = (Constant(call.shape[-1], 1),)
    epsilon = (Constant(1, 1, is_common=True),)
    variance = call.emit("MEAN", [squares], narrow, constants=(_COMMON_AXES,))
    shifted_variance = call.emit("ADD", [variance], narrow, constants=epsilon)
    deviation = call.emit("RSQRT", [shifted_variance], narrow)
    scale = call.emit("MUL", [deviation], scales, constants=by_channel)
    scaled_mean = call.emit("MUL", [negative_mean, scale], scales)
    offset = call.emit("ADD", [scaled_mean], scales, constants=by_channel)
    return call.emit("ADD", [call.emit("MUL", [values, scale], wide), offset], wide)


# Layers that combine several tensors


def _combining(kind: str) -> _LayerRule:
    """Return the rule of an operator with two inputs.

    More inputs are combined one after the other; a single input is combined with a constant.
    """

    def rule(call: LayerCall) -> int:
        if len(call.inputs) == 1:
            return call.emit(kind, constants=(Constant(1, 1),))
        result = call.inputs[0]
        for other in call.inputs[1:]:
            result = call.emit(kind, [result, other])
        return result

    return rule


def _average(call: LayerCall) -> int:
    total = _combining("ADD")(call)
    return call.emit("MUL", [total], constants=(Constant(1, 1),))


# Layers that are one operator, and activations


def _single(kind: str, *constants: Constant) -> _LayerRule:
    """Return the rule of a layer that is one operator."""
    return lambda call: call.emit(kind, constants=constants)


def _reshape(call: LayerCall) -> int:
    sizes_before = [size for size in call.input_shape() if size > 1]
    sizes_after = [size for size in call.shape if size > 1]
    if sizes_before == sizes_after:  # the converter drops a reshape that only adds or removes ones
        return call.inputs[0]
    return call.emit("RESHAPE", constants=(Constant(4 * len(call.shape) + 4),))


def _prelu(call: LayerCall) -> int:
    return call.emit("PRELU", constants=(Constant(math.prod(call.layer.alpha.shape), 1),))


def _activation(call: LayerCall) -> int:
    return emit_activation(call, call.inputs[0], activation_name(call.layer.activation))


def _relu(call: LayerCall) -> int:
    match call.layer.negative_slope, call.layer.max_value, call.layer.threshold:
        case 0, None, 0:
            return emit_activation(call, call.inputs[0], "relu")
        case 0, 6, 0:
            return emit_activation(call, call.inputs[0], "relu6")
        case _, None, 0:
            return call.emit("LEAKY_RELU")
    return emit_unknown(call)


def _resizing(call: LayerCall) -> int:
    if call.layer.crop_to_aspect_ratio or call.layer.pad_to_aspect_ratio:
        return emit_unknown(call)
    return _resized(call)


def _upsampling(call: LayerCall) -> int:
    if call.layer.interpolation == "nearest":
        return call.emit("TILE", constants=(Constant(20), Constant(20)))
    return _resized(call)


def _resized(call: LayerCall) -> int:
    kind = _INTERPOLATIONS.get(call.layer.interpolation)
    return call.emit(kind, constants=(Constant(8),)) if kind else emit_unknown(call)


_RULES: dict[str, _LayerRule] = {
    "Conv2D": _convolution,
    "DepthwiseConv2D": _convolution,
    "SeparableConv2D": _separable,
    "Conv2DTranspose": _transposed,
    "Dense": _dense,
    "BatchNormalization": _batch_normalization,
    "Normalization": _normalization,
    "Rescaling": _rescaling,
    "LayerNormalization": _layer_normalization,
    "GroupNormalization": _group_normalization,
    "Activation": _activation,
    "ReLU": _relu,
    "PReLU": _prelu,
    "LeakyReLU": _single("LEAKY_RELU"),
    "MaxPooling2D": _single("MAX_POOL_2D"),
    "AveragePooling2D": _single("AVERAGE_POOL_2D"),
    "GlobalAveragePooling2D": _single("MEAN", _AXES),
    "GlobalMaxPooling2D": _single("REDUCE_MAX", _AXES),
    "Flatten": _reshape,
    "Reshape": _reshape,
    "Permute": _single("TRANSPOSE", Constant(16)),
    "ZeroPadding2D": _padding,
    "Cropping2D": _single("STRIDED_SLICE", Constant(16), Constant(16), Constant(16)),
    "GetItem": _single("STRIDED_SLICE", Constant(16), Constant(16), Constant(16)),
    "Flip": _single("REVERSE_V2", Constant(4)),
    "Resizing": _resizing,
    "UpSampling2D": _upsampling,
    "Concatenate": _single("CONCATENATION"),
    "Add": _combining("ADD"),
    "Subtract": _combining("SUB"),
    "Multiply": _combining("MUL"),
    "Maximum": _combining("MAXIMUM"),
    "Minimum": _combining("MINIMUM"),
    "Average": _average,
    **{name: _single(kind, _AXES) for name, kind in _REDUCTIONS.items()},
    "Absolute": _single("ABS"),
    "Transpose": _single("TRANSPOSE", Constant(16)),
}
