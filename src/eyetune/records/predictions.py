"""The recorded predictions of a run, as comparisons and verdicts need them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eyetune.errors import UsageError
from eyetune.records.run import RunRecord
from eyetune.records.workspace import Workspace


def require_predictions(
    workspace: Workspace, record: RunRecord, split: str
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return a run's class probabilities, shape (N, classes), and labels, shape (N,), of a split.

    Raises:
        UsageError: They are not recorded.
    """
    stored = workspace.predictions(record.id, split)
    if stored is None:
        raise UsageError(
            f"Run {record.label} has no recorded predictions for {split}.",
            fix=f"eyetune evaluate {record.id} --split {split}"
            if record.results
            else f"Finish it first: eyetune train --resume {record.id}",
        )
    return stored


def correct_answers(workspace: Workspace, record: RunRecord, split: str) -> NDArray[np.bool_]:
    """Return for each image of a split whether the run classified it correctly, shape (N,).

    Raises:
        UsageError: The run's predictions are not recorded.
    """
    probabilities, labels = require_predictions(workspace, record, split)
    return np.asarray(probabilities.argmax(axis=1) == labels)
