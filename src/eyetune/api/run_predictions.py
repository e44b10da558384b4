"""Predictions of the network of a run: for a split, mirrored images, or new images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eyetune.analysis.metrics import Evaluation, evaluate
from eyetune.analysis.tta import TtaGain, tta_gain
from eyetune.data import Dataset
from eyetune.data.dataset import Images
from eyetune.errors import DataError
from eyetune.records.predictions import require_predictions
from eyetune.records.run import require_images
from eyetune.values.progress import OnProgress

if TYPE_CHECKING:
    from eyetune.api.run import Run


@dataclass(frozen=True)
class Prediction:
    """The most probable classes of an image.

    Attributes:
        image: Path of the image, or its number.
        classes: Names of classes and their probabilities, the most probable first.
    """

    image: str
    classes: tuple[tuple[str, float], ...]


def evaluate_split(run: Run, split: str, dataset: Dataset | None) -> Evaluation:
    """Classify the images of a split, record the predictions and return the metrics."""
    from eyetune.training.evaluate import probabilities

    require_images(run.record)
    images = (dataset or run.dataset()).split(split)
    if not len(images):
        raise DataError(
            f"The images of run {run.record.label} have no {split} split.",
            fix="Classify your own: run.model().evaluate(x_test, y_test)",
        )
    predicted = probabilities(run.classifier(), images)
    run.workspace.predictions.save(run.id, split, predicted, images.labels)
    return evaluate(predicted, images.labels)


def evaluate_with_mirror_images(run: Run, split: str, dataset: Dataset | None) -> TtaGain:
    """Compare the recorded predictions with averages over each image and its mirror image."""
    from eyetune.training.evaluate import probabilities

    plain, labels = require_predictions(run.workspace, run.record, split)
    images = run.checked(dataset or run.dataset()).split(split)
    mirrored = probabilities(run.classifier(), images, mirrored=True)
    return tta_gain(plain, mirrored, labels)


def predict_images(
    run: Run,
    images: str | Path | Sequence[str | Path] | Images,
    top: int,
    on_progress: OnProgress | None,
) -> list[Prediction]:
    """Classify image files or pixels."""
    from eyetune.training.evaluate import classify

    if isinstance(images, np.ndarray):
        labels, pixels = [f"image {number}" for number in range(len(images))], images
    else:
        labels = [str(images)] if isinstance(images, str | Path) else [str(path) for path in images]
        pixels = decode_files(run, labels, on_progress)
    names = run.record.data.class_names
    predictions = []
    for label, probabilities in zip(labels, classify(run.classifier(), pixels), strict=True):
        most_likely = np.argsort(-probabilities)[:top]
        classes = tuple((names[index], float(probabilities[index])) for index in most_likely)
        predictions.append(Prediction(label, classes))
    return predictions


def decode_files(
    run: Run,
    paths: Sequence[str | Path],
    on_progress: OnProgress | None = None,
) -> Images:
    """Decode image files as the network of a run needs them.

    Args:
        run: The run.
        paths: The files, at least one.
        on_progress: Called after each file with the number of files that are done and their total.

    Returns:
        uint8, shape (N, height, width, channels).

    Raises:
        DataError: A file cannot be read as an image.
    """
    from eyetune.data.sources.image_file import decode

    image_shape = require_images(run.record)
    decoded = []
    for path in paths:
        decoded.append(decode(Path(path), image_shape, run.record.resize))
        if on_progress is not None:
            on_progress(len(decoded), len(paths))
    return np.stack(decoded)
