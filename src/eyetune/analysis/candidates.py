"""From recorded runs to what a comparison takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis.comparison import Candidate
from eyetune.analysis.imbalance import balancing_weights
from eyetune.records import RunRecord, Workspace
from eyetune.records.predictions import correct_answers, require_predictions


def candidate_of(
    label: str,
    runs: Sequence[RunRecord],
    workspace: Workspace,
    split: str = "validation",
    *,
    balanced: bool = False,
) -> Candidate:
    """Return the runs of one recipe as a candidate of a comparison.

    Args:
        label: The candidate's name in tables.
        runs: Complete runs with different seeds, at least one.
        workspace: Where the runs and their predictions are recorded.
        split: "validation" or "test".
        balanced: Whether the candidate is judged by balanced accuracy.

    Raises:
        UsageError: A run has no predictions for the split.
    """
    network = runs[0].network
    return Candidate(
        label=label,
        right=np.stack([correct_answers(workspace, run, split) for run in runs]),
        histories=tuple(workspace.runs.history(run.id) for run in runs),
        parameters=network.parameters,
        macs=network.macs,
        image_weights=_weights(workspace, runs[0], split) if balanced else None,
    )


def _weights(workspace: Workspace, run: RunRecord, split: str) -> NDArray[np.float64]:
    """Return the weights of a split's images with which accuracy is balanced accuracy."""
    _, labels = require_predictions(workspace, run, split)
    return balancing_weights(labels)
