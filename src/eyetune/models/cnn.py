"""Convolutional networks: the lab's network, its variations, and the zoo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eyetune.errors import RecipeError
from eyetune.recipe import Block, ModelSection
from eyetune.recipe.channels import num_filters

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class _Part:
    """Consecutive layers; with a shortcut, its output is added to theirs."""

    layers: list[Any]
    shortcut: list[Any] | None = None


def build(
    section: ModelSection,
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    dtype: str = "float32",
) -> keras.Model:
    """Build a convolutional network with random weights.

    It consists of blocks of convolutions with max pooling, then flattening or global average
    pooling, then dense layers and a softmax. The default is the lab's network, layer for layer.

    Args:
        section: The recipe's model section.
        image_shape: Height and width in pixels, and number of channels.
        num_classes: Number of outputs, at least 2.
        dtype: Keras dtype policy, for example "mixed_bfloat16"; the softmax is always in float32.

    Returns:
        A Keras model from float images of shape (batch, height, width, channels), 0 to 1, to
        probabilities of shape (batch, num_classes).

    Raises:
        RecipeError: The blocks shrink the images to nothing.

    Example:
        >>> build(ModelSection(), (32, 32, 3), 10).count_params()
        167562
    """
    import keras

    check_sizes(section, image_shape)
    parts: list[_Part] = []
    channels = image_shape[-1]
    for block in section.blocks:
        parts += _block(block, section, channels, dtype)
        channels = _filters(block, section)
    parts.append(_Part(head(section, num_classes, dtype)))
    if all(part.shortcut is None for part in parts):
        layers = [layer for part in parts for layer in part.layers]
        return keras.Sequential([keras.layers.Input(image_shape), *layers], name=section.kind)
    return _connect(parts, image_shape, section.kind, dtype)


def _connect(
    parts: list[_Part], image_shape: tuple[int, int, int], name: str, dtype: str
) -> keras.Model:
    import keras

    images = outputs = keras.layers.Input(image_shape)
    for part in parts:
        inputs = outputs
        outputs = _apply(part.layers, inputs)
        if part.shortcut is not None:
            outputs = keras.layers.Add(dtype=dtype)([outputs, _apply(part.shortcut, inputs)])
    return keras.Model(images, outputs, name=name)


def _apply(layers: list[Any], values: Any) -> Any:
    for layer in layers:
        values = layer(values)
    return values


def _filters(block: Block, section: ModelSection) -> int:
    return num_filters(block.filters, section.width)


def _padding(block: Block, section: ModelSection) -> str:
    return "same" if block.residual else section.padding  # both summands must have one size


def _block(block: Block, section: ModelSection, channels: int, dtype: str) -> list[_Part]:
    from keras import layers

    after = [layers.MaxPooling2D(block.pool_size, dtype=dtype)] if block.pool_size > 1 else []
    same_shape = block.stride == 1 and channels == _filters(block, section)
    if block.expansion:
        unit = _inverted_bottleneck(block, section, channels, dtype)
        return [_Part(unit, [] if block.residual and same_shape else None), _Part(after)]
    name = block.activation or section.activation
    inner: list[Any] = []
    for index in range(block.convolutions):
        stride = block.stride if index == 0 else 1
        is_last = index == block.convolutions - 1
        activation = None if is_last and block.residual else name
        inner += _convolution(block, section, stride, dtype, activation=activation)
    if not block.residual:
        return [_Part(inner + after)]
    shortcut = []
    if not same_shape:
        shortcut = _point(block, section, dtype, stride=block.stride)
    return [_Part(inner, shortcut), _Part([layers.Activation(name, dtype=dtype), *after])]


def _convolution(
    block: Block, section: ModelSection, stride: int, dtype: str, *, activation: str | None
) -> list[Any]:
    """Return the layers of one convolution; a depthwise-separable one consists of two."""
    if block.depthwise:
        return [
            *_depthwise(block, section, stride, dtype),
            *_point(block, section, dtype, activation=activation),
        ]
    return _conv2d(
        _filters(block, section),
        block.kernel_size,
        section,
        dtype,
        strides=stride,
        activation=activation,
        padding=_padding(block, section),
    )


def _inverted_bottleneck(
    block: Block, section: ModelSection, channels: int, dtype: str
) -> list[Any]:
    """Return the layers of MobileNetV2's block (Sandler et al., 2018, arXiv:1801.04381)."""
    name = block.activation or section.activation
    return [
        *_conv2d(block.expansion * channels, 1, section, dtype, activation=name),
        *_depthwise(block, section, block.stride, dtype),
        *_point(block, section, dtype),
    ]


