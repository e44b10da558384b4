"""Converts the JSON files of a KerasTuner project folder to records of eyetune.

KerasTuner starts a new trial when Hyperband promotes one; here it becomes another rung of the trial
that it continues. KerasTuner stores the metrics of a trial's best epoch, but neither the objective
nor the number of epochs: the objective is the metric that equals the scores, and the epochs come
from Hyperband's plan or from the best epoch.

The format is that of KerasTuner 1.4, `Oracle.get_state` and `Trial.get_state`:
https://github.com/keras-team/keras-tuner.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from eyetune.errors import FunctionError, UsageError, WorkspaceError
from eyetune.models.model_function import space_of
from eyetune.records.study import (
    InfeasibleReason,
    Objective,
    Rung,
    SamplerName,
    SchedulerSettings,
    TrialRecord,
    TrialState,
)
from eyetune.space.space import Space, Value
from eyetune.values.history import History

STATE_FILE = "oracle.json"
TRIAL_FILES = "trial_*/trial.json"
OWN = "tuner/"  # prefix of Hyperband's own values among the hyperparameters
OVERSIZED = "Oversized model: "
SEVERAL = "multi_objective"  # KerasTuner's combined score of several objectives
LIKELY = ("val_accuracy", "val_loss", "accuracy", "loss")  # in order of preference

_Read = TypeVar("_Read", bound=BaseModel)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True)  # other keys are ignored


class _Condition(_File):
    name: str
    values: list[Value]


class _ConditionFile(_File):
    config: _Condition


class _Entry(_File):
    """A hyperparameter with its values, which depend on its kind."""

    name: str
    conditions: list[_ConditionFile] = []
    default: Value | None = None
    value: Value | None = None
    values: list[Value] = []
    ordered: bool | None = None
    min_value: int | float | None = None
    max_value: int | float | None = None
    step: int | float | None = None
    sampling: str | None = None


class _EntryFile(_File):
    class_name: str = Field(pattern=r"^\w+$")
    config: _Entry


class _Hyperparameters(_File):
    space: list[_EntryFile]
    values: dict[str, Value | None]


class _Observation(_File):
    value: list[float]  # one for each time that the trial was executed
    step: int


class _Metric(_File):
    direction: str
    observations: list[_Observation]

    def best(self) -> float | None:
        """Return the best observed value, as KerasTuner scores it; None if there is none."""
        observed = [observation.value for observation in self.observations if observation.value]
        means = [sum(values) / len(values) for values in observed]
        numbers = [mean for mean in means if not math.isnan(mean)]
        best = max if self.direction == "max" else min
        return best(numbers, default=None)


class _Metrics(_File):
    metrics: dict[str, _Metric]


class _Trial(_File):
    trial_id: str
    hyperparameters: _Hyperparameters
    metrics: _Metrics
    score: float | None
    best_step: int | None = 0
    status: str
    message: str | None = None

    @property
    def values(self) -> dict[str, Value]:
        """The user's own hyperparameters."""
        return {
            name: value
            for name, value in self.hyperparameters.values.items()
            if value is not None and not name.startswith(OWN)
        }

    @property
    def parent(self) -> str | None:
        """The trial that Hyperband promoted as this one."""
        value = self.hyperparameters.values.get(f"{OWN}trial_id")
        return value if isinstance(value, str) else None

    def plan(self, word: str, otherwise: int = 0) -> int:
        """Return one of Hyperband's numbers."""
        value = self.hyperparameters.values.get(f"{OWN}{word}")
        return value if isinstance(value, int) and not isinstance(value, bool) else otherwise

    @property
    def is_scored(self) -> bool:
        """Whether it was trained to its end and has a result."""
        return self.status == "COMPLETED" and self.score is not None and not math.isnan(self.score)


class _State(_File):
    """The parts of an oracle.json that are needed; some exist for some oracles only."""

    hyperparameters: _Hyperparameters
    start_order: list[str]
    ongoing_trials: dict[str, str] = {}
    seed: int
    seed_state: int = 0
    max_epochs: int | None = Field(None, ge=1)
    factor: float | None = Field(None, gt=1)
    hyperband_iterations: float | None = None
    alpha: float | None = None


