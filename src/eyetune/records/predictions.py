"""The predictions of runs, as files in their folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyetune._files import replaced_file
from eyetune.errors import UsageError, WorkspaceError
from eyetune.inputs.damage import explaining_damage
from eyetune.inputs.npz_file import read_arrays
from eyetune.records.folders import record_folder, unwritable
from eyetune.records.run import RunRecord

if TYPE_CHECKING:
    from eyetune.records.workspace import Workspace


class PredictionStore:
    """The predictions of a workspace's runs on their validation and test images.

    Args:
        folder: The folder that holds the folders of the runs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(
        self, run_id: str, split: str, probabilities: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> None:
        """Record what a run's network predicts for a split, in place of earlier predictions.

        Args:
            run_id: Id of the run.
            split: "validation" or "test".
            probabilities: Class probabilities of the images, shape (N, classes), 0 to 1.
            labels: The true classes, shape (N,).

        Raises:
            WorkspaceError: The file cannot be written.
        """
        path = self._path(run_id, split)
        try:
            with replaced_file(path) as partial, partial.open("wb") as stream:
                np.savez(stream, probabilities=probabilities, labels=labels)
        except OSError as error:
            raise unwritable(path, error) from None

    def has(self, run_id: str, split: str) -> bool:
        """Return whether a run's predictions for a split are recorded, damaged or not."""
        return self._path(run_id, split).exists()

    def load(self, run_id: str, split: str) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
        """Return probabilities, shape (N, classes), and labels, shape (N,); None if not recorded.

        Raises:
            WorkspaceError: The file is damaged.
        """
        if not self.has(run_id, split):
            return None
        path = self._path(run_id, split)

        def damaged(reason: str) -> WorkspaceError:
            return WorkspaceError(
                f"The {split} predictions of run {run_id} cannot be read: {path} is damaged.",
                received=reason,
                fix=f"Compute them again: eyetune evaluate {run_id} --split {split} --recompute",
            )

        with explaining_damage(damaged):
            arrays = read_arrays(path)
            probabilities, labels = arrays["probabilities"], arrays["labels"]
            _check(probabilities, labels)
        return probabilities, labels

    def _path(self, run_id: str, split: str) -> Path:
        folder = record_folder(self._folder.parent, self._folder.name, run_id)
        return folder / f"{split}-predictions.npz"


def _check(probabilities: NDArray[Any], labels: NDArray[Any]) -> None:
    """Check what other code relies on.

    Raises:
        ValueError: The arrays are no predictions.
    """
    if probabilities.ndim != 2 or probabilities.dtype.kind != "f" or not probabilities.size:
        raise ValueError(f"{probabilities.dtype} array of shape {probabilities.shape}")
    if labels.shape != probabilities.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(f"{labels.dtype} labels of shape {labels.shape}")
    if labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise ValueError("a label has no class")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("a probability is not between 0 and 1")


def require_predictions(
    workspace: Workspace, record: RunRecord, split: str
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return a run's class probabilities, shape (N, classes), and labels, shape (N,), of a split.

    Raises:
        UsageError: They are not recorded.
        WorkspaceError: Their file is damaged.
    """
    stored = workspace.predictions.load(record.id, split)
    if stored is not None:
        return stored
    if record.results and not record.data.has_images:
        raise UsageError(
            f"Run {record.label} has no class predictions for {split}.",
            expected="a network that classifies, and data with this split",
            fix="Classify your own data: run.model().predict(x)",
        )
    if record.results:
        fix = f"eyetune evaluate {record.id} --split {split}"
    else:
        fix = f"Finish the run first: eyetune train --resume {record.id}"
    raise UsageError(f"Run {record.label} has no recorded predictions for {split}.", fix=fix)


def correct_answers(workspace: Workspace, record: RunRecord, split: str) -> NDArray[np.bool_]:
    """Return for each image of a split whether the run classified it correctly, shape (N,).

    Raises:
        UsageError: The run's predictions are not recorded.
        WorkspaceError: Their file is damaged.
    """
    probabilities, labels = require_predictions(workspace, record, split)
    return np.asarray(probabilities.argmax(axis=1) == labels)
