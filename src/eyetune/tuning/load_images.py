"""Load the images of a recipe with a progress bar."""

from __future__ import annotations

from pathlib import Path

from eyetune.data import Dataset
from eyetune.recipe import Recipe
from eyetune.report.progress.training_progress import decoding_bar
from eyetune.training.images import load_data


def load_images(recipe: Recipe, source: str | Path | None = None, *, progress: bool) -> Dataset:
    """Load the images of a recipe, or those of another source split and sized in the same way.

    Args:
        recipe: Its data section names the source, the splits and the image size.
        source: A source in place of the recipe's.
        progress: Show a bar while image files are decoded.
    """
    with decoding_bar(enabled=progress) as on_progress:
        return load_data(recipe, source, on_progress=on_progress)
