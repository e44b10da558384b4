"""The metrics of trials without runs, by epoch: a file in the folder of their study."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter

from eyetune._files import write_text
from eyetune.errors import WorkspaceError
from eyetune.inputs.damage import explaining_damage
from eyetune.records.folders import unwritable
from eyetune.values.json_text import json_value

METRICS_FILE = "keras-tuner-metrics.json"

# Numbers of epochs, each with the metrics after it by name, in order.
EpochMetrics = list[tuple[int, dict[str, float]]]
_METRICS: TypeAdapter[dict[int, EpochMetrics]] = TypeAdapter(dict[int, EpochMetrics])


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
    """Return what `write_trial_metrics` wrote; nothing if there is no such file.

    Raises:
        WorkspaceError: The file is damaged.
    """
    path = folder / METRICS_FILE
    if not path.exists():
        return {}

    def damaged(reason: str) -> WorkspaceError:
        return WorkspaceError(
            f"The metrics of trials in {path} cannot be read.",
            received=reason,
            fix=f"Move {path} away: the best values of the trials are recorded elsewhere.",
        )

    with explaining_damage(damaged):
        return _METRICS.validate_python(json_value(path.read_text(encoding="utf-8")))
