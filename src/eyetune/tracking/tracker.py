"""What a tracker is, and the values that it gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from eyetune.space.hyperparameters import Value

Metrics = Mapping[str, float]
Kind = Literal["run", "execution", "trial", "study", "lab"]


@dataclass(frozen=True)
class Tracked:
    """Something that a tracker logs: a training, or the study or lab that it belongs to.

    Attributes:
        id: Its id, the same after a resume: that of the run or study, "study/7" for trial 7 of a
            study, "study/7/retry-1" where the trial was trained again after an error, and
            "study/7/3" for its execution with seed 3.
        kind: "run", "trial", "study" or "lab", or "execution": one of several trainings of a trial.
        name: Its name, such as "first/7" for trial 7 of the study named first, or its id.
        parent: Id of the study, lab or trial that it is a part of; "" for none.
        parameters: What it was started with: the values of a recipe by their paths, the
            hyperparameters of a trial, the settings of a study or lab.
        tags: More about it: the data set, the seed, versions.
        epochs: The epochs that were recorded before it began or continued: metrics by number, from
            1. Of a trial with several executions, each execution has its own.
    """

    id: str
    kind: Kind
    name: str
    parent: str = ""
    parameters: Mapping[str, Value] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    epochs: Mapping[int, Metrics] = field(default_factory=dict)


@dataclass(frozen=True)
class TrackedEnd:
    """How something that a tracker logs has ended, or paused.

    Attributes:
        state: Its state: COMPLETE, STOPPED, PAUSED, FAILED or INFEASIBLE.
        is_over: Whether it ends here; False for PAUSED.
        num_epochs: Its epochs so far; those of all trials of a study.
        metrics: Results, costs and seconds, by name.
        tags: More about the end: why a trial is infeasible, the answer of a lab.
        error: Why it failed; "" if it did not.
        files: Files that belong to it, by the path under which to keep them.
    """

    state: str
    is_over: bool
    num_epochs: int = 0
    metrics: Metrics = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    files: Mapping[str, Path] = field(default_factory=dict)


class Tracker:
    """A logger that follows trainings, studies and labs: the base class of your own.

    Override what you need; every method does nothing by default. The methods are called one at a
    time, in the order of the events, in a thread of their own: a slow tracker does not delay a
    training. After an exception the tracker is not called again, an `EyetuneWarning` says so, and
    the training continues.

    Example:
        >>> import eyetune as et
        >>> class Printer(et.Tracker):
        ...     def log_epoch(self, item, epoch, metrics):
        ...         print(f"{item.name}, epoch {epoch}: {metrics['val_accuracy']:.1%}")
        >>> printer = Printer()
        >>> printer.log_epoch(Tracked("1a2b3c4d", "run", "mine"), 1, {"val_accuracy": 0.5})
        mine, epoch 1: 50.0%
        >>> run = et.train(data="digits", trackers=[printer])  # doctest: +SKIP
    """

    @property
    def name(self) -> str:
        """What warnings call it. Default: the name of its class."""
        return type(self).__name__

    def begin(self, item: Tracked) -> None:
        """Begin to log something, or continue after a pause.

        A study or lab begins before its parts, and a trial before its executions.

        Args:
            item: What begins.
        """

    def log_epoch(self, item: Tracked, epoch: int, metrics: Metrics) -> None:
        """Log an epoch; each one comes once, in order.

        Args:
            item: The training, as it was at its last `begin`.
            epoch: Number of the epoch, from 1.
            metrics: Its metrics by Keras's names, such as loss and val_accuracy (0 to 1), with
                learning_rate, duration_seconds and images_per_second.
        """

    def end(self, item: Tracked, end: TrackedEnd) -> None:
        """Log an end or a pause.

        A paused trial can end without another `begin`, when others were better.

        Args:
            item: What ends; it may have more parameters than at its `begin`.
            end: How it ended.
        """

    def catch_up(self, item: Tracked, end: TrackedEnd | None) -> None:
        """Add what an earlier invocation recorded, unless it has been logged.

        After a resume, this is called for each trial or run that was recorded before. By default
        they are left out.

        Args:
            item: What was recorded, with all its epochs.
            end: How it ended or paused; None if it was interrupted.
        """

    def close(self) -> None:
        """Finish: the command ends. The same object may be used by another one."""
