"""Fabricated studies for tests, and for looking at pictures and pages.

The learning curves are drawn instead of trained: a trial is better, the closer its values are to a
point somewhere in the space. Everything else is the product's: the space, the scheduler, and the
functions that make the records of trials.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np

from eyetune.analysis.ranking import rank_trials
from eyetune.errors import TrainingError
from eyetune.recipe import Recipe
from eyetune.records import RunState, Workspace
from eyetune.records.run import DataRecord, Results
from eyetune.records.study import (
    Budget,
    Constraint,
    Objective,
    SchedulerSettings,
    StudyRecord,
    StudySettings,
    StudyState,
)
from eyetune.records.study_store import new_id
from eyetune.records.trial import Execution, TrialRecord, TrialState
from eyetune.space.hyperparameters import Choice, Condition, Range, Value
from eyetune.space.space import Space
from eyetune.testing.labs import fabricated_history
from eyetune.training.job import Inspection
from eyetune.tuning.endings import Ending
from eyetune.tuning.executions import arrived, interrupted
from eyetune.tuning.final_training import final_trial
from eyetune.tuning.recording import versions
from eyetune.tuning.schedulers import make_scheduler
from eyetune.tuning.trials import inspected, reached, scores
from eyetune.values.history import History
from eyetune.values.network import Layer, Network

ACCURACY = Objective(name="val_accuracy", direction="max")
PARAMETERS = Objective(name="parameters", direction="min")
SECONDS = Objective(name="seconds", direction="min")
LIMIT = Constraint(name="parameters", sign="<", limit=400_000)
MAX_EPOCHS = 10
FINAL_EPOCHS = 30
EPOCHS_WHEN_CUT = 2  # of the trials that are running or paused
LUCK = 0.01  # standard deviation of the accuracies of a trial's executions
ERROR = """ValueError: Computed output size would be negative.
Traceback (most recent call last):
  File "model.py", line 12, in build_model
    x = layers.Conv2D(64, 3)(x)