@dataclass(frozen=True)
class Project:
    """The contents of a project folder.

    Attributes:
        space: Space of the search.
        objectives: Objectives of the search.
        sampler: The most similar sampler of eyetune: random, gp or grid.
        schedule: full, or hyperband with its settings.
        seed: Random seed of the search.
        trials: The trials, as records of eyetune.
        metrics: The measurements of each trial by its number: (epochs trained, values by name), in
            order.
        was_interrupted: Whether a trial was running when the folder was last written.
    """

    space: Space
    objectives: tuple[Objective, ...]
    sampler: SamplerName
    schedule: SchedulerSettings
    seed: int
    trials: tuple[TrialRecord, ...]
    metrics: Mapping[int, list[tuple[int, dict[str, float]]]]
    was_interrupted: bool


@dataclass(frozen=True)
class Known:
    """What the user who ran a search knows in addition to its files.

    Attributes:
        objectives: Objectives of the search, with the names in the project; empty if unknown.
        histories: Epochs of KerasTuner's trials, by its ids; those of a promoted one alone.
    """

    objectives: tuple[Objective, ...] = ()
    histories: Mapping[str, History] = field(default_factory=dict)


def read_project(folder: Path, known: Known | None = None) -> Project:
    """Read a project folder of one of KerasTuner's four tuners.

    Args:
        folder: The folder with `oracle.json`: `directory/project_name` of the search.
        known: What the user knows in addition to the files.

    Raises:
        UsageError: It is not a project folder, or its objective cannot be determined.
        WorkspaceError: A file is damaged, or of another version of KerasTuner.
    """
    known = known or Known()
    state = _read(_state_file(folder), _State)
    found = {
        one.trial_id: one
        for one in (_read(path, _Trial) for path in sorted(folder.glob(TRIAL_FILES)))
    }
    order = dict.fromkeys([*(name for name in state.start_order if name in found), *found])
    trials = [found[name] for name in order]
    space = _space(state, folder)
    objectives = known.objectives or (_objective(trials, folder),)
    chains = _chains(trials)
    reader = _Reader(
        space, objectives, known.histories, _schedule(state, trials, known), _brackets(trials)
    )
    return Project(
        space=space,
        objectives=objectives,
        sampler=_sampler(state, trials),
        schedule=reader.schedule,
        seed=state.seed,
        trials=tuple(reader.record(number, chain) for number, chain in enumerate(chains)),
        metrics={number: reader.metrics(chain) for number, chain in enumerate(chains)},
        was_interrupted=bool(state.ongoing_trials),
    )


def _state_file(folder: Path) -> Path:
    path = folder / STATE_FILE
    if path.is_file():
        return path
    inside = [one.parent.name for one in folder.glob(f"*/{STATE_FILE}")] if folder.is_dir() else []
    raise UsageError(
        f"{folder} is not a project folder of KerasTuner."
        if folder.exists()
        else f"There is no folder {folder}.",
        expected=f"directory/project_name of a search, with {STATE_FILE} and trial_*/trial.json",
        fix=f"Name one of the projects in it: {', '.join(sorted(inside))}." if inside else None,
    )


def _read(path: Path, kind: type[_Read]) -> _Read:
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise WorkspaceError(f"{path} cannot be read.", received=error.strerror or error) from None
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            again = f"If it was cut off by a crash: delete {path.parent.name} and import the rest."
            raise WorkspaceError(
                f"{path} is damaged.",
                expected="JSON",
                received=first["msg"],
                fix=again if path.parent.name else None,
            ) from None
        place = ".".join(map(str, first["loc"]))
        raise WorkspaceError(
            f"{path} is not as KerasTuner 1.4 writes it.",
            expected=f"{place}: {first['msg']}",
            received=f"{first['input']!r:.80}",
            fix="To convert it, open it with KerasTuner 1.4: `tuner.reload(); tuner.save()`.",
        ) from None


def _space(state: _State, folder: Path) -> Space:
    try:
        return space_of(
            SimpleNamespace(space=[_as_object(one) for one in state.hyperparameters.space])
        )
    except FunctionError as error:
        raise WorkspaceError(
            f"The search space of {folder} cannot be read.",
            received=f"{error.message} {error.received or ''}".strip(),
        ) from None


