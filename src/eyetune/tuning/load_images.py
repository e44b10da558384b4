"""Load the data of recipes with a progress bar, each data set once."""

from __future__ import annotations

from pathlib import Path
from typing import final

from eyetune.data import AnyDataset, Dataset
from eyetune.recipe import Recipe
from eyetune.report.progress.training_progress import decoding_bar, print_note, slow_step
from eyetune.training.load_data import has_arrays, load_any_data, load_data


def load_images(recipe: Recipe, source: str | Path | None = None, *, progress: bool) -> Dataset:
    """Load the images of a recipe, or those of another source, split and resized alike.

    Args:
        recipe: Its data section names the source, the splits and the image size.
        source: A source in place of the recipe's.
        progress: Say on standard error what takes long, with a bar while image files are decoded.
    """

    with (
        slow_step("Reading the data ...", enabled=progress) as cancel,
        decoding_bar(enabled=progress) as on_progress,
    ):

        def on_note(text: str) -> None:
            cancel()
            print_note(text, enabled=progress)

        return load_data(recipe, source, on_progress=on_progress, on_note=on_note)


@final
class ImageLoader:
    """Loads the images of recipes, or the arrays of users, and returns those it has loaded already.

    Args:
        progress: Show a bar while image files are decoded.
    """

    def __init__(self, *, progress: bool) -> None:
        self._progress = progress
        self._datasets: dict[str, AnyDataset] = {}

    def load_images(self, recipe: Recipe) -> Dataset:
        """Return the images of a recipe; the same images are loaded once.

        Raises:
            DataError: They cannot be used, or are arrays that a user gave to a model function.
        """
        dataset = self.load(recipe)
        return dataset if isinstance(dataset, Dataset) else load_data(recipe)  # which refuses it

    def load(self, recipe: Recipe) -> AnyDataset:
        """Return the data of a recipe; the same data is loaded once."""
        key = recipe.data.unchanged.model_dump_json()
        if key not in self._datasets:
            if has_arrays(recipe.data.source):
                dataset: AnyDataset = load_any_data(recipe)
            else:
                dataset = load_images(recipe, progress=self._progress)
            located = recipe.with_({"data.source": dataset.source})  # by its absolute path
            self._datasets[key] = dataset
            self._datasets[located.data.unchanged.model_dump_json()] = dataset
        return self._datasets[key]
