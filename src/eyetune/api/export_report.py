"""Write the report and the model card of an export, and the pictures in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from eyetune.api.run import Run
from eyetune.data import Dataset, Split
from eyetune.device.export import export_folder
from eyetune.device.export.export_folder import MODEL_CARD, PLOTS, REPORT, Manifest
from eyetune.device.export.model_card import model_card
from eyetune.device.export.verify import Verification

if TYPE_CHECKING:
    from eyetune.analysis.metrics import Evaluation
    from eyetune.report.pages.page import Drawing

_MAX_CLASSES = 60  # of a confusion matrix that is readable
_CAPTIONS = {
    "confusion": "Which classes are mistaken for which.",
    "mistakes": "The most confident mistakes: the true class, and the predicted one.",
    "curves": "Accuracy and loss by epoch: training dashed, validation solid.",
    "tried": "Accuracy against size, with the limits of the board as dashed lines. The size of a "
    "network that was not checked for a board is its number of parameters, one byte each.",
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
        validation: Metrics of the float network on validation images, shown until then.

    Raises:
        WorkspaceError: A file cannot be written.
    """
    from eyetune.report.pages.export_page import export_page
    from eyetune.report.pages.page import write_page

    values = export_folder.as_values(manifest)
    result = None if verification is None else verification.to_json()
    page = export_page(values, result, _drawings(folder), validation)
    write_page(page, folder / REPORT)
    write_page(model_card(manifest, verification), folder / MODEL_CARD)


def draw_training(folder: Path, run: Run, manifest: Manifest, dataset: Dataset) -> None:
    """Draw how the network was trained, what else was tried, and its float version on validation.

    Args:
        folder: The folder of the export.
        run: The exported run.
        manifest: The manifest.
        dataset: The images of the run.
    """
    from eyetune.report.figures.export_figures import tried_networks

    pictures: dict[str, Any] = {"mistakes": run.plot_mistakes("validation", dataset=dataset)}
    if len(manifest.class_names) <= _MAX_CLASSES:
        pictures["confusion"] = run.plot_confusion("validation")
    if run.history:
        pictures["curves"] = run.plot()
    if len(manifest.tried) > 1:
        values = export_folder.as_values(manifest)
        pictures["tried"] = tried_networks(values["tried"], values["board"])
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
        except (OSError, ElementTree.ParseError):
            continue
    return drawings