def _as_object(entry: _EntryFile) -> Any:
    """Return a hyperparameter as KerasTuner itself reads it, without importing Keras."""
    config = entry.config
    usual = {
        "Choice": config.values[0] if config.values else None,
        "Fixed": config.value,
        "Boolean": False,
    }
    default = None if entry.class_name == "Fixed" else config.default
    if default is None:
        default = usual.get(entry.class_name, config.min_value)
    values = {
        **dict(config),
        "default": default,
        "conditions": [one.config for one in config.conditions],
        "sampling": config.sampling or "linear",
    }
    return type(entry.class_name, (SimpleNamespace,), {})(**values)


def _objective(trials: Sequence[_Trial], folder: Path) -> Objective:
    """Find the objective, which KerasTuner does not store: the metric that equals the scores."""
    scored = [one for one in trials if one.is_scored]
    fitting = [
        name
        for name in (scored[0].metrics.metrics if scored else LIKELY[:1])
        if _fits(name, scored)
    ]
    if not fitting:
        raise UsageError(
            f"The objective of {folder} is unknown: its scores equal no metric.",
            fix='Name it, for example objective="val_accuracy" or --objective val_auc:max.',
        )
    rank = {name: place for place, name in enumerate((SEVERAL, *LIKELY))}
    name = min(fitting, key=lambda one: rank.get(one, len(rank)))
    direction = scored[0].metrics.metrics[name].direction if scored else "max"
    return Objective(name=name, direction="max" if direction == "max" else "min")


def _fits(name: str, scored: Sequence[_Trial]) -> bool:
    return all(
        name in one.metrics.metrics
        and math.isclose(one.metrics.metrics[name].best() or 0.0, one.score or 0.0)
        for one in scored
    )


def _sampler(state: _State, trials: Sequence[_Trial]) -> SamplerName:
    if state.alpha is not None:
        return "gp"
    drew_nothing = (
        state.seed_state == state.seed and bool(trials) and bool(state.hyperparameters.space)
    )
    return "grid" if drew_nothing and state.max_epochs is None else "random"


def _schedule(state: _State, trials: Sequence[_Trial], known: Known) -> SchedulerSettings:
    if state.max_epochs is not None:
        rounds = state.hyperband_iterations
        iterations = (
            int(rounds) if rounds is not None and math.isfinite(rounds) and rounds >= 1 else None
        )
        factor = state.factor or 3.0
        return SchedulerSettings(
            name="hyperband", max_epochs=state.max_epochs, factor=factor, iterations=iterations
        )
    return SchedulerSettings(
        max_epochs=max([1, *(_epochs(one, known.histories) for one in trials)])
    )


def _epochs(trial: _Trial, histories: Mapping[str, History]) -> int:
    """Return the total number of epochs of a trial, as far as it is known."""
    if trial.trial_id in histories:
        return trial.plan("initial_epoch") + len(histories[trial.trial_id])
    steps = [one.step for metric in trial.metrics.metrics.values() for one in metric.observations]
    return trial.plan("epochs", max([trial.best_step or 0, *steps]) + 1)


def _brackets(trials: Sequence[_Trial]) -> int:
    return max((one.plan("bracket") for one in trials), default=0)


def _chains(trials: Sequence[_Trial]) -> list[list[_Trial]]:
    """Group promoted trials with the trials that they continue."""
    known = {one.trial_id: one for one in trials}
    chains: dict[str, list[_Trial]] = {}
    for trial in trials:
        root, seen = trial, {trial.trial_id}
        while root.parent in known and root.parent not in seen:
            seen.add(root.parent)
            root = known[root.parent]
        chains.setdefault(root.trial_id, []).append(trial)
    return [sorted(chain, key=lambda one: one.plan("round")) for chain in chains.values()]


