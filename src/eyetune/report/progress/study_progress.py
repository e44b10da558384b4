"""The progress of a study: a live table in a terminal, a line per trial elsewhere."""

from __future__ import annotations

import math
import sys
import threading
import time
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Group
from rich.live import Live
from rich.table import Table

from eyetune.analysis.ranking import rank_trials
from eyetune.analysis.study_summary import (
    STATE_TEXTS,
    error_line,
    state_text,
)
from eyetune.analysis.trial_results import metric_text, objectives_text
from eyetune.records.study import StudyRecord
from eyetune.records.trial import TrialRecord, TrialState
from eyetune.report.console import SafeConsole, escape
from eyetune.report.progress.live_curves import live_curves
from eyetune.report.progress.notebook import in_notebook
from eyetune.values.history import Epoch
from eyetune.values.history import Progress as Position
from eyetune.values.numbers import count_text, duration

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

REFRESHES_PER_SECOND = 2.5
SECONDS_BETWEEN_LINES = 30.0  # about epochs, where there is no table
MAX_BEST = 3
MAX_RUNNING = 12  # rows of running trials: those of a cluster would fill the screen
_REPORTED_STATES = (
    TrialState.PAUSED,
    TrialState.COMPLETE,
    TrialState.STOPPED,
    TrialState.FAILED,
    TrialState.INFEASIBLE,
)


@dataclass(frozen=True)
class _Row:
    """A running training: its progress, and its accuracy after its last epoch.

    The recorded epochs are those that the record of its trial counts.
    """

    label: str
    num_epochs: int
    trial: TrialRecord | None = None
    epoch: int = 0
    share: float = 0.0
    accuracy: float | None = None
    recorded_epochs: int = 0


@dataclass(frozen=True)
class _Snapshot:
    """The part of a trial that shows whether it has changed."""

    state: TrialState
    num_rungs: int
    epochs: int
    score: float | None


class Tally:
    """Where a study stands, kept up to date trial by trial without looking at all others.

    Args:
        record: The study.
        trials: Those that there are already.

    Example:
        >>> from eyetune.testing.studies import fabricated_study
        >>> study = fabricated_study(22)
        >>> tally = Tally(study.record, study.trials)
        >>> tally.num_trials, tally.epochs, tally.best[0].number
        (22, 110, 19)
    """

    def __init__(self, record: StudyRecord, trials: Sequence[TrialRecord] = ()) -> None:
        self._objectives = record.settings.objectives
        self._snapshots: dict[int, _Snapshot] = {}
        self._order: list[tuple[float, int]] = []  # scores with their sign turned: the best first
        self._with_result: dict[int, TrialRecord] = {}
        self._ranked: list[TrialRecord] | None = None  # with several objectives; None: unknown
        self.counts: Counter[TrialState] = Counter()
        self.epochs = 0
        for trial in trials:
            self.note(trial)

    @property
    def num_trials(self) -> int:
        """How many trials there are."""
        return len(self._snapshots)

    @property
    def best(self) -> list[TrialRecord]:
        """The best few trials, the best first, in the order of `rank_trials`."""
        if len(self._objectives) == 1:
            return [self._with_result[number] for _, number in self._order[:MAX_BEST]]
        if self._ranked is None:
            self._ranked = rank_trials(self._objectives, list(self._with_result.values()))
        return self._ranked[:MAX_BEST]

    def state(self, number: int) -> TrialState | None:
        """Return the last known state of a trial; None if the trial is unknown."""
        snapshot = self._snapshots.get(number)
        return snapshot.state if snapshot else None

    def note(self, trial: TrialRecord) -> bool:
        """Take note of a trial, and return whether it has reached another rung or an end."""
        before = self._snapshots.get(trial.number)
        score = self._score(trial)
        now = _Snapshot(trial.state, len(trial.rungs), trial.epochs_trained, score)
        self._snapshots[trial.number] = now
        if before is not None:
            self.counts[before.state] -= 1
            self._remove(before.score, trial.number)
        self.counts[trial.state] += 1
        self.epochs += trial.epochs_trained - (before.epochs if before else 0)
        if score is not None:
            insort(self._order, (-score, trial.number))
        self._keep_best(trial)
        return before is None or (before.state, before.num_rungs) != (now.state, now.num_rungs)

    def _score(self, trial: TrialRecord) -> float | None:
        if trial.objectives is None or not math.isfinite(trial.objectives[0]):
            return None
        return self._objectives[0].oriented(trial.objectives[0])

    def _remove(self, score: float | None, number: int) -> None:
        if score is not None:
            del self._order[bisect_left(self._order, (-score, number))]

    def _keep_best(self, trial: TrialRecord) -> None:
        # All trials with a result are kept: if one becomes worse, another one takes its place.
        if self._snapshots[trial.number].score is None:
            self._with_result.pop(trial.number, None)
        else:
            self._with_result[trial.number] = trial
        self._ranked = None


