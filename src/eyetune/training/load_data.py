"""Load the images that a recipe names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from eyetune.data import Dataset, load
from eyetune.data.sources.folder import OnProgress
from eyetune.recipe import Recipe


def load_data(
    recipe: Recipe,
    source: str | Path | None = None,
    *,
    on_progress: OnProgress | None = None,
    on_note: Callable[[str], None] = lambda _: None,
) -> Dataset:
    """Load the dataset of a recipe, or another source with the recipe's splits and image size.

    Args:
        recipe: Its data section names the source, the splits and the image size.
        source: A source to load in place of the recipe's.
        on_progress: Called with the number of decoded files and of all files of a folder.
        on_note: Called with a line of text before a step that may take more than a second.

    Raises:
        SourceError: The source does not exist.
        DataError: The source cannot be used.
    """
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
        on_note=on_note,
    )
