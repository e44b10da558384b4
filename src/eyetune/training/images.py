"""The images of a recipe."""

from __future__ import annotations

from pathlib import Path

from eyetune.data import Dataset, load
from eyetune.data.sources.folder import OnProgress
from eyetune.recipe import Recipe


def load_data(
    recipe: Recipe, source: str | Path | None = None, *, on_progress: OnProgress | None = None
) -> Dataset:
    """Load the dataset of a recipe, or another source split and sized in the same way."""
    section = recipe.data
    return load(
        source or section.source,
        validation=section.validation,
        test=section.test,
        subset=section.subset,
        image_size=section.image_size,
        seed=section.seed,
        skip_unreadable=section.skip_unreadable,
        train_on_validation=section.train_on_validation,
        on_progress=on_progress,
    )