ValueError: Computed output size would be negative. Received `inputs shape=(None, 2, 2, 64)`"""
_DATA = DataRecord(
    "cifar10", "cifar10", "abc", tuple("abcdefghij"), (32, 32, 3), 40_000, 10_000, 10_000
)
_BEGAN_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_NUM_WORKERS = 2
_Fate = Literal["trained", "failed", "infeasible"]


@dataclass(frozen=True)
class FabricatedStudy:
    """A study, its trials in order, and the epochs and starts of their runs by run id."""

    record: StudyRecord
    trials: tuple[TrialRecord, ...]
    histories: Mapping[str, History]
    starts: Mapping[str, datetime] = field(default_factory=dict)


def fabricated_space(num_hyperparameters: int = 6) -> Space:
    """Return a space such as the lesson's, with every kind of hyperparameter and a condition.

    Args:
        num_hyperparameters: Number of hyperparameters, 1 or more; those beyond 7 are numbers of
            units.

    Example:
        >>> fabricated_space(4).names
        ('learning_rate', 'conv_layers', 'filters_2', 'activation')
    """
    usual: list[Choice | Range] = [
        Range(name="learning_rate", low=1e-5, high=1e-2, sampling="log", whole=False),
        Range(name="conv_layers", low=1, high=3, whole=True),
        Range(
            name="filters_2", low=32, high=128, step=32, whole=True,
            conditions=(Condition(parent="conv_layers", values=(2, 3)),),
        ),
        Choice(name="activation", values=("relu", "tanh", "gelu")),
        Range(name="units", low=32, high=512, step=32, whole=True),
        Range(name="dropout", low=0.0, high=0.5, whole=False),
        Choice(name="batch_norm", values=(False, True)),
    ]  # fmt: skip
    more = [
        Range(name=f"block_{number}/units", low=8, high=128, whole=True)
        for number in range(num_hyperparameters - 7)
    ]
    return Space.make([*usual, *more][:num_hyperparameters])


def fabricated_study(
    num_trials: int = 22,
    *,
    space: Space | None = None,
    objectives: Sequence[Objective] = (ACCURACY,),
    executions: int = 1,
    failing: float = 0.05,
    infeasible: float = 0.0,
    complete: bool = True,
    final_training: bool = False,
    name: str = "first",
    workspace: Workspace | None = None,
) -> FabricatedStudy:
    """Return a study with Hyperband on CIFAR-10, the same one for the same arguments.

    Args:
        num_trials: Number of trials, infeasible and failed ones included.
        space: The space. Default: `fabricated_space()`.
        objectives: val_accuracy first, or val_loss; parameters and seconds.
        executions: Trainings of each trial with different seeds, 1 or more.
        failing: Share of the trials that fail.
        infeasible: Share of the trials that violate a constraint.
        complete: Whether the study is complete. If not, three trials are waiting, running and
            paused.
        final_training: Whether a longer training of the best recipe follows as its last trial.
        name: The study's name.
        workspace: Where it is recorded, with its runs and their epochs. Default: None, and the runs
            exist in the records only.

    Example:
        >>> study = fabricated_study(22, failing=0)
        >>> sorted({str(trial.state) for trial in study.trials})
        ['COMPLETE', 'STOPPED']
        >>> len(study.trials), len(study.histories)
        (22, 22)
    """
    space = space or fabricated_space()
    settings = StudySettings(
        recipe=Recipe(),
        space=space,
        objectives=tuple(objectives),
        constraints=(LIMIT,) if infeasible else (),
        schedule=SchedulerSettings(name="hyperband", max_epochs=MAX_EPOCHS, executions=executions),
        budget=Budget(seconds=3600) if final_training else Budget(trials=num_trials or None),
        workers=_NUM_WORKERS,
        final_training=final_training,
    )
    study_id = "57d1e5ab" if workspace is None else new_id()
    fabrication = _Fabrication(settings, workspace, study_id)
    trials = fabrication.trials(
        num_trials,
        failing=failing,
        infeasible=infeasible,
        complete=complete,
        final_training=final_training,
        name=name,
    )
    ending = Ending.EXPLORED if final_training else Ending.TRIALS_DONE
    changes: dict[str, Any] = {
        "state": StudyState.COMPLETE if complete else StudyState.RUNNING,
        "ending": str(ending) if complete else "",
        "seconds": fabrication.seconds,
    }
    if workspace is None:
        record = StudyRecord(
            id=study_id,
            name=name,
            created_at=_BEGAN_AT,
            settings=settings,
            space=space,
            data_fingerprint="abc",
            data_name="cifar10",
            versions=versions(),
            **changes,
        )
        return FabricatedStudy(record, trials, fabrication.histories, fabrication.starts)
    record = workspace.studies.create(
        name,
        settings,
        data_fingerprint="abc",
        data_name="cifar10",
        versions=versions(),
        study_id=study_id,
    ).model_copy(update=changes)
    workspace.studies.save(record)
    workspace.studies.save_trials(record.id, trials)
    starts = workspace.runs.starts([run for trial in trials for run in trial.runs])
    return FabricatedStudy(workspace.studies.get(record.id), trials, fabrication.histories, starts)


class _Fabrication:
    def __init__(self, settings: StudySettings, workspace: Workspace | None, study_id: str) -> None:
        self.histories: dict[str, History] = {}
        self.starts: dict[str, datetime] = {}
        self._idle_from = [0.0] * _NUM_WORKERS  # seconds since the study began
        self._ended_at: dict[str, float] = {}  # the same, by run
        self._study_id = study_id
        self._settings = settings
        self._workspace = workspace
        self._generator = np.random.default_rng(1)
        self._best_point = {
            hyperparameter.name: float(self._generator.uniform(0.3, 0.9))
            for hyperparameter in settings.space.distributions
        }

    @property
    def seconds(self) -> float:
        """Wall time of the study in seconds."""
        return max(self._idle_from)

    def trials(
        self,
        count: int,
        *,
        failing: float,
        infeasible: float,
        complete: bool,
        final_training: bool,
        name: str,
    ) -> tuple[TrialRecord, ...]:
        fates = [self._fate(failing, infeasible) for _ in range(count)]
        trials: dict[int, TrialRecord] = {}
        num_trained = fates.count("trained")
        if num_trained:
            self._search(trials, fates, num_trained)
        while len(trials) < count:  # only rejected trials are left
            number = len(trials)
            trials[number] = self._inspected(number, fates[number], bracket=0)
        in_order = [trials[number] for number in range(count)]
        if not complete:
            states = (TrialState.PAUSED, TrialState.RUNNING, TrialState.WAITING)
            last = zip(in_order[-3:], states, strict=False)
            in_order[-3:] = [self._cut(trial, state) for trial, state in last]
        best = rank_trials(self._settings.objectives, in_order)
        if final_training and best:
            in_order.append(self._final(count, best[0]))
        return tuple(self._recorded(trial, name) for trial in in_order)

    def _fate(self, failing: float, infeasible: float) -> _Fate:
        chance = self._generator.uniform()
        if chance < infeasible:
            return "infeasible"
        return "failed" if chance < infeasible + failing else "trained"

    def _search(
        self, trials: dict[int, TrialRecord], fates: Sequence[_Fate], num_trained: int
    ) -> None:
        """Add trials in the order in which the scheduler starts and promotes them."""
        objectives = self._settings.objectives
        scheduler = make_scheduler(
            "hyperband", max_epochs=MAX_EPOCHS, num_trials=num_trained, iterations=None
        )
        while (promotion := scheduler.next()) is not None:
            number = len(trials) if promotion.trial is None else promotion.trial
            scheduler.start(number, promotion)
            if promotion.trial is None:
                trials[number] = self._inspected(number, fates[number], promotion.bracket)
                if fates[number] != "trained":
                    scheduler.replace(number)
                    continue
            trial = trials[number].with_(
                state=TrialState.RUNNING, rung=promotion.rung, epochs_granted=promotion.epochs
            )
            if trial.run is None:
                trial = self._with_runs(trial)
            is_over = promotion.epochs == MAX_EPOCHS
            for run in trial.runs:
                history = self._history(trial, run)[: promotion.epochs]
                self._pass_time(run, history[trial.epochs :])
                self.histories[run] = history
                trial = arrived(self._settings, trial, run, history, is_over=is_over)
            trials[number] = trial
            out = scheduler.report(number, scores(objectives, trial.objectives or ()))
            for other in out:
                if trials[other].state is TrialState.PAUSED:
                    trials[other] = trials[other].with_(state=TrialState.STOPPED)

    def _final(self, number: int, best: TrialRecord) -> TrialRecord:
        """Return the final training, which begins when all workers are idle."""
        self._idle_from = [self.seconds] * _NUM_WORKERS
        trial = final_trial(number, best.values, self._settings.budget.seconds or 0.0).with_(
            run=f"{number:08x}", network=best.network
        )
        accuracy = self._accuracy(best) + 0.05
        history = fabricated_history(FINAL_EPOCHS, accuracy, seconds=2.0, seed=number)
        self._pass_time(trial.run or "", history)
        self.histories[f"{number:08x}"] = history
        return reached(self._settings.objectives, trial, history, is_over=True)

    def _with_runs(self, trial: TrialRecord) -> TrialRecord:
        """Return a trial with names of its runs, which are not recorded yet."""
        run = f"{trial.number:08x}"
        num_executions = self._settings.schedule.executions
        if num_executions == 1:
            return trial.with_(run=run)
        executions = tuple(
            Execution(run=f"{run}{seed}", seed=seed) for seed in range(num_executions)
        )
        return trial.with_(run=executions[0].run, executions=executions)

    def _pass_time(self, run: str, epochs: History) -> None:
        """Let the worker that is idle first train some epochs, after the run's earlier ones."""
        worker = self._idle_from.index(min(self._idle_from))
        start = max(self._idle_from[worker], self._ended_at.get(run, 0.0))
        self.starts.setdefault(run, _BEGAN_AT + timedelta(seconds=start))
        end = start + sum(epoch.duration_seconds for epoch in epochs)
        self._idle_from[worker] = self._ended_at[run] = end

    def _inspected(self, number: int, fate: _Fate, bracket: int) -> TrialRecord:
        values: dict[str, Value] = {}
        for hyperparameter in self._settings.space.distributions:
            if all(condition.holds(values) for condition in hyperparameter.conditions):
                values[hyperparameter.name] = _drawn_value(hyperparameter, self._generator)
        parameters = round(math.exp(self._generator.normal(12, 0.7)))
        if self._settings.constraints:
            parameters = min(parameters, round(LIMIT.limit) - 1)
        if fate == "infeasible":
            parameters += round(LIMIT.limit)
        trial = TrialRecord(number=number, state=TrialState.WAITING, values=values, bracket=bracket)
        if fate == "failed":
            inspection = Inspection(None, "float32", TrainingError(ERROR))
        else:
            network = _network(parameters)
            inspection = Inspection(network, "float32", costs={"parameters": float(parameters)})
        return inspected(self._settings, trial, inspection)

    def _history(self, trial: TrialRecord, run: str) -> History:
        """Return the epochs of a run of a trial that is trained to the end."""
        seconds = 3.0 + trial.network["parameters"] / 1e5
        accuracy, seed = self._accuracy(trial), trial.number
        for execution in trial.executions:
            if execution.run == run:
                seed += 1000 * execution.seed
                luck = np.random.default_rng((trial.number, execution.seed)).normal(0, LUCK)
                accuracy = float(np.clip(accuracy + luck, 0.1, 0.99))
        history = fabricated_history(MAX_EPOCHS, accuracy, seconds=seconds, seed=seed)
        # The loss follows from the accuracy.
        return tuple(
            replace(epoch, val_loss=2.6 * (1 - epoch.value("val_accuracy"))) for epoch in history
        )

    def _accuracy(self, trial: TrialRecord) -> float:
        """Return the accuracy of a trial: higher, the closer its values are to the best point."""
        space = self._settings.space
        total, total_weight = 0.0, 0.0
        for name, value in trial.values.items():
            weight = 1 / (1 + space.names.index(name))
            total += weight * (_position(space[name], value) - self._best_point[name]) ** 2
            total_weight += weight
        size = math.log(trial.network["parameters"]) - 12
        return float(np.clip(0.74 - 1.1 * total / total_weight + 0.02 * size, 0.1, 0.99))

    def _cut(self, trial: TrialRecord, state: TrialState) -> TrialRecord:
        """Return a trial as it is recorded while the study runs."""
        if trial.run is None:
            return trial
        histories = {run: self.histories.pop(run)[:EPOCHS_WHEN_CUT] for run in trial.runs}
        executions = tuple(
            Execution(run=execution.run, seed=execution.seed) for execution in trial.executions
        )
        trial = trial.with_(
            rungs=(),
            rung=0,
            is_over=False,
            epochs=0,
            seconds=0.0,
            epochs_granted=MAX_EPOCHS,
            executions=executions,
        )
        if state is TrialState.WAITING:
            return trial.with_(state=state, run=None, executions=())
        self.histories |= histories
        trial = trial.with_(state=TrialState.RUNNING)
        if state is TrialState.RUNNING:
            return interrupted(self._settings, trial, histories)
        for run, history in histories.items():
            trial = arrived(self._settings, trial, run, history, is_over=False)
        return trial

    def _recorded(self, trial: TrialRecord, name: str) -> TrialRecord:
        """Record the runs of a trial, if there is a workspace."""
        if self._workspace is None or trial.run is None:
            return trial
        name = f"{name}/{trial.number}"
        if not trial.executions:
            return trial.with_(run=self._recorded_run(trial, trial.run, name))
        executions = []
        kept = ""
        for execution in trial.executions:
            run_name = f"{name}/{execution.seed}"
            run = self._recorded_run(trial, execution.run, run_name, execution.seed)
            kept = run if execution.run == trial.run else kept
            executions.append(execution.model_copy(update={"run": run}))
        return trial.with_(run=kept, executions=tuple(executions))

    def _recorded_run(self, trial: TrialRecord, run_id: str, name: str, seed: int = 0) -> str:
        """Record a run of a trial, and return the id under which it is recorded."""
        assert self._workspace is not None
        history = self.histories.pop(run_id)
        run = self._workspace.runs.create(
            recipe=Recipe().with_(fit__epochs=MAX_EPOCHS),
            data=_DATA,
            network=_network(round(trial.network["parameters"])),
            seed=seed,
            precision="float32",
            name=name,
            study_id=self._study_id,
        )
        self._workspace.runs.save_epochs(run.id, history)
        if trial.state is TrialState.COMPLETE:
            results = Results(
                len(history), 1.0, max(epoch.value("val_accuracy") for epoch in history)
            )
            self._workspace.runs.set_state(run.id, RunState.COMPLETE, results=results)
        else:
            is_stopped = trial.state is TrialState.STOPPED
            state = RunState.STOPPED if is_stopped else RunState.PAUSED
            self._workspace.runs.set_state(run.id, state)
        self.histories[run.id] = history
        return run.id


def _network(parameters: int) -> Network:
    layer = Layer("dense", "Dense", "softmax", (10,), parameters, 20 * parameters, 10)
    return Network((32, 32, 3), (layer,), parameters)


def _drawn_value(hyperparameter: Choice | Range, generator: np.random.Generator) -> Value:
    grid = hyperparameter.grid()
    if grid is not None:
        return grid[int(generator.integers(len(grid)))]
    assert isinstance(hyperparameter, Range)
    low, high = hyperparameter.low, hyperparameter.high
    share = float(generator.uniform())
    if hyperparameter.sampling == "log":
        return float(low * (high / low) ** share)
    return float(low + share * (high - low))


def _position(hyperparameter: Choice | Range, value: Value) -> float:
    """Return where a value lies between the ends of its hyperparameter, 0 to 1."""
    if isinstance(hyperparameter, Choice):
        return hyperparameter.values.index(value) / max(1, len(hyperparameter.values) - 1)
    assert not isinstance(value, str)
    low, high = hyperparameter.low, hyperparameter.high
    if hyperparameter.sampling == "log":
        return math.log(value / low) / math.log(high / low)
    return float((value - low) / ((high - low) or 1))
