"""Channels of a recipe: the groups that change together, and recipes with fewer."""

from __future__ import annotations

from eyetune.recipe import Recipe
from eyetune.recipe.channels import channel_groups, with_channels, with_explicit_filters


def recipe(*blocks: object) -> Recipe:
    return Recipe().with_({"model.blocks": blocks, "model.dense": [8]})


def test_groups_join_blocks_whose_shortcut_is_their_input() -> None:
    blocks = [8, {"filters": 8, "residual": True}, {"filters": 16, "residual": True}]
    groups = channel_groups(recipe(*blocks).model, 3)
    assert [(group.count, len(group.paths)) for group in groups] == [(8, 2), (16, 1), (8, 1)]


def test_groups_leave_out_blocks_that_add_the_images() -> None:
    groups = channel_groups(recipe({"filters": 3, "residual": True}, 5).model, 3)
    assert [group.paths for group in groups] == [
        ("model.blocks.1.filters",),
        ("model.dense.0.units",),
    ]


def test_with_channels_refuses_to_remove_the_convolution_of_a_shortcut() -> None:
    start = recipe(8, {"filters": 16, "residual": True})
    group = channel_groups(start.model, 3)[1]
    assert with_channels(start, group, 8, 3) is None
    smaller = with_channels(start, group, 7, 3)
    assert smaller is not None
    assert [block.filters for block in smaller.model.blocks] == [8, 7]


def test_explicit_filters_replace_the_width() -> None:
    start = recipe(8, 16).with_(model__width=0.5)
    explicit = with_explicit_filters(start)
    assert explicit.model.width == 1
    assert [block.filters for block in explicit.model.blocks] == [4, 8]
