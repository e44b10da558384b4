"""Techniques of architecture: activations, depth, width, normalization, kinds of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eyetune.errors import RecipeError
from eyetune.recipe import ZOO, Block, Recipe
from eyetune.techniques.registry import technique

GROUP = "network"


@technique(
    "activation-of-one-layer",
    values=("tanh", "sigmoid", "gelu", "leaky_relu"),
    group=GROUP,
    why="""An activation bends the straight line that a layer computes; without activations, many
    layers could do no more than one. Here the activation changes in the first block only, as the
    lesson does with tanh.""",
    hurts="""For large inputs, tanh and sigmoid are almost flat, so gradients vanish. The board
    cannot run gelu.""",
    link="https://keras.io/api/layers/activations/",
)
def _activation_of_one_layer(recipe: Recipe, value: str) -> Recipe:
    return recipe.with_({"model.blocks.0.activation": value})


@technique(
    "activation",
    values=("tanh", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "hard_silu"),
    group=GROUP,
    why="""relu is cheap and learns well, but a unit whose output is never above zero stays dead.
    leaky_relu, elu, silu and gelu let some of the negative values through; relu6 and hard_silu are
    made for integer arithmetic.""",
    hurts="""The board's interpreter has no gelu, selu, softplus or mish, and runs elu in floating
    point. relu, relu6, leaky_relu, tanh, silu and hard_silu run in int8.""",
    link="https://keras.io/api/layers/activations/",
)
def _activation(recipe: Recipe, value: str) -> Recipe:
    return recipe.with_({"model.activation": value})


@technique(
    "more-blocks",
    values=(1, 2),
    group=GROUP,
    why="""Each block sees a larger part of the image and combines what the block before it found:
    edges, then shapes, then objects. The value is the number of blocks to add, each with twice the
    filters of the block before it.""",
    hurts="""Each pooling halves the image: of 32x32 pixels, nothing is left after a few blocks.
    Deeper networks train more slowly.""",
    link="https://arxiv.org/abs/1409.1556",
)
def _more_blocks(recipe: Recipe, value: int) -> Recipe:
    blocks = list(_blocks(recipe))
    for _ in range(value):
        blocks.append(blocks[-1].model_copy(update={"filters": 2 * blocks[-1].filters}))
    return _with_blocks(recipe, blocks, padding="same")


@technique(
    "more-convolutions",
    values=(2, 3),
    group=GROUP,
    why="""Two 3x3 convolutions before a pooling see as much as one of 5x5, with fewer weights and
    one more activation. The value is the number of convolutions before each pooling.""",
    hurts="""No other technique here costs more time: the first blocks work on the largest feature
    maps.""",
    link="https://arxiv.org/abs/1409.1556",
)
def _more_convolutions(recipe: Recipe, value: int) -> Recipe:
    return _with_blocks(recipe, _changed_blocks(recipe, convolutions=value), padding="same")


@technique(
    "width",
    values=(0.5, 1.5, 2.0),
    group=GROUP,
    why="""More filters let each layer look for more patterns at once. The value multiplies the
    filters of all blocks. Below 1 the network gets smaller, which a board may need.""",
    hurts="Twice the filters means about four times the computation and the weights.",
    link="https://arxiv.org/abs/1704.04861",
)
def _width(recipe: Recipe, value: float) -> Recipe:
    return recipe.with_({"model.width": value})


@technique(
    "dense-units",
    values=(32, 128, 256),
    group=GROUP,
    why="""The hidden dense layer combines what the convolutions found into a decision. More units
    can combine it in more ways.""",
    hurts="Most weights of the network are in this layer, and overfitting starts here.",
    link="https://keras.io/api/layers/core_layers/dense/",
)
def _dense_units(recipe: Recipe, value: int) -> Recipe:
    return recipe.with_({"model.dense": [{"units": value}]})


@technique(
    "kernel-size",
    values=(5, 7),
    group=GROUP,
    why="""A larger kernel sees more of the image at once, so a shallow network recognizes larger
    shapes.""",
    hurts="""The cost grows with the square of the kernel size. Two 3x3 convolutions do the work of
    one 5x5 for less.""",
    link="https://keras.io/api/layers/convolution_layers/convolution2d/",
)
def _kernel_size(recipe: Recipe, value: int) -> Recipe:
    return _with_blocks(recipe, _changed_blocks(recipe, kernel_size=value), padding="same")


@technique(
    "padding",
    values=("same",),
    group=GROUP,
    why="""Without padding, each convolution loses the border of the image. With padding, the
    pixels at the border count as much as the others.""",
    hurts="""The feature maps stay larger, so the computation and the weights of the dense layer
    grow slightly.""",
    link="https://keras.io/api/layers/convolution_layers/convolution2d/",
)
def _padding(recipe: Recipe, value: str) -> Recipe:
    return recipe.with_({"model.padding": value})


@technique(
    "batch-norm",
    values=(True,),
    group=GROUP,
    why="""Batch normalization scales each channel to mean 0 and standard deviation 1 before the
    activation. Training becomes faster and less sensitive to the learning rate, and larger rates
    can be used. On the board it costs nothing: it is folded into the convolution.""",
    hurts="""Very small batches make it noisy. Without augmentation, the network memorizes its
    training images sooner.""",
    link="https://arxiv.org/abs/1502.03167",
)
def _batch_norm(recipe: Recipe, value: bool) -> Recipe:
    return recipe.with_({"model.batch_norm": value})


@technique(
    "global-pooling",
    values=(True,),
    group=GROUP,
    why="""Global average pooling keeps one value per channel instead of flattening them all. The
    first dense layer, which holds most weights of a small network, nearly disappears: there is less
    to store and less to memorize.""",
    hurts="""The network no longer knows where in the image something was, so the convolutions must
    be deep enough to have used that information.""",
    link="https://arxiv.org/abs/1312.4400",
)
def _global_pooling(recipe: Recipe, value: bool) -> Recipe:
    return recipe.with_({"model.global_pooling": value})


@technique(
    "residual",
    values=(True,),
    group=GROUP,
    why="""A residual block adds its input to its output, so it only has to learn what to change.
    Gradients reach the first layers undiminished, and deep networks become trainable.""",
    hurts="In a network of two or three blocks there is little to gain.",
    link="https://arxiv.org/abs/1512.03385",
)
def _residual(recipe: Recipe, value: bool) -> Recipe:
    return _with_blocks(recipe, _changed_blocks(recipe, residual=value, convolutions=2))


@technique(
    "depthwise",
    values=(True,),
    group=GROUP,
    why="""A depthwise-separable convolution filters each channel by itself and then mixes the
    channels pixel by pixel: almost the same result for about an eighth of the weights and the
    computation. Small devices run such networks.""",
    hurts="""It costs a little accuracy at the same width, and training it is not faster on a
    CPU.""",
    link="https://arxiv.org/abs/1704.04861",
)
def _depthwise(recipe: Recipe, value: bool) -> Recipe:
    first, *others = _blocks(recipe)  # the first has three input channels: nothing to save there
    changed = [block.model_copy(update={"depthwise": value}) for block in others]
    return _with_blocks(recipe, [first, *changed])


@technique(
    "network",
    values=tuple(name for name in ZOO if name != "lab"),
    group=GROUP,
    why="""Proven networks for images of this size: a VGG-like one, the ResNet-8 of benchmarks for
    small devices, ResNet-14, ResNet-20, and small versions of MobileNet and MobileNetV2. They
    include batch normalization, and all but the first include global pooling.""",
    hurts="They need more epochs and a learning-rate schedule to show what they can do.",
    link="https://arxiv.org/abs/2106.07597",
)
def _network(recipe: Recipe, value: str) -> Recipe:
    return recipe.with_({"model": value})


def _changed_blocks(recipe: Recipe, **changes: Any) -> list[Block]:
    return [block.model_copy(update=changes) for block in _blocks(recipe)]


def _blocks(recipe: Recipe) -> tuple[Block, ...]:
    """Return the blocks of a recipe.

    Raises:
        RecipeError: The recipe has a backbone and no blocks of its own.
    """
    if recipe.model.has_backbone:
        raise RecipeError(
            f"This technique changes blocks, but the network {recipe.model.base} has none.",
            expected="a recipe whose model.base is none",
            received=f"model.base {recipe.model.base}",
        )
    return recipe.model.blocks


def _with_blocks(recipe: Recipe, blocks: Sequence[Block], **model_values: Any) -> Recipe:
    edits: dict[str, Any] = {f"model.{name}": value for name, value in model_values.items()}
    edits["model.blocks"] = [block.model_dump(exclude_unset=True) for block in blocks]
    return recipe.with_(edits)