@dataclass(frozen=True)
class _Reader:
    """Converts trials of KerasTuner, each with those that continue it, to trials of eyetune."""

    space: Space
    objectives: tuple[Objective, ...]
    histories: Mapping[str, History]
    schedule: SchedulerSettings
    most_patient: int  # KerasTuner counts brackets down, eyetune counts them up

    def record(self, number: int, chain: Sequence[_Trial]) -> TrialRecord:
        """Return a trial as a record of eyetune."""
        last = chain[-1]
        rungs = self._rungs(chain)
        epochs = _epochs(last, self.histories)
        values = {name: value for name, value in last.values.items() if name in self.space.names}
        record = TrialRecord(
            number=number,
            state=TrialState.COMPLETE,
            values=values,
            more_values={name: value for name, value in last.values.items() if name not in values},
            bracket=self.most_patient - chain[0].plan("bracket"),
            rung=len(chain) - 1,
            epochs_granted=last.plan("epochs", epochs),
            epochs=rungs[-1].epochs if rungs else 0,
            is_over=True,
            rungs=rungs,
            seconds=sum(
                epoch.duration_seconds
                for one in chain
                for epoch in self.histories.get(one.trial_id, ())
            ),
        )
        if not last.is_scored:
            return _not_done(record, last)
        stopped = (
            self.schedule.name == "hyperband" and record.epochs_granted < self.schedule.max_epochs
        )
        return record.with_(state=TrialState.STOPPED, is_over=False) if stopped else record

    def _rungs(self, chain: Sequence[_Trial]) -> tuple[Rung, ...]:
        rungs: list[Rung] = []
        for one in chain:
            values = self._values(one) if one.is_scored else None
            if values is not None:
                if rungs:  # a rung has the best value so far
                    pairs = zip(self.objectives, rungs[-1].values, values, strict=True)
                    values = tuple(max(old, new, key=each.oriented) for each, old, new in pairs)
                rungs.append(Rung(epochs=_epochs(one, self.histories), values=values))
        return tuple(rungs)

    def _values(self, trial: _Trial) -> tuple[float, ...] | None:
        assert trial.score is not None
        if len(self.objectives) == 1 and self.objectives[0].name not in trial.metrics.metrics:
            return (trial.score,)
        values = [_best(trial, one.name) for one in self.objectives]
        return tuple(value for value in values if value is not None) if None not in values else None

    def metrics(self, chain: Sequence[_Trial]) -> list[tuple[int, dict[str, float]]]:
        """Return the measurements, each with the total number of epochs of the trial by then."""
        by_epoch: dict[int, dict[str, float]] = {}
        for one in chain:
            before = one.plan("initial_epoch")
            for epoch in self.histories.get(one.trial_id, ()):
                figures = {
                    name: getattr(epoch, name)
                    for name in ("loss", "accuracy", "val_loss", "val_accuracy")
                }
                by_epoch[before + epoch.epoch] = {**figures, **epoch.others}
            for name, metric in one.metrics.metrics.items():
                for seen in metric.observations:
                    if seen.value and one.trial_id not in self.histories:
                        mean = sum(seen.value) / len(seen.value)
                        by_epoch.setdefault(before + seen.step + 1, {})[name] = mean
        return sorted(by_epoch.items())


def _best(trial: _Trial, name: str) -> float | None:
    metric = trial.metrics.metrics.get(name)
    return None if metric is None else metric.best()


def _not_done(record: TrialRecord, trial: _Trial) -> TrialRecord:
    """Return a trial that did not end normally: it crashed, was too large or was interrupted."""
    message = (trial.message or "").strip()
    parameters = _parameters_of_oversized(message)
    if parameters is not None and not record.rungs:
        reason = InfeasibleReason.exceeded(
            "the network has more parameters than allowed", "parameters", parameters, None
        )
        return record.with_(
            state=TrialState.INFEASIBLE,
            infeasible_reasons=(reason,),
            network={"parameters": float(parameters)},
        )
    if trial.status == "RUNNING":
        message = "KerasTuner was interrupted while it trained this trial."
    elif message:  # the first line of a traceback carries no information
        message = f"{message.splitlines()[-1]}\n{message}"
    else:
        message = f"KerasTuner left it {trial.status}, without a score."
    return record.with_(state=TrialState.FAILED, error=message)


def _parameters_of_oversized(message: str) -> int | None:
    """Return the parameters in KerasTuner's message about a network that is too large, or None."""
    _, separator, rest = message.rpartition(OVERSIZED)
    match = re.match(r"\d+", rest)
    return int(match[0]) if separator and match else None
