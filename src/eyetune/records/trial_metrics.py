"""The metrics of trials without runs, by epoch: a file in the folder of their study."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eyetune._files import write_text
from eyetune.records.folders import unwritable

METRICS_FILE = "keras-tuner-metrics.json"

# Numbers of epochs, each with the metrics after it by name, in order.
EpochMetrics = list[tuple[int, dict[str, float]]]


def write_trial_metrics(folder: Path, metrics: Mapping[int, EpochMetrics]) -> None:
    """Write the metrics of all trials of a study.

    Args:
        folder: Folder of the study.
        metrics: The epochs with their metrics, by the number of the trial.

    Raises:
        WorkspaceError: The file cannot be written.
    """
    path = folder / METRICS_FILE
    try:
        write_text(path, json.dumps(metrics))
    except OSError as error:
        raise unwritable(path, error) from None


def read_trial_metrics(folder: Path) -> dict[int, EpochMetrics]:
    """Return what `write_trial_metrics` wrote; nothing if there is no such file."""
    path = folder / METRICS_FILE
    if not path.exists():
        return {}
    trials: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {
        int(number): [(int(epoch), values) for epoch, values in epochs]
        for number, epochs in trials.items()
    }
