"""Techniques of architecture: what they do to blocks, and to networks that have none."""

from __future__ import annotations

import pytest

from eyetune.errors import RecipeError
from eyetune.recipe import Recipe
from eyetune.techniques import find


def test_more_blocks_doubles_the_filters_of_each_added_block() -> None:
    edited = find("more-blocks").apply(Recipe(), 2)
    assert [block.filters for block in edited.model.blocks] == [32, 64, 128, 256]
    assert edited.model.padding == "same"


@pytest.mark.parametrize("name", ["more-blocks", "kernel-size", "residual", "depthwise"])
def test_block_techniques_refuse_a_network_with_a_backbone(name: str) -> None:
    technique = find(name)
    with pytest.raises(RecipeError) as caught:
        technique.apply(Recipe().with_(model="vgg16"), technique.values[0])
    assert caught.value.received == "model.base vgg16"
