"""The network of a run: as it was compiled, as a classifier of images, and explained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from eyetune.api.run_pictures import run_title
from eyetune.data import Dataset
from eyetune.data.dataset import Images
from eyetune.records.predictions import require_predictions
from eyetune.records.run import require_images
from eyetune.values.run_files import MODEL_FILE

if TYPE_CHECKING:
    from eyetune.api.explain import Explanation
    from eyetune.api.run import Run
    from eyetune.models.model_function import Inputs


def compiled_model(run: Run) -> Any:
    """Return the network as a compiled Keras model; see `Run.model`."""
    from eyetune.training.model_files import load_as_saved, load_classifier, load_compiled

    if run.record.own_recipe is None:
        return load_as_saved(run.folder / MODEL_FILE)
    if not run.recipe.model.has_function:
        model = load_classifier(run.folder / MODEL_FILE)
    else:
        model = load_compiled(run.folder, run.inputs)
    if not model.compiled:  # a recipe's, and those of earlier versions
        model.compile(loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def classifier(run: Run) -> Any:
    """Return a model from images, 0 to 1, to class probabilities; see `Run.classifier`.

    Raises:
        DataError: It was trained on data that was given as arrays.
    """
    from eyetune.training.model_files import load_classifier

    require_images(run.record)
    inputs = run.inputs() if run.recipe.model.has_function else None
    return load_classifier(run.folder / MODEL_FILE, inputs)


def training_inputs(run: Run) -> Inputs:
    """Return what the network is trained on, which a model function needs to build it."""
    from eyetune.models.model_function import ImageInputs
    from eyetune.training.load_data import inputs_of, load_any_data

    data = run.record.data
    if data.has_images:
        height, width, channels = data.image_shape
        return ImageInputs((height, width, channels), len(data.class_names))
    return inputs_of(load_any_data(run.recipe))


def explain_network(
    run: Run,
    image: int | str | Path | Images,
    split: Literal["validation", "test"],
    dataset: Dataset | None,
) -> Explanation:
    """Explain the network with the images of a split; see `Run.explain`.

    Raises:
        UsageError: The run is not complete, or has no such split or image.
        DataError: The file cannot be read as an image, or the images are not those of the run.
    """
    from eyetune.api.explain import explain

    chosen = run.image_to_explain(image, split)
    images = (run.checked(dataset) if dataset else run.dataset()).split(split)
    if not run.workspace.predictions.has(run.id, split):
        run.evaluate(split, dataset=dataset)
    probabilities, _ = require_predictions(run.workspace, run.record, split)
    names = run.record.data.class_names
    if isinstance(chosen, int):
        label = f"{split} image {chosen}: {names[images.labels[chosen]]}"
        chosen = (label, np.array(images.images[chosen]))
    return explain(
        run.classifier(),
        images,
        probabilities,
        chosen,
        label=run_title(run),
        split_name=split,
        class_names=names,
        trained_on=split == "validation" and run.recipe.data.train_on_validation,
    )
