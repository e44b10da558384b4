"""The lab's convolutional network and its variations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eyetune.errors import RecipeError
from eyetune.recipe import Block, ModelSection

if TYPE_CHECKING:
    import keras


def build(
    section: ModelSection, image_shape: tuple[int, int, int], num_classes: int, *, dtype: str = "float32"
) -> keras.Model:
    """Build the network of a recipe, untrained.

    Blocks of convolutions and a max pooling, then flatten or global average pooling, then dense layers and a
    softmax. The default is the lab's network, layer for layer.

    Args:
        section: The recipe's model section.
        image_shape: Height and width in pixels, and channels.
        num_classes: Number of outputs, at least 2.
        dtype: Keras dtype policy, for example "mixed_bfloat16"; the softmax is always in float32.

    Returns:
        A Keras model from float images of shape (batch, height, width, channels), 0 to 1, to probabilities of
        shape (batch, num_classes).

    Raises:
        RecipeError: The images shrink to nothing on their way through the blocks.

    Example:
        >>> build(ModelSection(), (32, 32, 3), 10).count_params()
        167562
    """
    from keras import Sequential, layers

    _check_sizes(section, image_shape)
    stack: list[Any] = [layers.Input(image_shape)]
    for block in section.blocks:
        stack += _block(block, section, dtype)
    stack.append(layers.GlobalAveragePooling2D(dtype=dtype) if section.global_pooling else layers.Flatten(dtype=dtype))
    for dense in section.dense:
        if section.dropout:
            stack.append(layers.Dropout(section.dropout, dtype=dtype))
        stack.append(layers.Dense(dense.units, activation=dense.activation or section.activation, dtype=dtype))
    if section.dropout:
        stack.append(layers.Dropout(section.dropout, dtype=dtype))
    stack.append(layers.Dense(num_classes, activation="softmax", dtype="float32"))
    return Sequential(stack, name=section.kind)


def _block(block: Block, section: ModelSection, dtype: str) -> list[Any]:
    from keras import layers

    activation = block.activation or section.activation
    stack: list[Any] = []
    for _ in range(block.convolutions):
        if section.batch_norm:
            stack += [
                layers.Conv2D(block.filters, block.kernel_size, padding=section.padding, use_bias=False, dtype=dtype),
                layers.BatchNormalization(dtype=dtype),
                layers.Activation(activation, dtype=dtype),
            ]
        else:
            stack.append(
                layers.Conv2D(
                    block.filters,
                    block.kernel_size,
                    padding=section.padding,
                    activation=activation,
                    dtype=dtype,
                )
            )
    if block.pool_size > 1:
        stack.append(layers.MaxPooling2D(block.pool_size, dtype=dtype))
    return stack


def _check_sizes(section: ModelSection, image_shape: tuple[int, int, int]) -> None:
    """Refuse a network that shrinks its images to nothing, and say where: Keras's own message is obscure."""
    height, width, _ = image_shape
    for index, block in enumerate(section.blocks):
        for step in range(block.convolutions):
            if section.padding == "valid":
                shrunk = height - block.kernel_size + 1, width - block.kernel_size + 1
                _check_size(shrunk, (height, width), f"convolution {step + 1} of block {index}")
                height, width = shrunk
        shrunk = height // block.pool_size, width // block.pool_size
        _check_size(shrunk, (height, width), f"the pooling of block {index}")
        height, width = shrunk


def _check_size(after: tuple[int, int], before: tuple[int, int], where: str) -> None:
    if min(after) < 1:
        raise RecipeError(
            f"The network shrinks its images to nothing at {where} (blocks count from 0).",
            expected="at least 1x1 after each layer",
            received=f"{before[0]}x{before[1]} before it, {after[0]}x{after[1]} after it",
            fix="Use fewer blocks, smaller kernels, padding 'same', pool_size 1, or larger images.",
        )
