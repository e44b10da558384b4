"""The pictures of a run: curves, confusion matrix, mistakes and network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from eyetune.analysis.metrics import confident_mistakes
from eyetune.data import Dataset
from eyetune.records.predictions import require_predictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyetune.api.run import Run
    from eyetune.report.figures.picture import Picture


def draw_curves(runs: Sequence[Run]) -> Picture:
    """Draw accuracy and loss of runs by epoch."""
    from eyetune.report.figures.run_figures import curves

    title = run_title(runs[0]) if len(runs) == 1 else ""
    return curves({run.record.label: run.history for run in runs}, title=title)


def draw_confusion(run: Run, split: str) -> Picture:
    """Draw how many images of each class are classified as which class."""
    from eyetune.report.figures.run_figures import confusion_matrix

    names = run.record.data.class_names
    title = f"{run_title(run)}, {split} {run.record.data.noun}s"
    return confusion_matrix(run.evaluation(split).confusion, names, title=title)


def draw_mistakes(run: Run, split: str, count: int, dataset: Dataset | None) -> Picture:
    """Draw the misclassified images with the highest probabilities of a wrong class."""
    from eyetune.report.figures.run_figures import mistakes

    probabilities, labels = require_predictions(run.workspace, run.record, split)
    chosen = confident_mistakes(probabilities, labels, count)
    images = (dataset or run.dataset()).split(split).images[chosen]
    names = run.record.data.class_names
    title = f"The most confident mistakes of {run_title(run)}"
    return mistakes(images, labels[chosen].tolist(), probabilities[chosen], names, title=title)


def draw_network(run: Run) -> Picture:
    """Draw the layers of the network with their shapes."""
    from eyetune.report.figures.network_diagram import network_diagram

    return network_diagram(run.record.network, title=run_title(run), noun=run.record.data.noun)


def save_pictures(run: Run, folder: Path | None, dataset: Dataset | None) -> list[Path]:
    """Write all pictures of a run as PNG and SVG, by default into its folder."""
    from eyetune.report.figures.picture import save

    target = folder or run.folder / "plots"
    paths = save(run.plot(), target, "curves") if run.history else []
    if run.record.results is not None and run.has_predictions:
        paths += save(run.plot_confusion(), target, "confusion")
        if run.record.data.has_images:
            paths += save(run.plot_mistakes(dataset=dataset), target, "mistakes")
    return paths + save(run.plot_network(), target, "network")


def run_title(run: Run) -> str:
    """Return the title of a run's pictures."""
    return f"{run.record.label} on {run.record.data.name}"