def trial_line(record: StudyRecord, trial: TrialRecord) -> str:
    """Return the result of a trial in one line.

    Example:
        >>> from eyetune.testing.studies import fabricated_study
        >>> study = fabricated_study(22)
        >>> trial_line(study.record, study.trials[19]).partition("  learning_rate")[0]
        'trial 19  val_accuracy 70.50%  10 epochs, bracket 2  trained to the end'
    """
    parts = [f"trial {trial.number}", objectives_text(record.settings.objectives, trial)]
    if trial.state is TrialState.FAILED:
        parts.append(f"failed: {error_line(trial)}")
    elif trial.state is TrialState.INFEASIBLE:
        parts.append(f"infeasible: {'; '.join(trial.infeasible)}")
    else:
        parts += [
            f"{count_text(trial.epochs, 'epoch')}, bracket {trial.bracket}",
            state_text(record, trial),
        ]
    return "  ".join(filter(None, [*parts, trial.settings_text]))


def _metric_text(epoch: Epoch) -> str:
    """Return the metric of an epoch that says most: on validation images, accuracy first."""
    if epoch.val_accuracy is not None:
        return f"validation accuracy {epoch.val_accuracy:.1%}"
    if epoch.val_loss is not None:
        return f"validation loss {epoch.val_loss:.4g}"
    return "loss not reported" if epoch.loss is None else f"loss {epoch.loss:.4g}"


def seconds_left(
    record: StudyRecord, *, passed: float, before: float, epochs: float, planned_epochs: int | None
) -> float | None:
    """Estimate how long a study still takes; None if that is unknown.

    Args:
        record: The study; a limit of its time counts first.
        passed: Seconds since this invocation began.
        before: Seconds of earlier invocations.
        epochs: Epochs trained in this invocation, including fractions.
        planned_epochs: Epochs that this invocation will train, from its start.

    Example:
        >>> from eyetune.testing.studies import fabricated_study
        >>> record = fabricated_study(1).record
        >>> seconds_left(record, passed=60, before=0, epochs=30, planned_epochs=120)
        180.0
    """
    budget = record.settings.budget.seconds
    by_time = None if budget is None else max(0.0, budget - before - passed)
    if planned_epochs is None or epochs < 1:
        return by_time
    by_epochs = passed / epochs * max(0.0, planned_epochs - epochs)
    return by_epochs if by_time is None else min(by_time, by_epochs)


