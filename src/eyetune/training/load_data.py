"""Load the data that a recipe names: images of a source, or arrays that a user gave."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from eyetune.data import AnyDataset, Dataset, load
from eyetune.data.array_store import is_kept, open_samples
from eyetune.errors import DataError
from eyetune.models.model_function.checking import ImageInputs, Inputs
from eyetune.recipe import Recipe
from eyetune.values.progress import OnProgress


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
        DataError: The source cannot be used, or consists of arrays that a user gave.
    """
    section = recipe.data
    if has_arrays(source or section.source):
        raise DataError(
            "This is for images, and the data was given as arrays.",
            expected="a named source, a folder of images or an .npz file",
            received=source or section.source,
            fix="Use your own arrays with the network: Run.model() or Study.best_model().",
        )
    dataset = load(
        source or section.source,
        validation=section.validation,
        test=section.test,
        subset=section.subset,
        image_size=section.image_size,
        resize=section.resize,
        grayscale=section.grayscale,
        seed=section.seed,
        skip_unreadable=section.skip_unreadable,
        train_on_validation=section.train_on_validation,
        on_progress=on_progress,
        on_note=on_note,
    )
    return dataset.hold_out(section.calibration) if section.calibration else dataset


def load_any_data(
    recipe: Recipe,
    source: str | Path | None = None,
    *,
    on_progress: OnProgress | None = None,
    on_note: Callable[[str], None] = lambda _: None,
) -> AnyDataset:
    """Load the data of a recipe: images as `load_data` does, or arrays that a user gave.

    Args:
        recipe: Its data section names the source, the splits and the image size.
        source: A source to load in place of the recipe's.
        on_progress: Called with the number of decoded files and of all files of a folder.
        on_note: Called with a line of text before a step that may take more than a second.

    Raises:
        SourceError: The source does not exist.
        DataError: The source cannot be used.
    """
    path = source or recipe.data.source
    if has_arrays(path):
        return open_samples(Path(path))
    return load_data(recipe, source, on_progress=on_progress, on_note=on_note)


def has_arrays(source: str | Path) -> bool:
    """Return whether a source consists of arrays that a user gave."""
    try:
        return is_kept(Path(source))
    except (OSError, ValueError):  # the name of a source that is no valid path
        return False


def inputs_of(dataset: AnyDataset) -> Inputs:
    """Return what the network of a model function is trained on."""
    if isinstance(dataset, Dataset):
        return ImageInputs(dataset.image_shape, dataset.num_classes)
    return dataset.given
