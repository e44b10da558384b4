"""Built-in spaces: the portfolio, networks by name, and recipes with initial weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eyetune.errors import SpaceError
from eyetune.recipe import Recipe
from eyetune.space import Space, Value
from eyetune.space.portfolio import load_portfolio
from eyetune.space.presets import apply, recipe_space, values_in

STARTED = Recipe().with_({"model": "resnet8", "model.initial_weights": "cifar10"})


def test_fine_keeps_blocks_with_initial_weights() -> None:
    names = {part.name for part in recipe_space("fine", STARTED).space.distributions}
    assert "optimizer.learning_rate" in names
    assert not any(name.startswith("model.blocks") for name in names)
    random = STARTED.with_(model__initial_weights="")
    assert "model.blocks.0.filters" in {
        part.name for part in recipe_space("fine", random).space.distributions
    }


@pytest.mark.parametrize("name", ["lab", "small"])
def test_space_of_other_blocks_refuses_initial_weights(name: str) -> None:
    with pytest.raises(SpaceError):
        recipe_space(name, STARTED)


@pytest.mark.parametrize(
    ("path", "values", "is_possible"),
    [
        ("model", '["resnet8", "resnet14"]', False),
        ("model.width", "[0.5, 1.0]", False),
        ("model.batch_norm", "[true, false]", False),
        ("model.blocks.0.kernel_size", "[3, 5]", False),
        ("model.blocks.*.activation", '["relu", "silu"]', True),
        ("model.dropout", "[0.0, 0.3]", True),
    ],
)
def test_own_space_may_change_what_weights_fit(
    tmp_path: Path, path: str, values: str, is_possible: bool
) -> None:
    file = tmp_path / "space.toml"
    file.write_text(f'["{path}"]\nvalues = {values}\n')
    if is_possible:
        assert len(recipe_space(str(file), STARTED).space) == 1
    else:
        with pytest.raises(SpaceError):
            recipe_space(str(file), STARTED)


def test_portfolio_starts_from_its_entries() -> None:
    recipe = Recipe().with_(fit__epochs=3)
    start = recipe_space("portfolio", recipe, num_images=40_000, image_shape=(32, 32, 3))
    accuracy = load_portfolio("images").ordered_after(3)
    assert start.starts == tuple(entry.values for entry in accuracy)
    assert all(start.space.contains(values) for values in start.starts)
    assert start.recipe.fit.epochs == 3


def test_portfolio_needs_the_images() -> None:
    with pytest.raises(SpaceError):
        recipe_space("portfolio", Recipe())


@pytest.mark.parametrize(
    "edits", [{"model": "vgg"}, {"optimizer.name": "lion"}, {"loss.label_smoothing": 0.2}]
)
def test_portfolio_refuses_another_network_or_optimizer(edits: dict[str, Any]) -> None:
    recipe = Recipe().with_(edits)
    with pytest.raises(SpaceError):
        recipe_space("portfolio", recipe, num_images=40_000, image_shape=(32, 32, 3))


def test_name_of_network_is_a_hyperparameter() -> None:
    space = Space.from_toml(
        """
        ["model"]
        values = ["resnet8", "mobilenet"]
        ["model.width"]
        values = [0.5, 1.0]
        ["model.blocks.count"]
        low = 2
        high = 4
        ["model.blocks.*.activation"]
        values = ["relu", "relu6"]
        """
    )
    values: dict[str, Value] = {
        "model": "mobilenet",
        "model.width": 0.5,
        "model.blocks.count": 3,
        "model.blocks.*.activation": "relu6",
    }
    assert space.contains(values)
    changed = apply(Recipe(), values)
    zoo = Recipe().with_(model="mobilenet").model.blocks
    assert changed.model.width == 0.5
    assert [block.filters for block in changed.model.blocks] == [block.filters for block in zoo[:3]]
    assert {block.activation for block in changed.model.blocks} == {"relu6"}


def test_values_in_recognizes_the_network() -> None:
    start = recipe_space("portfolio", Recipe(), num_images=40_000, image_shape=(32, 32, 3))
    for values in start.starts:
        wide = {**values, "model.width": 1.5}
        other = apply(start.recipe, wide).with_(fit__epochs=50)
        assert values_in(other, start.recipe, start.space) == wide
    assert values_in(Recipe(), start.recipe, start.space) is None
