"""Techniques that need a network trained before: the recipes that they make."""

from __future__ import annotations

import pytest

from eyetune.errors import RecipeError
from eyetune.recipe import PRETRAINED, Recipe
from eyetune.techniques import find, techniques


def test_transfer_techniques_say_what_they_need() -> None:
    names = {
        technique.name
        for technique in techniques()
        if technique.needs and technique.group == "transfer"
    }
    assert names == {"pretrained", "transfer", "fine-tuning", "distillation"}
    assert find("transfer").needs in find("transfer")._repr_html_()
    assert "needs" not in find("flip")._repr_html_()


def test_pretrained_replaces_the_network() -> None:
    for start in (Recipe(), find("transfer").apply(Recipe(), "vgg16")):
        edited = find("pretrained").apply(start, "resnet8")
        expected = Recipe().with_(model="resnet8").model
        assert (edited.model.initial_weights, edited.optimizer.schedule) == ("cifar10", "cosine")
        assert edited.with_(model__initial_weights="").model == expected
        assert not find("transfer").apply(edited, "vgg16").model.initial_weights


def test_transfer_replaces_blocks_that_are_written_out() -> None:
    written = Recipe.from_toml(Recipe().with_(model="resnet8").to_toml())
    for name in PRETRAINED:
        edited = find("transfer").apply(written, name).model
        assert (edited.base, edited.blocks, edited.batch_norm) == (name, (), False)
    expected = Recipe().with_({"model": "vgg16", "model.blocks": []})
    assert find("transfer").apply(Recipe(), "vgg16") == expected


def test_fine_tuning_keeps_the_backbone_of_the_recipe() -> None:
    start = find("transfer").apply(Recipe(), "resnet50")
    edited = find("fine-tuning").apply(start, "conv5_block3_1_conv")
    assert (edited.model.base, edited.model.trainable_from) == ("resnet50", "conv5_block3_1_conv")
    assert edited.fit.total_epochs == 15
    assert find("fine-tuning").apply(Recipe(), "block5_conv1").model.base == "vgg16"


@pytest.mark.parametrize(
    ("name", "value"), [("pretrained", "vgg"), ("transfer", "vgg61"), ("fine-tuning", "")]
)
def test_transfer_techniques_refuse_unknown_values(name: str, value: str) -> None:
    with pytest.raises(RecipeError):
        find(name).apply(Recipe(), value)
