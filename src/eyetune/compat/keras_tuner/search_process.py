"""KerasTuner's own search for comparison, followed from the coordinating process.

It runs in one worker process with KerasTuner's project folder and way of training, and gets the
same function, images, seed and budget as a study of eyetune.

See https://keras.io/keras_tuner/api/tuners/.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import wait
from typing import final

from eyetune.compat.keras_tuner.epoch_log import EpochLogReader, network_metric
from eyetune.compat.keras_tuner.projects import Project, SearchFacts, read_project
from eyetune.compat.keras_tuner.search_worker import (
    PROJECT,
    TUNER_CLASSES,
    SearchTask,
    search_in_worker,
)
from eyetune.errors import UsageError
from eyetune.records.study import Objective, SamplerName, SchedulerName, StudySettings
from eyetune.tuning.dispatch import Display
from eyetune.tuning.executors import Executor
from eyetune.tuning.schedulers.plans import hyperband_brackets
from eyetune.values.history import Epoch, History

SECONDS_BETWEEN_UPDATES = 0.5


def supported_search(
    sampler: str | None, scheduler: str | None
) -> tuple[SamplerName, SchedulerName]:
    """Return the sampler and the scheduler of a search by KerasTuner.

    Args:
        sampler: Name of a sampler; None: gp, or random with hyperband.
        scheduler: Name of a scheduler; None: full.

    Raises:
        UsageError: KerasTuner has no such search.

    Example:
        >>> supported_search("grid", None), supported_search(None, "hyperband")
        (('grid', 'full'), ('random', 'hyperband'))
    """
    if scheduler == "hyperband" and sampler in (None, "random"):
        return "random", "hyperband"
    if scheduler in (None, "full") and sampler in (None, *TUNER_CLASSES):
        names: Mapping[str | None, SamplerName] = {"random": "random", "grid": "grid"}
        return names.get(sampler, "gp"), "full"
    raise UsageError(
        "KerasTuner has no such search.",
        expected="the sampler random, gp or grid with the scheduler full, or random with hyperband",
        received=f"the sampler {sampler or '(default)'} with the scheduler "
        f"{scheduler or '(default)'}",
        fix="Choose one of these, or leave the engine to eyetune.",
    )


def max_num_trials(settings: StudySettings) -> int:
    """Return the largest number of trials that KerasTuner counts; a promotion counts as one."""
    schedule = settings.schedule
    if schedule.name == "hyperband":
        plans = hyperband_brackets(schedule.max_epochs, schedule.factor, schedule.min_epochs)
        return sum(sum(plan.places) for plan in plans) * (schedule.iterations or 1)
    return settings.budget.trials or 0


def search_with_keras_tuner(task: SearchTask, executor: Executor, display: Display) -> Project:
    """Let KerasTuner search in a worker process, and show its trials meanwhile.

    Raises:
        EyetuneError: The search failed; `read_search` returns the trials so far.
        KeyboardInterrupt: Ctrl-C; the worker process is ended.
    """
    future = executor.submit(search_in_worker, task)
    trials = _DisplayedTrials(task, display)
    try:
        while not future.done():
            wait([future], timeout=SECONDS_BETWEEN_UPDATES)
            trials.update()
    except BaseException:
        future.cancel()
        raise
    finally:
        trials.close()
    future.result()
    return read_search(task)


def read_search(task: SearchTask) -> Project:
    """Return the trials of KerasTuner's search so far.

    Raises:
        EyetuneError: KerasTuner has written nothing, or its files cannot be read.
    """
    epoch_log = EpochLogReader(task.folder)
    epochs_by_trial: dict[str, dict[int, Epoch]] = {}
    for trial_id, epoch in epoch_log.read():
        # If a trial is trained again, its last epochs count.
        epochs_by_trial.setdefault(trial_id, {})[epoch.epoch] = epoch
    histories: dict[str, History] = {}
    for trial_id, epochs in epochs_by_trial.items():
        histories[trial_id] = tuple(epochs.values())
    objectives = tuple(
        Objective(
            name=network_metric(objective.name, epoch_log.accuracy), direction=objective.direction
        )
        for objective in task.settings.objectives
    )
    return read_project(task.folder / PROJECT, SearchFacts(objectives, histories))


@final
class _DisplayedTrials:
    """Shows KerasTuner's trials, one after the other, from the log of epochs."""

    def __init__(self, task: SearchTask, display: Display) -> None:
        self._max_epochs = task.settings.schedule.max_epochs
        self._display = display
        self._epoch_log = EpochLogReader(task.folder)
        self._best_accuracy: dict[str, float] = {}
        self._current = ""  # id of the trial that is shown

    def update(self) -> None:
        """Show new epochs."""
        for trial_id, epoch in self._epoch_log.read():
            if trial_id != self._current:
                self.close()
                self._current = trial_id
                self._display.begin(trial_id, _label(trial_id), self._max_epochs)
            if epoch.val_accuracy is not None:
                best = self._best_accuracy.get(trial_id, 0.0)
                self._best_accuracy[trial_id] = max(best, epoch.val_accuracy)
            self._display.on_progress_log(trial_id, epoch)

    def close(self) -> None:
        """Remove the row of the current trial from the display."""
        if self._current:
            accuracy = self._best_accuracy.get(self._current)
            result = "trained" if accuracy is None else f"{accuracy:.1%} on validation"
            self._display.end(self._current, f"{_label(self._current)}: {result}")
        self._current = ""


def _label(trial_id: str) -> str:
    return f"KerasTuner's trial {int(trial_id) if trial_id.isdigit() else trial_id}"
