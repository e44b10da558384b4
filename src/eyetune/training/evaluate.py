"""What a trained network says of images: class probabilities, from which everything else is
computed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eyetune._files import replaced_file
from eyetune.data.dataset import Floats, Images, Split, normalise
from eyetune.errors import DataError, TrainingError, WorkspaceError
from eyetune.models import model_function
from eyetune.recipe import Recipe
from eyetune.training.backend import start_keras
from eyetune.training.pipeline import evaluation_batches

if TYPE_CHECKING:
    import keras

RECIPE_FILE = "recipe.toml"  # beside the network of a run


def probabilities(model: keras.Model, split: Split, *, mirrored: bool = False) -> Floats:
    """Return the class probabilities of a split's images, float32 of shape (N, number of classes).

    Args:
        model: Takes images of the split's shape.
        split: In its order.
        mirrored: Swap left and right of each image first.
    """
    step = -1 if mirrored else 1
    batches = evaluation_batches(split, model.output_shape[-1]).map(
        lambda images, _: images[:, :, ::step]
    )
    return np.asarray(model.predict(batches, verbose=0), np.float32)


def classify(model: keras.Model, images: Images) -> Floats:
    """Return the class probabilities of a few uint8 images of shape (N, height, width, channels).

    Raises:
        DataError: The network takes images of another shape.
    """
    expected = tuple(model.input_shape[1:])
    if images.shape[1:] != expected:
        raise DataError(
            "The network takes other images.", expected=expected, received=images.shape[1:]
        )
    return np.asarray(model(normalise(images), training=False), np.float32)


def save_model(model: keras.Model, path: Path) -> None:
    """Write a network in Keras's own format; a crash leaves the old file or the new one.

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
    """Load a network that was saved with a run; code inside the file is never run.

    Where the recipe beside it names a model function, layers may be of the user's own classes, and
    the user's file is run again, as it was for the training.

    Raises:
        TrainingError: The file is missing or damaged.
    """
    start_keras()
    import keras

    theirs = _their_function(path)
    try:
        return keras.saving.load_model(
            path,
            custom_objects=dict(theirs.custom_objects) if theirs else None,
            compile=False,
            safe_mode=theirs is None,
        )
    except Exception as error:  # a damaged archive raises whatever zip, JSON or HDF5 make of it
        raise TrainingError(
            f"The network {path} cannot be loaded.",
            received=f"{type(error).__name__}: {str(error)[:200]}",
            fix=f"Train its recipe again: eyetune train {path.parent.name}",
        ) from None


def _their_function(path: Path) -> model_function.Loaded | None:
    """Load the model function of the recipe beside a network, if it has one: it knows the classes
    of its layers.
    """
    beside = path.with_name(RECIPE_FILE)
    recipe = Recipe.load(beside) if beside.is_file() else Recipe()
    return model_function.load(recipe.model.function) if recipe.model.has_function else None
