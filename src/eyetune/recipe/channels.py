"""The channels of a network of blocks: which ones change together, and with how many it is built.

A residual block without a convolution in its shortcut adds its input to its output, so both must
have equally many channels: the blocks of such a chain form one group. Each hidden dense layer is a
group of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from eyetune.recipe.model_section import ModelSection
from eyetune.recipe.recipe import Recipe


@dataclass(frozen=True)
class ChannelGroup:
    """Layers that must have equally many channels.

    Attributes:
        paths: The values of the recipe that hold the number, for example "model.blocks.0.filters".
        count: The number of channels.
    """

    paths: tuple[str, ...]
    count: int


def num_filters(filters: int, width: float) -> int:
    """Return how many filters a convolution has in a network of some width.

    Example:
        >>> num_filters(16, 0.5), num_filters(1, 0.1)
        (8, 1)
    """
    return max(1, round(filters * width))


def with_explicit_filters(recipe: Recipe) -> Recipe:
    """Return a recipe of the same network with `model.width` 1 and its own number in each block.

    Example:
        >>> narrow = Recipe().with_({"model": "resnet8", "model.width": 0.5})
        >>> [block.filters for block in with_explicit_filters(narrow).model.blocks]
        [8, 8, 16, 32]
    """
    edits: dict[str, float] = {"model.width": 1.0}
    for index, block in enumerate(recipe.model.blocks):
        edits[f"model.blocks.{index}.filters"] = num_filters(block.filters, recipe.model.width)
    return recipe.with_(edits)


def channel_groups(section: ModelSection, image_channels: int) -> tuple[ChannelGroup, ...]:
    """Return the groups of channels of a network of blocks whose number can change.

    Args:
        section: The model section, with blocks and a width of 1.
        image_channels: Channels of the images. A block that adds the images to its output must have
            as many, so it is in no group.

    Example:
        >>> resnet8 = Recipe().with_({"model": "resnet8"}).model
        >>> [(len(group.paths), group.count) for group in channel_groups(resnet8, 3)]
        [(2, 16), (1, 32), (1, 64)]
    """
    chains: list[list[int]] = []  # the first one begins with the images and is not changed
    current: list[int] = []
    chains.append(current)
    channels = image_channels
    for index, block in enumerate(section.blocks):
        is_identity = block.residual and block.stride == 1 and channels == block.filters
        if not is_identity:
            current = []
            chains.append(current)
        current.append(index)
        channels = block.filters
    groups = [
        ChannelGroup(
            tuple(f"model.blocks.{index}.filters" for index in chain),
            section.blocks[chain[0]].filters,
        )
        for chain in chains[1:]
    ]
    dense = [
        ChannelGroup((f"model.dense.{index}.units",), layer.units)
        for index, layer in enumerate(section.dense)
    ]
    return (*groups, *dense)


def with_channels(
    recipe: Recipe, group: ChannelGroup, count: int, image_channels: int
) -> Recipe | None:
    """Return a recipe with another number of channels in one group.

    Args:
        recipe: A recipe from `with_explicit_filters`, or from this function.
        group: One of its groups.
        count: The number of channels, 1 or more.
        image_channels: Channels of the images.

    Returns:
        The recipe; None if the network would have other layers: with equally many channels before
        and after it, a residual block has no convolution in its shortcut.

    Example:
        >>> recipe = Recipe().with_({"model": "resnet8"})
        >>> first = channel_groups(recipe.model, 3)[0]
        >>> [block.filters for block in with_channels(recipe, first, 12, 3).model.blocks]
        [12, 12, 32, 64]
    """
    changed = recipe.with_(dict.fromkeys(group.paths, count))
    before = [group.paths for group in channel_groups(recipe.model, image_channels)]
    after = [group.paths for group in channel_groups(changed.model, image_channels)]
    return changed if before == after else None
