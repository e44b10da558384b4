"""Follows the records of a workspace, and calls trackers with what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, final

from eyetune.errors import ArgumentTypeError, EyetuneError, RunNotFoundError
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.records.changes import Change, EpochsSaved, RunChanged, StudyChanged, TrialsSaved
from eyetune.records.lab import LabRecord
from eyetune.records.study import StudyRecord, StudyState
from eyetune.records.trial import TrialRecord, TrialState
from eyetune.records.trial_metrics import read_trial_metrics
from eyetune.tracking.background import BackgroundTrackers, Warn, report_failure
from eyetune.tracking.items import (
    epochs_of,
    execution_item,
    lab_end,
    lab_item,
    repeated_end,
    run_end,
    run_item,
    study_end,
    study_item,
    trial_end,
    trial_item,
)
from eyetune.tracking.tracker import Metrics, Tracked, TrackedEnd, Tracker
from eyetune.values.history import History


def check_trackers(trackers: Sequence[Tracker]) -> None:
    """Refuse what is not a sequence of trackers.

    Raises:
        ArgumentTypeError: It is not.
    """
    is_sequence = isinstance(trackers, Sequence) and not isinstance(trackers, str)
    if is_sequence and all(isinstance(tracker, Tracker) for tracker in trackers):
        return
    raise ArgumentTypeError(
        "trackers must be a list of trackers.",
        expected="for example [eyetune.MlflowTracker(uri)], or objects of your own class, which "
        "inherits from eyetune.Tracker",
        received=repr(trackers)[:80],
    )


@contextmanager
def follow(
    workspace: Workspace, trackers: Sequence[Tracker], warn: Warn = report_failure
) -> Iterator[RecordsFollower]:
    """Log with trackers what this process records in the block.

    Args:
        workspace: The workspace; changes through another object for the same folder are not seen.
        trackers: The trackers; without any, nothing is done.
        warn: Called with one sentence about a tracker that fails; the block continues. Default: it
            becomes an `EyetuneWarning`.

    Raises:
        ArgumentTypeError: They are no trackers.
    """
    check_trackers(trackers)
    background = BackgroundTrackers(trackers, warn)
    follower = RecordsFollower(workspace, background, warn)
    try:
        with workspace.observed_by(follower) if trackers else nullcontext():
            yield follower
    except BaseException as error:
        follower.finish(error)
        raise
    else:
        follower.finish()
    finally:
        background.close()


@final
class RecordsFollower:
    """An observer of a workspace that calls a tracker.

    Trials and the runs of a lab end as they are recorded; a study, a lab and a run of its own end
    with `finish`, when their files have been written.

    Args:
        workspace: Where the details of a change are read.
        tracker: It is called in the thread that records.
        warn: Called with one sentence if the records cannot be read.
    """

    def __init__(self, workspace: Workspace, tracker: Tracker, warn: Warn) -> None:
        self._workspace = workspace
        self._tracker = tracker
        self._warn = warn
        self._is_working = True
        self._open: dict[str, Tracked] = {}  # what has begun and not ended, by id
        self._ends: dict[str, TrackedEnd] = {}  # how items last ended, by id
        self._results: dict[str, tuple[Mapping[str, float], Mapping[str, Path]]] = {}
        self._logged: dict[str, set[int]] = {}  # numbers of the epochs of an item
        self._item_of_run: dict[str, str] = {}
        self._trial_of_run: dict[str, TrialRecord] = {}
        self._studies: dict[str, StudyRecord] = {}
        self._lab: LabRecord | None = None
        self._lab_item: Tracked | None = None

    def __call__(self, change: Change) -> None:
        """Take in a change of the records."""
        self._guarded(lambda: self._take(change))

    def begin_lab(self, lab_id: str, parameters: Mapping[str, Any]) -> None:
        """Begin to follow a lab, whose runs are followed from now on as parts of it.

        Args:
            lab_id: Its id.
            parameters: Its settings; what is None is left out.
        """
        item = self._lab_item = lab_item(lab_id, self._workspace, parameters)

        def begin() -> None:
            self._begin(item)
            for record in self._workspace.runs.all():
                if record.lab_id == lab_id:
                    self._catch_up_run(record.id)

        self._guarded(begin)

    def end_lab(self, record: LabRecord) -> None:
        """Take in the record of the lab; it ends with `finish`."""
        self._lab = record

        def add_reused_runs() -> None:
            known = self._item_of_run.keys()
            for run_id in sorted(record.run_ids - known):
                self._catch_up_run(run_id)

        self._guarded(add_reused_runs)

    def add_results(
        self, study_id: str, metrics: Mapping[str, float], files: Mapping[str, Path]
    ) -> None:
        """Add what was made from a study to its end, which is logged with `finish`.

        Args:
            study_id: Its id.
            metrics: Results by name.
            files: Files by the path under which to keep them.
        """
        self._results[study_id] = (metrics, files)

    def finish(self, error: BaseException | None = None) -> None:
        """End what is still open.

        Args:
            error: What ended the work early; None if nothing did.
        """
        self._guarded(lambda: self._end_all(error))

    def _guarded(self, action: Callable[[], None]) -> None:
        """Do something, unless that failed before: no failure here may end a training."""
        if not self._is_working:
            return
        try:
            action()
        except Exception as error:
            self._is_working = False
            self._warn(
                "The trackers log nothing more in this run of the command, which continues: "
                f"{type(error).__name__}: {error}"
            )

    def _take(self, change: Change) -> None:
        match change:
            case RunChanged(run_id):
                self._take_run(run_id)
            case EpochsSaved(run_id, epochs):
                self._take_epochs(run_id, epochs)
            case StudyChanged(study_id):
                self._take_study(study_id)
            case TrialsSaved(study_id, trials):
                for trial in trials:
                    self._take_trial(self._study(study_id), trial)

    def _take_run(self, run_id: str) -> None:
        record = self._workspace.runs.get(run_id)
        if record.study_id is not None:
            self._take_run_of_trial(record)
            return
        if record.state is RunState.RUNNING and run_id not in self._open:
            self._item_of_run[run_id] = run_id
            history = self._workspace.runs.history(run_id)
            self._begin(run_item(record, history, self._parent))
            return
        item = self._open.get(run_id)
        end = run_end(record, self._workspace)
        if item is not None and item.parent and end is not None:
            self._end(item, end)

    def _take_run_of_trial(self, record: RunRecord) -> None:
        trial = self._trial_of_run.get(record.id)
        if trial is None:  # its trial is recorded after it
            return
        # A job may also save the network of a trial that is over.
        is_trained = record.state is RunState.RUNNING and trial.state is TrialState.RUNNING
        study = self._study(record.study_id or "")
        if is_trained:
            self._take_trial(study, trial)
        if not trial.executions:
            return
        item = self._execution_item(study, trial, record)
        end = run_end(record, self._workspace)
        if is_trained and item.id not in self._open:
            self._begin(item)
        elif item.id in self._logged and end is not None:
            self._end(item, end)

    def _take_epochs(self, run_id: str, epochs: History) -> None:
        item = self._open.get(self._item_of_run.get(run_id, ""))
        if item is None:  # an epoch that was logged before, recorded once more
            return
        self._log_epochs(item, epochs_of(epochs))

    def _log_epochs(self, item: Tracked, epochs: Mapping[int, Metrics]) -> None:
        """Log epochs of an item that has begun, except for those that were logged before."""
        logged = self._logged[item.id]
        for epoch, metrics in epochs.items():
            if epoch not in logged:
                logged.add(epoch)
                self._tracker.log_epoch(item, epoch, metrics)

    def _take_study(self, study_id: str) -> None:
        record = self._workspace.studies.get(study_id)
        if record.settings.start_up is not None:  # its settings follow
            return
        is_new = study_id not in self._studies
        self._studies[study_id] = record
        if record.state is not StudyState.RUNNING or study_id in self._open:
            return
        self._begin(study_item(record))
        if is_new:
            for trial in self._workspace.studies.trials(study_id):
                self._catch_up_trial(record, trial)

    def _take_trial(self, study: StudyRecord, trial: TrialRecord) -> None:
        item = self._trial_item(study, trial)
        end = trial_end(study, trial, self._workspace)
        if trial.state is TrialState.RUNNING and item.id not in self._open:
            self._end_repeated(item)
            self._begin(item)
        if end is None:
            return
        if item.id not in self._logged:  # it ends before its training
            self._begin(item)
        if trial.run is None:  # its epochs are recorded at its end
            self._log_epochs(item, item.epochs)
        self._end(item, end)

    def _end_repeated(self, item: Tracked) -> None:
        """End the training of a trial that failed, and in whose place this one begins."""
        for other in list(self._open.values()):
            is_same_trial = other.kind == item.kind and other.parent == item.parent
            if is_same_trial and other.tags["trial"] == item.tags["trial"]:
                run_id = other.tags.get("run")
                record = None if run_id is None else self._workspace.runs.get(run_id)
                self._end(other, repeated_end(record))

    def _begin(self, item: Tracked) -> None:
        self._open[item.id] = item
        self._logged.setdefault(item.id, set()).update(item.epochs)
        self._tracker.begin(item)

    def _end(self, item: Tracked, end: TrackedEnd) -> None:
        was_open = self._open.pop(item.id, None) is not None
        if was_open or self._ends.get(item.id) != end:
            self._ends[item.id] = end
            self._tracker.end(item, end)

    def _end_all(self, error: BaseException | None) -> None:
        """End everything, parts first."""
        for item in sorted(self._open.values(), key=lambda item: not item.parent):
            self._end(*self._last(item, error))

    def _last(self, item: Tracked, error: BaseException | None) -> tuple[Tracked, TrackedEnd]:
        """Return an open item as it is now, and how it ends."""
        paused = TrackedEnd(str(RunState.PAUSED), is_over=False)
        workspace = self._workspace
        if item.kind in ("run", "execution"):
            run = workspace.runs.get(item.tags.get("run", item.id))
            return item, run_end(run, workspace) or paused
        if item.kind == "lab":
            end = lab_end(self._lab, workspace) if self._lab is not None else paused
            return item, _with_error(end, error)
        if item.kind == "study":
            study = workspace.studies.get(item.id)
            end = study_end(study, workspace.studies.trials(study.id), workspace)
            metrics, files = self._results.get(study.id, ({}, {}))
            end = replace(end, metrics={**end.metrics, **metrics}, files={**end.files, **files})
            return study_item(study), _with_error(end, error)
        study = self._study(item.parent)
        number = int(item.tags["trial"])
        trial = next(
            trial for trial in workspace.studies.trials(study.id) if trial.number == number
        )
        end = trial_end(study, trial.with_(state=TrialState.PAUSED), workspace) or paused
        return self._trial_item(study, trial), end

    @property
    def _parent(self) -> str:
        return self._lab_item.id if self._lab_item is not None else ""

    def _study(self, study_id: str) -> StudyRecord:
        if study_id not in self._studies:
            self._take_study(study_id)
        return self._studies[study_id]

    def _trial_item(self, study: StudyRecord, trial: TrialRecord) -> Tracked:
        """Return a trial with the epochs from before it began or continued."""
        item = trial_item(study, trial, ())
        self._trial_of_run |= dict.fromkeys(trial.runs, trial)
        if trial.executions:
            return item
        if trial.run is None:
            rows = read_trial_metrics(self._workspace.studies.folder(study.id))
            return replace(item, epochs=dict(rows.get(trial.number, ())))
        self._item_of_run[trial.run] = item.id
        if item.id in self._open:
            return replace(item, epochs=self._open[item.id].epochs)
        return trial_item(study, trial, self._workspace.runs.history(trial.run))

    def _execution_item(self, study: StudyRecord, trial: TrialRecord, record: RunRecord) -> Tracked:
        """Return one of several trainings of a trial."""
        history = self._workspace.runs.history(record.id)
        item = execution_item(self._trial_item(study, trial), record, history)
        self._item_of_run[record.id] = item.id
        return item

    def _catch_up_trial(self, study: StudyRecord, trial: TrialRecord) -> None:
        end = trial_end(study, trial, self._workspace)
        if end is None and trial.run is None:  # it has not begun
            return
        self._tracker.catch_up(self._trial_item(study, trial), end)
        for run_id in trial.runs if trial.executions else ():
            with suppress(RunNotFoundError):  # the user deleted it
                record = self._workspace.runs.get(run_id)
                item = self._execution_item(study, trial, record)
                end = run_end(record, self._workspace)
                if end is not None or item.epochs:
                    self._tracker.catch_up(item, end)

    def _catch_up_run(self, run_id: str) -> None:
        record = self._workspace.runs.get(run_id)
        self._item_of_run[run_id] = run_id
        item = run_item(record, self._workspace.runs.history(run_id), self._parent)
        self._tracker.catch_up(item, run_end(record, self._workspace))


def _with_error(end: TrackedEnd, error: BaseException | None) -> TrackedEnd:
    """Return an end as FAILED if an error, rather than the user, ended the work."""
    if error is None or not isinstance(error, Exception):
        return end
    text = str(error) if isinstance(error, EyetuneError) else f"{type(error).__name__}: {error}"
    return replace(end, state=str(RunState.FAILED), is_over=True, error=text)
