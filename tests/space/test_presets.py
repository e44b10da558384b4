"""Spaces of recipes that start from given weights: blocks stay as the weights need them."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyetune.errors import SpaceError
from eyetune.recipe import Recipe
from eyetune.space.presets import recipe_space

STARTED = Recipe().with_({"model": "resnet8", "model.initial_weights": "cifar10"})


def test_fine_keeps_blocks_with_initial_weights() -> None:
    names = {part.name for part in recipe_space("fine", STARTED)[1].distributions}
    assert "optimizer.learning_rate" in names
    assert not any(name.startswith("model.blocks") for name in names)
    random = STARTED.with_(model__initial_weights="")
    assert "model.blocks.0.filters" in {
        part.name for part in recipe_space("fine", random)[1].distributions
    }


@pytest.mark.parametrize("name", ["lab", "small"])
def test_space_of_other_blocks_refuses_initial_weights(name: str) -> None:
    with pytest.raises(SpaceError):
        recipe_space(name, STARTED)


@pytest.mark.parametrize(
    ("path", "values", "is_possible"),
    [
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
        assert len(recipe_space(str(file), STARTED)[1]) == 1
    else:
        with pytest.raises(SpaceError):
            recipe_space(str(file), STARTED)
