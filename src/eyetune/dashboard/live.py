"""What all pages read: the records of the workspace, at most a second old, read once for all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from eyetune.records import RunRecord, Workspace
from eyetune.records.lab import LabRecord
from eyetune.records.live import LiveRuns, LiveTrials, refreshed_runs, refreshed_trials
from eyetune.records.study import StudyRecord
from eyetune.records.trial import TrialRecord
from eyetune.values.history import History

MAX_AGE_SECONDS = 1.0
MAX_KEPT_HISTORIES = 200
MAX_DERIVED = 50
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class _Aged:
    """A value, and when it was read."""

    value: Any
    read_at: float


class Live:
    """The records of a workspace for all pages and clients.

    Its methods may be called from any thread. What they return is never changed afterwards, so a
    page can tell by identity whether something is new.

    Args:
        workspace: The workspace.
        clock: Returns the time in seconds.
    """

    def __init__(self, workspace: Workspace, clock: Callable[[], float] = time.monotonic) -> None:
        self.workspace = workspace
        self._clock = clock
        self._lock = threading.RLock()
        self._values: dict[str, _Aged] = {}
        self._histories: dict[tuple[str, int | None], History] = {}  # by id and stamp of the run
        self._derived: dict[str, tuple[object, Any]] = {}  # by name, each with its source
        # Pages make charts in the event loop, which must not wait for a read of the database.
        self._deriving = threading.Lock()

    def runs(self) -> LiveRuns:
        """Return the runs that are not in the trash."""
        before = self._values.get("runs")
        known = before.value if before else LiveRuns()
        return self._fresh("runs", lambda: refreshed_runs(self.workspace, known))

    def run(self, run_id: str) -> RunRecord:
        """Return a run by its whole id.

        Raises:
            RunNotFoundError: There is no such run.
        """
        found = self.runs().records.get(run_id)
        return found or self.workspace.runs.get(run_id)

    def history(self, run_id: str) -> History:
        """Return the epochs of a run."""
        return self.histories([run_id])[run_id]

    def histories(self, run_ids: Sequence[str]) -> dict[str, History]:
        """Return the epochs of runs by the ids of the runs."""
        with self._lock:
            stamps = self.runs().stamps
            known = {
                run_id: self._histories.get((run_id, stamps.get(run_id))) for run_id in run_ids
            }
            missing = [run_id for run_id, history in known.items() if history is None]
            read = self.workspace.runs.histories(missing) if missing else {}
            for run_id, history in read.items():
                if run_id in stamps:
                    self._histories[run_id, stamps[run_id]] = history
            for key in list(self._histories)[:-MAX_KEPT_HISTORIES]:
                del self._histories[key]
            return {run_id: read.get(run_id) or known[run_id] or () for run_id in run_ids}

    def labs(self) -> tuple[LabRecord, ...]:
        """Return the labs that have ended and are not in the trash, oldest first."""
        return self._fresh("labs", lambda: tuple(self.workspace.labs.all(skip_damaged=True)))

    def studies(self) -> tuple[StudyRecord, ...]:
        """Return the studies that are not in the trash, oldest first."""
        return self._fresh("studies", lambda: tuple(self.workspace.studies.all()))

    def study(self, study_id: str) -> StudyRecord:
        """Return a study by its whole id.

        Raises:
            StudyNotFoundError: There is no such study.
        """
        for study in self.studies():
            if study.id == study_id:
                return study
        return self.workspace.studies.get(study_id)

    def trials(self, study_id: str) -> Sequence[TrialRecord]:
        """Return the trials of a study in the order of their numbers."""
        key = f"trials {study_id}"
        before = self._values.get(key)
        known = before.value if before else LiveTrials()
        read = self._fresh(key, lambda: refreshed_trials(self.workspace, study_id, known))
        return read.records

    def derived(self, name: str, source: object, make: Callable[[], _Value]) -> _Value:
        """Return what follows from a value, made once for all clients while the value is the same.

        Args:
            name: What it is, and of what, such as "front 3f2a77b0".
            source: The value that it follows from, as it was returned by a method of this object.
            make: Makes it. What it returns must not be changed.
        """
        with self._deriving:
            kept = self._derived.get(name)
            if kept is not None and kept[0] is source:
                value: _Value = kept[1]
                return value
            value = make()
            self._derived[name] = (source, value)
            for oldest in list(self._derived)[:-MAX_DERIVED]:
                del self._derived[oldest]
            return value

    def _fresh(self, key: str, read: Callable[[], _Value]) -> _Value:
        """Return a value that is at most MAX_AGE_SECONDS old; the same object if it is equal."""
        with self._lock:
            kept = self._values.get(key)
            now = self._clock()
            if kept is not None and now - kept.read_at < MAX_AGE_SECONDS:
                value: _Value = kept.value
                return value
            value = read()
            if kept is not None and value == kept.value:
                value = kept.value
            self._values[key] = _Aged(value, self._clock())
            return value
