"""Predictions are kept by split, and damaged files are reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eyetune.errors import UsageError, WorkspaceError
from eyetune.records import Workspace
from eyetune.records.predictions import correct_answers, require_predictions
from tests.records.fabricate import add_run

PROBABILITIES = np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)
LABELS = np.array([1, 1], np.int64)


def test_predictions_are_kept_by_split(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    assert records.predictions.load(run.id, "test") is None
    records.predictions.save(run.id, "test", PROBABILITIES, LABELS)
    probabilities, labels = require_predictions(records, run, "test")
    np.testing.assert_array_equal(probabilities, PROBABILITIES)
    np.testing.assert_array_equal(labels, LABELS)
    assert records.predictions.load(run.id, "validation") is None
    assert correct_answers(records, run, "test").tolist() == [True, False]


def test_require_predictions_refuses_missing_ones(workspace: Path) -> None:
    records = Workspace(workspace)
    with pytest.raises(UsageError):
        require_predictions(records, add_run(records), "test")


@pytest.mark.parametrize("num_bytes", [0, 6, 100])
def test_damaged_predictions_are_an_error(workspace: Path, num_bytes: int) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    records.predictions.save(run.id, "validation", PROBABILITIES, LABELS)
    path = records.runs.folder(run.id) / "validation-predictions.npz"
    path.write_bytes(path.read_bytes()[:num_bytes])
    with pytest.raises(WorkspaceError):
        records.predictions.load(run.id, "validation")
