"""Images are loaded once."""

from __future__ import annotations

from typing import Any

import pytest

from eyetune.data import Dataset
from eyetune.recipe import Recipe
from eyetune.training.load_data import load_data
from eyetune.tuning.load_images import ImageLoader


def test_image_loader_loads_the_same_images_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def counted(recipe: Recipe, source: None = None, **options: Any) -> Dataset:
        loaded.append(recipe.data.source)
        return load_data(recipe, source, **options)

    monkeypatch.setattr("eyetune.tuning.load_images.load_data", counted)
    images = ImageLoader(progress=False)
    recipe = Recipe().with_(data__source="digits", data__subset=50)
    dataset = images.load(recipe)
    located = recipe.with_({"data.source": dataset.source, "fit.epochs": 3})
    assert images.load(located) is dataset
    assert images.load(recipe.with_(data__camera="ov2640")) is dataset
    images.load(recipe.with_(data__subset=60))
    assert loaded == ["digits", "digits"]
