"""Build and fit a recipe in one call, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eyetune.data import AnyDataset
from eyetune.recipe import Recipe
from eyetune.training.fit import Fitted, fit
from eyetune.training.precision import choose_arithmetic
from eyetune.training.prepared_network import prepare_network


def fit_recipe(
    recipe: Recipe,
    dataset: AnyDataset,
    folder: Path,
    *,
    seed: int = 0,
    teacher: Path | None = None,
    **options: Any,
) -> Fitted:
    """Return the outcome of `fit`; the options are passed on to it."""
    prepared = prepare_network(
        recipe,
        dataset,
        seed=seed,
        arithmetic=choose_arithmetic(recipe, dataset),
        teacher=teacher,
    )
    folder.mkdir(exist_ok=True)
    return fit(prepared, folder, **options)