class StudyDisplay:
    """Shows a study while it runs; a context manager.

    A terminal shows the running trials, the best few, and the state of the study. Elsewhere there
    is a line for each trial that reaches a rung, ends, fails or is infeasible, and one about an
    epoch if there was none for half a minute.

    Args:
        record: The study when this invocation begins.
        trials: Trials of earlier invocations.
        planned_epochs: Number of epochs that the whole study will train, if its scheduler knows it.
            Default: the number that the budget allows.
        enabled: Whether to show anything.
        clock: Function that returns seconds.
    """

    def __init__(
        self,
        record: StudyRecord,
        trials: Sequence[TrialRecord] = (),
        *,
        planned_epochs: int | None = None,
        enabled: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        lines_only = (
            {"file": sys.stdout, "force_terminal": False} if in_notebook() else {"file": sys.stderr}
        )
        self._console = SafeConsole(
            quiet=not enabled, force_jupyter=False, highlight=False, **lines_only
        )
        self._record = record
        self._tally = Tally(record, trials)
        self._rows: dict[str, _Row] = {}
        self._trials: dict[str, TrialRecord] = {}  # those that are RUNNING, by run
        self._clock = clock
        self._started_at = self._printed_at = clock()
        self._epochs_before = self._tally.epochs
        self._planned = planned_epochs if planned_epochs is not None else planned(record)
        self._lock = threading.RLock()  # the table is drawn by a thread of its own
        self._live = Live(
            self,
            console=self._console,
            refresh_per_second=REFRESHES_PER_SECOND,
            transient=True,
            auto_refresh=True,
        )
        self._is_live = enabled and self._console.is_terminal
        self._curves = live_curves(enabled=enabled)

    def __enter__(self) -> Self:
        if self._is_live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_live:
            self._live.stop()
        if self._curves:
            self._curves.close()

    def note(self, message: str) -> None:
        """Print a line about the study as a whole."""
        self._printed_at = self._clock()
        self._console.print(message, markup=False, soft_wrap=True)

    def begin(self, key: str, label: str, num_epochs: int) -> None:
        """Show a training that starts, under a key of its own."""
        with self._lock:
            trial = self._trials.get(key)
            epoch = trial.epochs_of(key) if trial is not None else 0
            self._rows[key] = _Row(label, num_epochs, trial, epoch, recorded_epochs=epoch)
        if self._curves:
            self._curves.begin(key, label)

    def on_progress_log(self, key: str, entry: Epoch | Position) -> None:
        """Move a training's row."""
        if self._curves and isinstance(entry, Epoch):
            self._curves.on_epoch(key, entry)
        with self._lock:
            row = self._rows.get(key)
            if row is None:
                return
            if isinstance(entry, Epoch):
                self._rows[key] = replace(
                    row, epoch=entry.epoch, share=0.0, accuracy=entry.val_accuracy
                )
                self._print_epoch(row.label, entry)
            else:
                share = entry.images / max(1, entry.num_images)
                self._rows[key] = replace(row, epoch=entry.epoch - 1, share=share)

    def _print_epoch(self, label: str, epoch: Epoch) -> None:
        """Print a line about an epoch where there is no table, unless the last one is recent."""
        if self._is_live or self._clock() - self._printed_at < SECONDS_BETWEEN_LINES:
            return
        self.note(f"{label}: epoch {epoch.epoch}, {_metric_text(epoch)}")

    def end(self, key: str, message: str) -> None:
        """Remove a training's row and print a line about how it ended."""
        if self._curves:
            self._curves.end(key)
        with self._lock:
            self._rows.pop(key, None)
        if message:
            self.note(message)

    def on_trial(self, trial: TrialRecord) -> None:
        """Take note of a trial; where there is no table, print a line if its state has changed.

        A paused trial that is stopped, because others were better, gets no second line.
        """
        with self._lock:
            was_paused = self._tally.state(trial.number) is TrialState.PAUSED
            is_news = self._tally.note(trial)
            for key in trial.runs:
                self._note_run(key, trial)
        is_reported = trial.state in _REPORTED_STATES and not (
            was_paused and trial.state is TrialState.STOPPED
        )
        if is_news and is_reported and (not self._is_live or trial.state is TrialState.FAILED):
            self.note(trial_line(self._record, trial))

    def _note_run(self, key: str, trial: TrialRecord) -> None:
        """Take note of a trial in the row of one of its runs, which ends with the training."""
        self._trials.pop(key, None)
        if key not in trial.pending_runs:
            self._rows.pop(key, None)
            return
        self._trials[key] = trial
        row = self._rows.get(key)
        if row is not None:
            recorded = trial.epochs_of(key)
            self._rows[key] = replace(
                row,
                trial=trial,
                num_epochs=trial.epochs_granted,
                epoch=max(row.epoch, recorded),
                recorded_epochs=recorded,
            )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        with self._lock:
            shown = Group(*([self._running()] if self._rows else []), *self._best(), self._status())
        yield shown

    def _running(self) -> Table:
        table = _table()
        for heading in ("running", "epochs", "bracket", "validation", "hyperparameters"):
            table.add_column(
                heading,
                no_wrap=True,
                overflow="ellipsis",
                ratio=1 if heading == "hyperparameters" else None,
            )
        rows = list(self._rows.values())
        for row in rows[:MAX_RUNNING]:
            trial = row.trial
            is_final = trial is not None and trial.is_final
            table.add_row(
                escape(row.label),
                # Its time ends a final training, nearly always.
                f"{row.epoch}" if is_final else f"{row.epoch} of {row.num_epochs}",
                "" if trial is None else str(trial.bracket),
                "" if row.accuracy is None else f"{row.accuracy:.1%}",
                "" if trial is None else escape(trial.settings_text),
            )
        if len(rows) > MAX_RUNNING:
            table.add_row(f"and {len(rows) - MAX_RUNNING} more", "", "", "", "")
        return table

    def _best(self) -> list[Table]:
        best = self._tally.best
        if not best:
            return []
        table = _table()
        objectives = self._record.settings.objectives
        names = [objective.name for objective in objectives]
        for heading in ("best", *names, "epochs", "hyperparameters"):
            table.add_column(
                escape(heading),
                no_wrap=True,
                overflow="ellipsis",
                ratio=1 if heading == "hyperparameters" else None,
            )
        for trial in best:
            values = [
                metric_text(objective.name, value)
                for objective, value in zip(objectives, trial.objectives or (), strict=False)
            ]
            settings = escape(trial.settings_text)
            table.add_row(f"trial {trial.number}", *values, str(trial.epochs), settings)
        return [table]

    def _status(self) -> str:
        counts = [
            f"{count:,} {STATE_TEXTS[state]}"
            for state in STATE_TEXTS
            if (count := self._tally.counts[state])
        ]
        trained = self._tally.epochs + sum(_underway(row) for row in self._rows.values())
        passed = self._clock() - self._started_at
        left = seconds_left(
            self._record,
            passed=passed,
            before=self._record.seconds,
            epochs=trained - self._epochs_before,
            planned_epochs=None if self._planned is None else self._planned - self._epochs_before,
        )
        planned = "" if self._planned is None else f" of at most {self._planned:,}"
        times = f"{duration(self._record.seconds + passed)} passed"
        times += "" if left is None else f", {duration(left)} left"
        trials = f"{count_text(self._tally.num_trials, 'trial')}: {', '.join(counts) or 'none yet'}"
        name = escape(self._record.name)
        return f"[bold]{name}[/bold]  {trials}\n{trained:,.0f} epochs{planned} trained, {times}"


def _underway(row: _Row) -> float:
    """Return the epochs of a running trial that its record does not count yet."""
    return max(0.0, row.epoch + row.share - row.recorded_epochs)


def planned(record: StudyRecord) -> int | None:
    """Return how many epochs a study's budget allows at most; None where it sets no limit.

    Example:
        >>> from eyetune.testing.studies import fabricated_study
        >>> planned(fabricated_study(22).record) is None  # Hyperband stops most of them
        True
    """
    settings = record.settings
    budget = settings.budget
    if budget.epochs is not None:
        return budget.epochs
    if budget.trials is not None and settings.schedule.name == "full":
        return budget.trials * settings.schedule.max_epochs * settings.schedule.executions
    return None


def _table() -> Table:
    return Table(box=None, pad_edge=False, expand=True, header_style="dim", padding=(0, 2, 0, 0))
