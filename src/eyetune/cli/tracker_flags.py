"""The flags of commands that log with trackers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

if TYPE_CHECKING:
    from eyetune.tracking.tracker import Tracker

_GROUP = Group(
    "Trackers",
    sort_key=45,
    help="They log besides the workspace. A resumed command continues what it has logged.",
)


@Parameter(name="*")
@dataclass(frozen=True)
class TrackerFlags:
    """Where a command logs, besides the workspace."""

    mlflow: Annotated[str | None, Parameter(metavar="URI", show_default=False)] = None
    """Log to MLflow at this tracking URI, such as sqlite:///mlflow.db or http://localhost:5000."""
    tensorboard: Annotated[Path | None, Parameter(metavar="FOLDER", show_default=False)] = None
    """Write logs for TensorBoard into this folder."""

    def open(self) -> list[Tracker]:
        """Return the trackers that the flags name, connected.

        Raises:
            UsageError: Their library is not installed.
            TrackerError: A tracker cannot be reached.
        """
        trackers: list[Tracker] = []
        if self.mlflow is not None:
            from eyetune.tracking.mlflow_tracker import MlflowTracker

            trackers.append(MlflowTracker(self.mlflow))
        if self.tensorboard is not None:
            from eyetune.tracking.tensorboard_tracker import TensorBoardTracker

            trackers.append(TensorBoardTracker(self.tensorboard))
        return trackers


TrackerOptions = Annotated[TrackerFlags, Parameter(group=_GROUP)]
