"""Studies that nobody searched: whole records with invented figures, for tests and for looking at
pictures and pages.

Spaces and schedules are real; a trial is the better, the nearer its values come to a spot somewhere
within the space.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from eyetune.recipe import Recipe
from eyetune.records import RunState, Workspace
from eyetune.records.run import DataRecord, Results
from eyetune.records.study import (
    Budget,
    Constraint,
    Objective,
    Rung,
    SchedulerSettings,
    StudyRecord,
    StudySettings,
    StudyState,
    TrialRecord,
    TrialState,
)
from eyetune.space.space import Choice, Condition, Range, Space, Value
from eyetune.testing.labs import fabricated_history
from eyetune.values.history import History
from eyetune.values.network import Layer, Network

ACCURACY = Objective(name="val_accuracy", direction="max")
PARAMETERS = Objective(name="parameters", direction="min")
SECONDS = Objective(name="seconds", direction="min")
LIMIT = Constraint(name="parameters", sign="<", limit=400_000)
MAX_EPOCHS = 10
EPOCHS_WHEN_CUT = 2  # of those that are under way
BRACKETS = (
    (12, (2, 4, 10)),
    (6, (4, 10)),
    (4, (10,)),
)  # of Hyperband: new trials, and the epochs of its rungs
ERROR = """ValueError: Computed output size would be negative. Received `inputs shape=(None, 2, 2, 64)`
Traceback (most recent call last):
  File "model.py", line 12, in build_model
    x = layers.Conv2D(64, 3)(x)
ValueError: Computed output size would be negative. Received `inputs shape=(None, 2, 2, 64)`"""
_DATA = DataRecord(
    "cifar10", "cifar10", "abc", tuple("abcdefghij"), (32, 32, 3), 40_000, 10_000, 10_000
)


@dataclass(frozen=True)
class FabricatedStudy:
    """A study, its trials in order, and the epochs of their runs by the runs' ids."""

    record: StudyRecord
    trials: tuple[TrialRecord, ...]
    histories: Mapping[str, History]


