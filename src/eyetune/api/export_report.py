"""Write the report and the model card of an export, and the pictures in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eyetune.analysis.metrics import confident_mistakes, evaluate
from eyetune.api.export_source import ExportSource, SourceImages
from eyetune.data import Split
from eyetune.device.export import export_folder
from eyetune.device.export.export_folder import MODEL_CARD, PLOTS, REPORT, Manifest
from eyetune.device.export.model_card import model_card
from eyetune.device.export.verify import MAX_MISTAKES, Verification
from eyetune.errors import DataError

if TYPE_CHECKING:
    from eyetune.analysis.metrics import Evaluation
    from eyetune.report.pages.page import Drawing

_MAX_CLASSES = 60  # of a confusion matrix that is readable
_CAPTIONS = {
    "confusion": "Which classes are mistaken for which.",
    "mistakes": "The most confident mistakes: the true class, and the predicted one.",
    "curves": "Accuracy and loss by epoch: training dashed, validation solid.",
    "tried": "Accuracy against size and time, with the limits of the board as dashed lines and "
    "those of the search as dotted lines. The size of a network that was not checked for a board "
    "is its number of parameters, one byte each.",
}


def write_report(
    folder: Path,
    manifest: Manifest,
    *,
    verification: Verification | None = None,
    validation: Evaluation | None = None,
) -> None:
    """Write report.html and MODEL_CARD.md into the folder of an export.

    Args:
        folder: The folder of the export, with the pictures in it.
        manifest: Its manifest.
        verification: The result of `eyetune verify`. Default: not verified yet.
        validation: Metrics on validation images, shown until then: of the float network if there is
            one.

    Raises:
        WorkspaceError: A file cannot be written.
    """
    from eyetune.report.output import write_output
    from eyetune.report.pages.export_page import export_page

    values = export_folder.as_values(manifest)
    result = None if verification is None else verification.to_json()
    page = export_page(values, result, _drawings(folder), validation)
    write_output(page, folder / REPORT)
    write_output(model_card(manifest, verification), folder / MODEL_CARD)


def draw_training(
    folder: Path, source: ExportSource, images: SourceImages, manifest: Manifest
) -> None:
    """Draw how a network classifies validation images, how it was trained and what else was tried.

    Args:
        folder: The folder of the export.
        source: The source. Only for a run, its training and other networks are known.
        images: Its images, with predictions for validation images.
        manifest: The manifest.
    """
    from eyetune.report.figures.export_figures import tried_networks
    from eyetune.report.figures.run_figures import confusion_matrix, mistakes

    names, validation = manifest.class_names, images.validation
    title = f"{manifest.label} on {images.dataset.name}"
    chosen = confident_mistakes(images.probabilities, validation.labels, MAX_MISTAKES)
    pictures: dict[str, Any] = {
        "mistakes": mistakes(
            validation.images[chosen],
            validation.labels[chosen].tolist(),
            images.probabilities[chosen],
            names,
            title=f"The most confident mistakes of {title}",
        )
    }
    if len(names) <= _MAX_CLASSES:
        matrix = evaluate(images.probabilities, validation.labels).confusion
        title = f"{title}, validation images"
        pictures["confusion"] = confusion_matrix(matrix, names, title=title)
    if source.run is not None and source.run.history:
        pictures["curves"] = source.run.plot()
    if len(manifest.tried) > 1:
        values = export_folder.as_values(manifest)
        pictures["tried"] = tried_networks(
            values["tried"], values["board"], values["search_limits"]
        )
    _save(pictures, folder)


def draw_verification(
    folder: Path, manifest: Manifest, verification: Verification, images: Split
) -> None:
    """Draw the confusion matrix and the mistakes of the int8 network on the verified images.

    Args:
        folder: The folder of the export.
        manifest: Its manifest.
        verification: The result.
        images: The images that were classified.
    """
    from eyetune.report.figures.run_figures import confusion_matrix, mistakes

    names, split = manifest.class_names, verification.split
    chosen = verification.mistakes
    probabilities = np.zeros((len(chosen), len(names)), np.float32)
    for row, mistake in zip(probabilities, chosen, strict=True):
        row[mistake.predicted] = mistake.confidence
    title = f"The most confident mistakes of the int8 network, {split} images"
    pixels = images.images[[mistake.image for mistake in chosen]]
    labels = [mistake.true for mistake in chosen]
    pictures = {"mistakes": mistakes(pixels, labels, probabilities, names, title=title)}
    if len(names) <= _MAX_CLASSES:
        matrix = np.array(verification.confusion)
        title = f"The int8 network, {verification.num_images:,} {split} images"
        pictures["confusion"] = confusion_matrix(matrix, names, title=title)
    _save(pictures, folder)


def _save(pictures: dict[str, Any], folder: Path) -> None:
    from eyetune.report.figures.picture import save

    for name, picture in pictures.items():
        save(picture, folder / PLOTS, name, ["svg"])


def _drawings(folder: Path) -> dict[str, Drawing]:
    """Return the pictures in the folder of an export, by name, as far as they can be read."""
    from eyetune.report.pages.page import embedded

    drawings = {}
    for name, caption in _CAPTIONS.items():
        try:
            content = (folder / PLOTS / f"{name}.svg").read_bytes()
            drawings[name] = embedded(content, name, caption, photo=name == "mistakes")
        except (OSError, DataError):
            continue
    return drawings
