"""From recorded runs to what a comparison takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eyetune.analysis.comparison import Candidate
from eyetune.records import RunRecord, Workspace
from eyetune.records.predictions import correct_answers


def candidate_of(
    label: str, runs: Sequence[RunRecord], workspace: Workspace, split: str = "validation"
) -> Candidate:
    """Return the runs of one recipe as a candidate of a comparison.

    Args:
        label: The candidate's name in tables.
        runs: Complete runs with different seeds, at least one.
        workspace: Where the runs and their predictions are recorded.
        split: "validation" or "test".

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
    )
