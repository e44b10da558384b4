"""Techniques that need a network trained before: what they make of a recipe, and what they say that
they need.
"""

from __future__ import annotations

import pytest

from eyetune.errors import RecipeError
from eyetune.recipe import PRETRAINED, Recipe
from eyetune.techniques import find, techniques


def test_those_that_a_bare_machine_cannot_do_say_what_they_need() -> None:
    needy = {one.name: one.needs for one in techniques() if one.needs}
    assert set(needy) == {"transfer", "fine-tuning", "distillation"}
    assert "trained run" in needy["distillation"]
    assert needy["transfer"] in find("transfer")._repr_html_()
    assert "needs" not in find("flip")._repr_html_()


def test_transfer_makes_the_known_networks_also_of_recipes_with_blocks_written_out() -> None:
    written = Recipe.from_toml(Recipe().with_(model="resnet8").to_toml())
    for name in PRETRAINED:
        edited = find("transfer").apply(written, name).model
        assert (edited.base, edited.blocks, edited.batch_norm) == (name, (), False)
    assert find("transfer").apply(Recipe(), "vgg16") == Recipe().with_(
        {"model": "vgg16", "model.blocks": []}
    )


def test_fine_tuning_keeps_a_base_that_is_there() -> None:
    start = find("transfer").apply(Recipe(), "resnet50")
    edited = find("fine-tuning").apply(start, "conv5_block3_1_conv")
    assert (edited.model.base, edited.model.trainable_from) == ("resnet50", "conv5_block3_1_conv")
    assert edited.fit.total_epochs == 15
    assert find("fine-tuning").apply(Recipe(), "block5_conv1").model.base == "vgg16"


@pytest.mark.parametrize(("name", "value"), [("transfer", "vgg61"), ("fine-tuning", "")])
def test_a_value_that_means_nothing_is_refused(name: str, value: str) -> None:
    with pytest.raises(RecipeError):
        find(name).apply(Recipe(), value)


@pytest.mark.parametrize("name", ["more-blocks", "kernel-size", "residual", "depthwise"])
def test_techniques_for_blocks_are_refused_where_a_base_stands_in_their_place(name: str) -> None:
    one = find(name)
    with pytest.raises(RecipeError, match="network is vgg16"):
        one.apply(Recipe().with_(model="vgg16"), one.values[0])
