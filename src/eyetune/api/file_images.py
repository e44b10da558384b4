"""The images of a data set for a network from a file, which does not say which ones it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eyetune.data import Dataset
from eyetune.data.load import folder_of
from eyetune.device.export.model_file import ModelFile
from eyetune.errors import DataError, UsageError
from eyetune.recipe import DataSection, Recipe
from eyetune.training.load_data import load_data
from eyetune.values.pixels import Pixels


def require_data(data: str | Path | None, command: str) -> str | Path:
    """Return the images that a user names for a model file.

    Args:
        data: A data source; None if none is named.
        command: The command, to which `--data cifar10` can be added.

    Raises:
        UsageError: None is named.
    """
    if data is None:
        raise UsageError(
            "A model file does not say which images it is for.",
            expected="--data with a name or a path",
            received="none",
            fix=f"{command} --data cifar10",
        )
    return data


def refuse_file_options(
    origin: object, *, data: str | Path | None, pixels: Pixels, unsafe: bool
) -> None:
    """Refuse options for model files where there is a run or an export.

    Args:
        origin: What there is, for the error.
        data: The images that the user names.
        pixels: The range of pixels that the user names.
        unsafe: Whether code inside a file may run.

    Raises:
        UsageError: An option is given.
    """
    if data is not None or pixels != "auto" or unsafe:
        raise UsageError(
            "--data, --pixels and --unsafe are for model files.",
            expected="a .keras or .tflite file",
            received=origin,
            fix="Leave these options out: the images of the training are used.",
        )


def section_for(network: ModelFile, data: str | Path) -> DataSection:
    """Return the data section of a recipe that names images in the shape that a network takes.

    Photos and digits get its size, and images in color become gray if it has one channel.
    """
    height, width, channels = network.input_shape
    edits: dict[str, Any] = {"data.source": str(data)}
    if height == width and (data == "digits" or folder_of(str(data)) is not None):
        edits["data.image_size"] = height
    if channels == 1:
        edits["data.grayscale"] = True
    return Recipe().with_(edits).data


def images_for(network: ModelFile, data: str | Path, split: str) -> Dataset:
    """Load the images of a data set for a network, which decides the size of decoded images.

    Raises:
        DataError: They have another shape or number of classes, or no such split.
    """
    dataset = load_data(Recipe(data=section_for(network, data)))
    if dataset.image_shape != network.input_shape:
        height, width, _ = network.input_shape
        expected = " x ".join(map(str, network.input_shape))
        folder = "a folder of photos, which become square, or " if height == width else ""
        raise DataError(
            "The network is for images of another shape.",
            expected=expected,
            received=f"{' x '.join(map(str, dataset.image_shape))} in {dataset.source}",
            fix=f"Name {folder}a .npz file with images of {expected} (x_train, y_train, x_test, "
            "y_test).",
        )
    if dataset.num_classes != network.num_classes:
        raise DataError(
            "The network has another number of classes than the images.",
            expected=f"{network.num_classes} classes, as the network has",
            received=f"{dataset.num_classes} in {dataset.source}",
        )
    require_split(dataset, split)
    return dataset


def require_split(dataset: Dataset, split: str) -> None:
    """Refuse a data set without images in a split.

    Raises:
        DataError: It has none.
    """
    if not len(dataset.split(split)):
        raise DataError(
            f"The images of {dataset.source} have no {split} split.",
            fix="--split validation",
        )
