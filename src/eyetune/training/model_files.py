"""The network of a run on disk: saved after the training, and loaded.

A user's own network is kept as the model function compiled it, with the state of its optimizer.
If another network classifies images with it (one that adds a softmax, say), that one is kept too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from eyetune._files import replaced_file
from eyetune.errors import TrainingError, WorkspaceError
from eyetune.inputs.limits import WEIGHTS_BYTES, fix_for
from eyetune.inputs.zip_file import check_zip
from eyetune.models import model_function
from eyetune.models.model_function import Inputs
from eyetune.recipe import Recipe
from eyetune.training.backend import start_keras
from eyetune.values.run_files import COMPILED_FILE, MODEL_FILE, RECIPE_FILE, WEIGHTS_FILE

if TYPE_CHECKING:
    import keras

    from eyetune.training.fit import Fitted


def save_fitted(fitted: Fitted, folder: Path) -> None:
    """Write the network of a training in Keras's format, or the weights of one it cannot save.

    A crash leaves the old files or the new ones.

    Args:
        fitted: What was trained.
        folder: Folder of the run.

    Raises:
        WorkspaceError: A file cannot be written.
    """
    if fitted.network is None:
        save_model(fitted.model, folder / MODEL_FILE)
        return
    try:
        save_model(fitted.model, folder / MODEL_FILE)
        if fitted.network is not fitted.model:
            save_model(fitted.network, folder / COMPILED_FILE)
    except WorkspaceError:
        raise
    except Exception:  # a class without get_config: Keras has many errors for it
        for name in (MODEL_FILE, COMPILED_FILE):
            (folder / name).unlink(missing_ok=True)
        _written(folder / WEIGHTS_FILE, fitted.network.save_weights)


def save_model(model: keras.Model, path: Path) -> None:
    """Write a network in Keras's format. A crash leaves the old file or the new one.

    Raises:
        WorkspaceError: The file cannot be written.
    """
    _written(path, model.save)


def _written(path: Path, save: Callable[[Path], object]) -> None:
    try:
        with replaced_file(path) as partial:
            save(partial)
    except OSError as error:
        raise WorkspaceError(
            f"The network {path} cannot be written.", received=error.strerror or error
        ) from None


def load_classifier(path: Path, inputs: Inputs | None = None) -> keras.Model:
    """Load a network that returns class probabilities in float32. It is not compiled.

    Code inside the file is never run. If the recipe beside it names a model function that the user
    trusts, layers may be of its own classes. A network with Lambda layers, whose code is in the
    file, is built again by its function, and gets the weights of the file.

    Args:
        path: The file of the network.
        inputs: What it was trained on, to build a network again that Keras cannot load.

    Raises:
        TrainingError: The file is missing or damaged.
        UntrustedFunctionError: The user has not trusted its model function.
    """
    start_keras()
    recipe = _recipe(path.parent)
    custom_objects = _custom_objects(recipe)
    can_be_built = inputs is not None and recipe.model.has_function
    try:
        return _load(path, custom_objects, is_compiled=False)
    except Exception as error:  # zip, JSON and HDF5 raise many types of errors for damaged files
        if not can_be_built:
            raise _unloadable(path, error) from None
    assert inputs is not None
    return _rebuilt(path.parent, recipe, inputs).classifier


def load_as_saved(path: Path) -> keras.Model:
    """Load a network as Keras saved it, compiled and with the state of its optimizer.

    Code inside the file is never run.

    Args:
        path: The file of the network.

    Raises:
        TrainingError: The file is missing or damaged, or has classes that Keras does not know.
    """
    start_keras()
    try:
        return _load(path)
    except Exception as error:  # zip, JSON and HDF5 raise many types of errors for damaged files
        raise _unloadable(path, error) from None


def load_compiled(folder: Path, inputs: Callable[[], Inputs]) -> keras.Model:
    """Load the network of a model function as it was compiled, with the state of its optimizer.

    Code inside the file is never run. A network that Keras cannot load without it is built again by
    the model function, and gets its weights.

    Args:
        folder: Folder of the run.
        inputs: Returns what it was trained on.

    Raises:
        TrainingError: The files are missing or damaged.
    """
    start_keras()
    recipe = _recipe(folder)
    path = folder / (COMPILED_FILE if (folder / COMPILED_FILE).exists() else MODEL_FILE)
    custom_objects = _custom_objects(recipe)
    with suppress(Exception):  # a class that cannot be built from its configuration
        return _load(path, custom_objects)
    return _rebuilt(folder, recipe, inputs()).model


def _load(
    path: Path, custom_objects: dict[str, object] | None = None, *, is_compiled: bool = True
) -> keras.Model:
    """Load a network within the limits on files. Code inside the file is never run."""
    import keras

    check_zip(path, WEIGHTS_BYTES)
    return keras.saving.load_model(
        path, custom_objects=custom_objects, compile=is_compiled, safe_mode=True
    )


def _rebuilt(folder: Path, recipe: Recipe, inputs: Inputs) -> model_function.Built:
    """Build the network of a model function again, with the weights of a run."""
    path = next(
        (
            folder / name
            for name in (WEIGHTS_FILE, COMPILED_FILE, MODEL_FILE)
            if (folder / name).exists()
        ),
        folder / WEIGHTS_FILE,
    )
    built = model_function.build_with(
        recipe.model.function, recipe.model.hyperparameters, inputs, seed=0
    )
    try:
        if path.suffix == ".keras":
            check_zip(path, WEIGHTS_BYTES)
        built.model.optimizer.build(built.model.trainable_variables)
        built.model.load_weights(path)
    except Exception as error:  # as above
        raise _unloadable(path, error) from None
    return built


def _recipe(folder: Path) -> Recipe:
    path = folder / RECIPE_FILE
    return Recipe.load(path) if path.is_file() else Recipe()


def _custom_objects(recipe: Recipe) -> dict[str, object] | None:
    if not recipe.model.has_function:
        return None
    return dict(model_function.load(recipe.model.function).custom_objects)


def _unloadable(path: Path, error: Exception) -> TrainingError:
    return TrainingError(
        f"The network {path} cannot be loaded.",
        received=f"{type(error).__name__}: {str(error)[:200]}",
        fix=fix_for(error, f"Train its recipe again: eyetune train {path.parent.name}"),
    )
