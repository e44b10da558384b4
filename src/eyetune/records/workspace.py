"""A workspace: a folder with a database, and a folder of files for each run, lab and study."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eyetune.records.changes import Observer
from eyetune.records.check_store import CheckStore
from eyetune.records.copies import follow_changes
from eyetune.records.database import Database
from eyetune.records.folders import workspace_path
from eyetune.records.lab_store import LabStore
from eyetune.records.predictions import PredictionStore
from eyetune.records.requests import RequestStore
from eyetune.records.run_store import RunStore
from eyetune.records.shrink import ShrinkStore
from eyetune.records.study_store import StudyStore

DEFAULT_FOLDER = "eyetune-workspace"


class Workspace:
    """The records in a folder, which is created when something is first written.

    Args:
        folder: The folder. Default: the one that EYETUNE_WORKSPACE names, or
            `./eyetune-workspace`.

    Attributes:
        folder: The folder, as an absolute path.
        runs: The runs.
        predictions: The predictions of the runs.
        labs: The labs.
        studies: The studies.
        requests: What others ask of the studies.
        shrinks: How networks of runs were made smaller.
        checks: What checks of data have found.

    Raises:
        WorkspaceError: From any method: the folder or its database cannot be read or written.

    Example:
        >>> import tempfile
        >>> workspace = Workspace(tempfile.mkdtemp())
        >>> workspace.runs.all(), workspace.labs.all(), workspace.studies.all()
        ([], [], [])
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        named = folder or os.environ.get("EYETUNE_WORKSPACE") or DEFAULT_FOLDER
        self.folder = Path(named).expanduser().resolve()
        self._database = Database(self.folder)
        follow_changes(self._database)
        self.labs = LabStore(self.folder / "labs")
        self.runs = RunStore(self._database, self.labs)
        self.predictions = PredictionStore(self.runs.root)
        self.studies = StudyStore(self._database)
        self.requests = RequestStore(self._database)
        self.shrinks = ShrinkStore(self.folder / "shrinks")
        self.checks = CheckStore(self.folder / "checks")

    @property
    def exists(self) -> bool:
        """Whether anything has been recorded."""
        return self._database.exists

    def path(self, *names: str) -> Path:
        """Return the path of a file or folder in the workspace, whose own folder is made.

        Args:
            names: The parts of the path below the workspace's folder.

        Raises:
            WorkspaceError: The path leads out of the workspace, or its folder cannot be made.
        """
        self._database.make_folder()
        return workspace_path(self.folder, *names)

    def prepare(self) -> None:
        """Create or open the workspace, so that a problem with it shows before any work is done."""
        _ = self._database.engine

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write everything in the block at once or, if it fails, nothing; reads in it see it."""
        with self._database.writing():
            yield

    @contextmanager
    def observed_by(self, observer: Observer) -> Iterator[None]:
        """Call a function with each change that this object records in the block.

        It is called in the thread that records, once the change is on disk, and must not raise.
        """
        self._database.observers.append(observer)
        try:
            yield
        finally:
            self._database.observers.remove(observer)
