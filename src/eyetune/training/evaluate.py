"""Predict class probabilities with a trained network; save and load networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eyetune._files import replaced_file
from eyetune.data.dataset import Floats, Images, Split, normalize
from eyetune.errors import DataError, TrainingError, WorkspaceError
from eyetune.models import model_function
from eyetune.recipe import Recipe
from eyetune.training.backend import start_keras
from eyetune.training.pipeline import evaluation_batches

if TYPE_CHECKING:
    import keras

RECIPE_FILE = "recipe.toml"  # beside the network of a run


def probabilities(model: keras.Model, split: Split, *, mirrored: bool = False) -> Floats:
    """Return the class probabilities of a split's images.

    Args:
        model: A model for images of the split's shape.
        split: The images.
        mirrored: Mirror each image horizontally first.

    Returns:
        float32, shape (N, number of classes), in the order of the split.
    """
    step = -1 if mirrored else 1
    batches = evaluation_batches(split, model.output_shape[-1]).map(
        lambda images, _: images[:, :, ::step]
    )
    return np.asarray(model.predict(batches, verbose=0), np.float32)


def classify(model: keras.Model, images: Images) -> Floats:
    """Return the class probabilities of a few images.

    Args:
        model: The network.
        images: uint8, shape (N, height, width, channels), 0 to 255.

    Returns:
        float32, shape (N, number of classes).

    Raises:
        DataError: The network is for images of another shape.
    """
    expected = tuple(model.input_shape[1:])
    if images.shape[1:] != expected:
        raise DataError(
            "The network is for images of another shape.",
            expected=expected,
            received=images.shape[1:],
        )
    return np.asarray(model(normalize(images), training=False), np.float32)


def save_model(model: keras.Model, path: Path) -> None:
    """Write a network in Keras's format. A crash leaves the old file or the new one.

    Raises:
        WorkspaceError: The file cannot be written.
    """
    try:
        with replaced_file(path) as partial:
            model.save(partial)
    except OSError as error:
        raise WorkspaceError(
            f"The network {path} cannot be written.", received=error.strerror or error
        ) from None


def load_model(path: Path) -> keras.Model:
    """Load the network of a run. Code inside the file is never run.

    If the recipe beside it names a model function, layers may be of the user's own classes, and the
    user's file is run as it was for the training.

    Raises:
        TrainingError: The file is missing or damaged.
    """
    start_keras()
    import keras

    function = _model_function(path)
    try:
        return keras.saving.load_model(
            path,
            custom_objects=dict(function.custom_objects) if function else None,
            compile=False,
            safe_mode=function is None,
        )
    except Exception as error:  # zip, JSON and HDF5 raise many types of errors for damaged files
        raise TrainingError(
            f"The network {path} cannot be loaded.",
            received=f"{type(error).__name__}: {str(error)[:200]}",
            fix=f"Train its recipe again: eyetune train {path.parent.name}",
        ) from None


def _model_function(path: Path) -> model_function.Loaded | None:
    """Return the model function of the recipe beside a network; None if there is none."""
    beside = path.with_name(RECIPE_FILE)
    recipe = Recipe.load(beside) if beside.is_file() else Recipe()
    return model_function.load(recipe.model.function) if recipe.model.has_function else None