def fabricated_space(num_hyperparameters: int = 6) -> Space:
    """Make a space such as the lab's: numbers, logarithms, words, a switch, and filters that only
    some networks have.

    Args:
        num_hyperparameters: How many of them, 1 or more; beyond 7 further units.

    Example:
        >>> fabricated_space(4).names
        ('learning_rate', 'conv_layers', 'filters_2', 'activation')
    """
    known: list[Choice | Range] = [
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
    return Space.make([*known, *more][:num_hyperparameters])


def fabricated_study(
    num_trials: int = 22,
    *,
    space: Space | None = None,
    objectives: Sequence[Objective] = (ACCURACY,),
    failing: float = 0.05,
    infeasible: float = 0.0,
    complete: bool = True,
    name: str = "first",
    workspace: Workspace | None = None,
) -> FabricatedStudy:
    """Make a study with Hyperband on CIFAR-10.

    Args:
        num_trials: How many trials it has, infeasible and failed ones counted.
        space: What they may set; by default `fabricated_space()`.
        objectives: val_accuracy first, or val_loss; parameters and seconds.
        failing: Share of the trials that fail.
        infeasible: Share of the trials that break a constraint.
        complete: Whether it is over; else its last three trials are under way.
        name: What it is called.
        workspace: Where it is recorded, with runs and their epochs; without one the runs' ids lead
            nowhere.

    Example:
        >>> study = fabricated_study(22, failing=0)
        >>> sorted({str(trial.state) for trial in study.trials})
        ['COMPLETE', 'STOPPED']
        >>> len(study.trials), len(study.histories)
        (22, 22)
    """
    making = _Fabrication(space or fabricated_space(), tuple(objectives), workspace)
    settings = StudySettings(
        recipe=Recipe(),
        space=making.space,
        objectives=making.objectives,
        constraints=(LIMIT,) if infeasible else (),
        schedule=SchedulerSettings(name="hyperband", max_epochs=MAX_EPOCHS),
        budget=Budget(trials=num_trials or None),
        workers=2,
    )
    trials = making.trials(
        num_trials, failing=failing, infeasible=infeasible, complete=complete, name=name
    )
    changes: dict[str, Any] = {
        "state": StudyState.COMPLETE if complete else StudyState.RUNNING,
        "ending": "all trials are done" if complete else "",
        "seconds": sum(trial.seconds for trial in trials) / 2,
    }
    versions = {"eyetune": "0.1.0", "keras": "3.15.0", "numpy": "2.3.0", "python": "3.13.1"}
    if workspace is None:
        record = StudyRecord(
            id="57d1e5ab",
            name=name,
            created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            settings=settings,
            space=settings.space,
            data_fingerprint="abc",
            data_name="cifar10",
            versions=versions,
            **changes,
        )
        return FabricatedStudy(record, trials, making.histories)
    record = workspace.studies.create(
        name, settings, data_fingerprint="abc", data_name="cifar10", versions=versions
    ).model_copy(update=changes)
    workspace.studies.save(record)
    workspace.studies.save_trials(record.id, trials)
    return FabricatedStudy(workspace.studies.get(record.id), trials, making.histories)


class _Fabrication:
    def __init__(
        self, space: Space, objectives: tuple[Objective, ...], workspace: Workspace | None
    ) -> None:
        self.space, self.objectives = space, objectives
        self.histories: dict[str, History] = {}
        self._workspace = workspace
        self._generator = np.random.default_rng(1)
        self._spot = {
            one.name: float(self._generator.uniform(0.3, 0.9)) for one in space.distributions
        }

    def trials(
        self, count: int, *, failing: float, infeasible: float, complete: bool, name: str
    ) -> tuple[TrialRecord, ...]:
        made: list[TrialRecord] = []
        while len(made) < count:
            for bracket, (size, epochs) in enumerate(BRACKETS):
                numbers = range(len(made), min(len(made) + size, count))
                begun = [self._begun(number, bracket, failing, infeasible) for number in numbers]
                made += self._through(begun, epochs)
        if not complete:
            states = (TrialState.PAUSED, TrialState.RUNNING, TrialState.WAITING)
            made[-3:] = [
                self._cut(trial, state) for trial, state in zip(made[-3:], states, strict=False)
            ]
        return tuple(self._recorded(trial, name) for trial in made)

    def _begun(self, number: int, bracket: int, failing: float, infeasible: float) -> TrialRecord:
        values: dict[str, Value] = {}
        for one in self.space.distributions:
            if all(condition.holds(values) for condition in one.conditions):
                values[one.name] = _drawn(one, self._generator)
        parameters = float(round(math.exp(self._generator.normal(12, 0.7))))
        trial = TrialRecord(
            number=number,
            state=TrialState.PAUSED,
            values=values,
            bracket=bracket,
            network={"parameters": parameters},
        )
        fate = self._generator.uniform()
        if fate < infeasible:
            costs = parameters + LIMIT.limit
            words = f"{LIMIT} is broken: {costs:,.0f}"
            return trial.with_(
                state=TrialState.INFEASIBLE, infeasible=(words,), network={"parameters": costs}
            )
        if fate < infeasible + failing:
            return trial.with_(state=TrialState.FAILED, error=ERROR)
        return trial

    def _through(self, begun: Sequence[TrialRecord], epochs: Sequence[int]) -> list[TrialRecord]:
        """Take the trials of a bracket through its rungs: a third goes on, the others are stopped."""
        made = {trial.number: trial for trial in begun}
        going = [trial for trial in begun if trial.state is TrialState.PAUSED]
        for rung, reached in enumerate(epochs):
            going = [self._reached(trial, rung, reached) for trial in going]
            made |= {trial.number: trial.with_(state=TrialState.STOPPED) for trial in going}
            going = sorted(going, key=lambda trial: -self._accuracy(trial))[: -(-len(going) // 3)]
            if reached == epochs[-1]:
                last = [trial for trial in made.values() if trial.epochs == reached]
                made |= {
                    trial.number: trial.with_(state=TrialState.COMPLETE, is_over=True)
                    for trial in last
                }
        return list(made.values())

    def _reached(self, trial: TrialRecord, rung: int, epochs: int) -> TrialRecord:
        seconds = epochs * (3.0 + trial.network["parameters"] / 1e5)
        history = _with_losses(
            fabricated_history(
                MAX_EPOCHS, self._accuracy(trial), seconds=seconds / epochs, seed=trial.number
            )
        )
        values = tuple(
            self._value(one, history[:epochs], trial, seconds) for one in self.objectives
        )
        run = f"{trial.number:08x}"
        self.histories[run] = history[:epochs]
        rungs = (*trial.rungs, Rung(epochs=epochs, values=values))
        return trial.with_(
            run=run, rung=rung, epochs=epochs, epochs_granted=epochs, rungs=rungs, seconds=seconds
        )  # fmt: skip

    @staticmethod
    def _value(one: Objective, history: History, trial: TrialRecord, seconds: float) -> float:
        if one.name in trial.network:
            return trial.network[one.name]
        if one.name == "seconds":
            return seconds
        return (max if one.direction == "max" else min)(epoch.value(one.name) for epoch in history)

    def _accuracy(self, trial: TrialRecord) -> float:
        off = [
            (_share(self.space[name], value) - self._spot[name]) ** 2
            for name, value in trial.values.items()
        ]
        weights = [1 / (1 + self.space.names.index(name)) for name in trial.values]
        distance = sum(weight * square for weight, square in zip(weights, off, strict=True)) / sum(
            weights
        )
        size = math.log(trial.network["parameters"]) - 12
        return float(np.clip(0.74 - 1.1 * distance + 0.02 * size, 0.1, 0.99))

    def _cut(self, trial: TrialRecord, state: TrialState) -> TrialRecord:
        """Return a trial as it stands while the study goes on: not begun, or after a few epochs."""
        if trial.run is None:
            return trial
        history = self.histories.pop(trial.run)[:EPOCHS_WHEN_CUT]
        bare = trial.with_(state=state, rungs=(), rung=0, is_over=False, epochs_granted=MAX_EPOCHS)
        if state is TrialState.WAITING:
            return bare.with_(run=None, epochs=0, seconds=0.0)
        self.histories[trial.run] = history
        seconds = sum(epoch.duration_seconds for epoch in history)
        values = tuple(self._value(one, history, trial, seconds) for one in self.objectives)
        rung = Rung(epochs=len(history), values=values)
        is_paused = state is TrialState.PAUSED
        return bare.with_(
            epochs=len(history),
            seconds=seconds,
            rungs=(rung,) if is_paused else (),
            partial=None if is_paused else rung,
        )

    def _recorded(self, trial: TrialRecord, name: str) -> TrialRecord:
        """Record the run of a trial, where there is a workspace."""
        if self._workspace is None or trial.run is None:
            return trial
        history = self.histories.pop(trial.run)
        size = round(trial.network["parameters"])
        layer = Layer("dense", "Dense", "softmax", (10,), size, 20 * size, 10)
        record = self._workspace.runs.create(
            recipe=Recipe().with_(fit__epochs=MAX_EPOCHS),
            data=_DATA,
            network=Network((32, 32, 3), (layer,), size),
            seed=0,
            precision="float32",
            name=f"{name}/{trial.number}",
        )
        self._workspace.runs.save_epochs(record.id, history)
        if trial.state is TrialState.COMPLETE:
            results = Results(len(history), 1.0, max(epoch.val_accuracy for epoch in history))
            self._workspace.runs.set_state(record.id, RunState.COMPLETE, results=results)
        else:
            stopped = trial.state is TrialState.STOPPED
            self._workspace.runs.set_state(
                record.id, RunState.STOPPED if stopped else RunState.PAUSED
            )
        self.histories[record.id] = history
        return trial.with_(run=record.id)


def _with_losses(history: History) -> History:
    """Let the loss follow from the accuracy."""
    return tuple(replace(epoch, val_loss=2.6 * (1 - epoch.val_accuracy)) for epoch in history)


def _drawn(one: Choice | Range, generator: np.random.Generator) -> Value:
    grid = one.grid()
    if grid is not None:
        return grid[int(generator.integers(len(grid)))]
    assert isinstance(one, Range)
    share = float(generator.uniform())
    return float(
        one.low * (one.high / one.low) ** share
        if one.sampling == "log"
        else one.low + share * _span(one)
    )


def _share(one: Choice | Range, value: Value) -> float:
    """Return where between its ends a value lies, 0 to 1."""
    if isinstance(one, Choice):
        return one.values.index(value) / max(1, len(one.values) - 1)
    assert not isinstance(value, str)
    if one.sampling == "log":
        return math.log(value / one.low) / math.log(one.high / one.low)
    return float((value - one.low) / (_span(one) or 1))


def _span(one: Range) -> float:
    return one.high - one.low