def _point(
    block: Block,
    section: ModelSection,
    dtype: str,
    *,
    stride: int = 1,
    activation: str | None = None,
) -> list[Any]:
    """Return a 1x1 convolution to the filters of a block."""
    filters = _filters(block, section)
    return _conv2d(filters, 1, section, dtype, strides=stride, activation=activation)


def _conv2d(
    filters: int,
    kernel_size: int,
    section: ModelSection,
    dtype: str,
    *,
    activation: str | None,
    **options: Any,
) -> list[Any]:
    from keras import layers

    convolution = layers.Conv2D(
        filters,
        kernel_size,
        activation=None if section.batch_norm else activation,
        use_bias=not section.batch_norm,
        dtype=dtype,
        **options,
    )
    return [convolution, *_normalized(section, activation, dtype)]


def _depthwise(block: Block, section: ModelSection, stride: int, dtype: str) -> list[Any]:
    from keras import layers

    name = block.activation or section.activation
    convolution = layers.DepthwiseConv2D(
        block.kernel_size,
        strides=stride,
        padding=_padding(block, section),
        activation=None if section.batch_norm else name,
        use_bias=not section.batch_norm,
        # On CPUs, TensorFlow's gradient of a strided depthwise convolution takes 7 times as long in
        # bfloat16 as in float32.
        dtype="float32" if stride > 1 else dtype,
    )
    return [convolution, *_normalized(section, name, dtype)]


def _normalized(section: ModelSection, activation: str | None, dtype: str) -> list[Any]:
    """Return batch normalization and activation after a convolution; nothing without batch_norm."""
    from keras import layers

    if not section.batch_norm:
        return []
    after = [layers.Activation(activation, dtype=dtype)] if activation else []
    options: dict[str, Any] = {"dtype": dtype}
    if section.batch_norm_momentum != "auto":  # which the training sets
        options["momentum"] = section.batch_norm_momentum
    return [layers.BatchNormalization(**options), *after]


def head(section: ModelSection, num_classes: int, dtype: str) -> list[Any]:
    """Return the layers after the last feature maps: flattening or pooling, dense layers, softmax.

    Args:
        section: The recipe's model section.
        num_classes: Number of outputs, at least 2.
        dtype: Keras dtype policy; the softmax is always in float32.
    """
    from keras import layers

    pooling = layers.GlobalAveragePooling2D if section.global_pooling else layers.Flatten
    head_layers: list[Any] = [pooling(dtype=dtype)]
    for dense in section.dense:
        if section.dropout:
            head_layers.append(layers.Dropout(section.dropout, dtype=dtype))
        head_layers.append(
            layers.Dense(
                dense.units, activation=dense.activation or section.activation, dtype=dtype
            )
        )
    if section.dropout:
        head_layers.append(layers.Dropout(section.dropout, dtype=dtype))
    return [*head_layers, layers.Dense(num_classes, activation="softmax", dtype="float32")]


def check_sizes(section: ModelSection, image_shape: tuple[int, int, int]) -> None:
    """Check that no layer shrinks the images to nothing.

    Keras's own message does not say where this happens.

    Raises:
        RecipeError: An image is smaller than 1x1 after some layer.
    """
    size = image_shape[:2]
    for index, block in enumerate(section.blocks):
        for convolution in range(block.convolutions):
            lost = block.kernel_size - 1 if _padding(block, section) == "valid" else 0
            stride = block.stride if convolution == 0 else 1
            size = _shrunk(size, lost, stride, f"convolution {convolution + 1} of block {index}")
        size = _shrunk(size, block.pool_size - 1, block.pool_size, f"the pooling of block {index}")


def _shrunk(size: tuple[int, int], lost: int, stride: int, where: str) -> tuple[int, int]:
    """Return height and width after a layer that loses border pixels and then takes strides."""
    after = -(-(size[0] - lost) // stride), -(-(size[1] - lost) // stride)
    if min(after) < 1:
        raise RecipeError(
            f"The network shrinks its images to nothing at {where} (the first is block 0).",
            expected="at least 1x1 after each layer",
            received=f"{size[0]}x{size[1]} before it",
            fix="Use fewer blocks, smaller kernels, padding 'same', pool_size 1, or larger images.",
        )
    return after
