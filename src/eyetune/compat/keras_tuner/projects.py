"""Converts a project folder of KerasTuner to records of eyetune; only its JSON files are read.

Where Hyperband promotes a trial, KerasTuner starts a new one; here that is another rung of the
trial that it continues. KerasTuner stores the metrics of a trial's best epoch, but neither the
objective nor the number of epochs: the objective is the metric that equals the scores, and the
epochs are those of Hyperband's plan or end with the best epoch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from eyetune.compat.keras_tuner.project_files import (
    HyperparameterEntry,
    StateFile,
    TrialFile,
    read_state,
    read_trials,
)
from eyetune.errors import FunctionError, UsageError, WorkspaceError
from eyetune.models.model_function import space_of
from eyetune.records.study import Objective, SamplerName, SchedulerSettings
from eyetune.records.trial import InfeasibleReason, Rung, TrialRecord, TrialState
from eyetune.records.trial_metrics import EpochMetrics
from eyetune.space.space import Space
from eyetune.values.history import History

OVERSIZED = "Oversized model: "  # how KerasTuner begins the message of such a trial
SUM_OF_OBJECTIVES = "multi_objective"  # KerasTuner's name for the score of several objectives
LIKELY_OBJECTIVES = ("val_accuracy", "val_loss", "accuracy", "loss")  # if several equal the scores
EPOCH_METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")


@dataclass(frozen=True)
class Project:
    """The content of a project folder.

    Attributes:
        space: Space of the search.
        objectives: Objectives of the search.
        sampler: The most similar sampler of eyetune: random, gp or grid.
        schedule: Schedule of the search: full or hyperband.
        seed: Random seed of the search.
        trials: Trials as records of eyetune.
        metrics: Measured metrics of each trial, by its number in `trials`.
        was_interrupted: Whether a trial was running when the folder was last written.
    """

    space: Space
    objectives: tuple[Objective, ...]
    sampler: SamplerName
    schedule: SchedulerSettings
    seed: int
    trials: tuple[TrialRecord, ...]
    metrics: Mapping[int, EpochMetrics]
    was_interrupted: bool


@dataclass(frozen=True)
class SearchFacts:
    """Facts about a search that its files do not contain.

    Attributes:
        objectives: Objectives of the search, with the names in the project; empty if unknown.
        histories: Epochs of each trial, by KerasTuner's id. The history of a promoted trial has
            only the epochs after its promotion.
    """

    objectives: tuple[Objective, ...] = ()
    histories: Mapping[str, History] = field(default_factory=dict)


def read_project(folder: Path, facts: SearchFacts | None = None) -> Project:
    """Read a project of KerasTuner's Hyperband, RandomSearch, BayesianOptimization or GridSearch.

    Args:
        folder: Folder with `oracle.json`: `directory/project_name` of the search.
        facts: What is known beyond the files. Default: nothing.

    Raises:
        UsageError: It is not a project folder, or its objective is unknown.
        WorkspaceError: A file is damaged or from another version of KerasTuner.
    """
    facts = facts or SearchFacts()
    state = read_state(folder)
    trials = read_trials(folder, state)
    chains = _chains(trials)
    space = _space(state, folder)
    objectives = facts.objectives or (_objective(trials, folder),)
    schedule = _schedule(state, trials, facts.histories)
    highest_bracket = max((trial.hyperband_number("bracket") for trial in trials), default=0)
    converter = _Converter(space, objectives, facts.histories, schedule, highest_bracket)
    return Project(
        space=space,
        objectives=objectives,
        sampler=_sampler(state, trials),
        schedule=schedule,
        seed=state.seed,
        trials=tuple(converter.record(number, chain) for number, chain in enumerate(chains)),
        metrics={number: converter.metrics(chain) for number, chain in enumerate(chains)},
        was_interrupted=bool(state.ongoing_trials),
    )


def _space(state: StateFile, folder: Path) -> Space:
    entries = [_hyperparameter(entry) for entry in state.hyperparameters.space]
    try:
        return space_of(SimpleNamespace(space=entries))
    except FunctionError as error:
        raise WorkspaceError(
            f"The search space of {folder} cannot be read.",
            received=f"{error.message} {error.received or ''}".strip(),
        ) from None


def _hyperparameter(entry: HyperparameterEntry) -> Any:
    """Return an object like KerasTuner's own hyperparameter, without importing Keras."""
    config = entry.config
    values = {
        **dict(config),
        "default": _default(entry),
        "conditions": [condition.config for condition in config.conditions],
        "sampling": config.sampling or "linear",
    }
    return type(entry.class_name, (SimpleNamespace,), {})(**values)


def _default(entry: HyperparameterEntry) -> Any:
    config = entry.config
    if entry.class_name == "Fixed":
        return config.value
    if config.default is not None:
        return config.default
    if entry.class_name == "Choice":
        return config.values[0] if config.values else None
    return False if entry.class_name == "Boolean" else config.min_value


def _objective(trials: Sequence[TrialFile], folder: Path) -> Objective:
    """Return the metric whose best values are the scores, which is not in KerasTuner's files."""
    scored = [trial for trial in trials if trial.is_scored]
    if not scored:
        return Objective(name=LIKELY_OBJECTIVES[0], direction="max")
    metrics = scored[0].metrics.metrics
    candidates = [name for name in metrics if _equals_scores(name, scored)]
    if not candidates:
        raise UsageError(
            f"The objective of {folder} is unknown: no metric equals the scores.",
            fix='Name it, for example objective="val_accuracy" or --objective val_auc:max.',
        )
    likely = [name for name in (SUM_OF_OBJECTIVES, *LIKELY_OBJECTIVES) if name in candidates]
    name = (likely or candidates)[0]
    return Objective(name=name, direction="max" if metrics[name].direction == "max" else "min")


def _equals_scores(name: str, scored: Sequence[TrialFile]) -> bool:
    """Return whether the best value of a metric is the score of every trial."""
    for trial in scored:
        metric = trial.metrics.metrics.get(name)
        if metric is None or not math.isclose(metric.best() or 0.0, trial.score or 0.0):
            return False
    return True


def _sampler(state: StateFile, trials: Sequence[TrialFile]) -> SamplerName:
    if state.alpha is not None:
        return "gp"
    has_values = bool(trials) and bool(state.hyperparameters.space)
    drew_nothing = state.seed_state == state.seed and has_values
    return "grid" if drew_nothing and state.max_epochs is None else "random"


def _schedule(
    state: StateFile, trials: Sequence[TrialFile], histories: Mapping[str, History]
) -> SchedulerSettings:
    if state.max_epochs is None:
        epochs = [_total_epochs(trial, histories) for trial in trials]
        return SchedulerSettings(max_epochs=max([1, *epochs]))
    iterations = state.hyperband_iterations
    is_limited = iterations is not None and math.isfinite(iterations) and iterations >= 1
    return SchedulerSettings(
        name="hyperband",
        max_epochs=state.max_epochs,
        factor=state.factor or 3.0,
        iterations=int(iterations) if is_limited and iterations is not None else None,
    )


def _total_epochs(trial: TrialFile, histories: Mapping[str, History]) -> int:
    """Return how many epochs a trial was trained in all, as far as that is known."""
    if trial.trial_id in histories:
        return trial.hyperband_number("initial_epoch") + len(histories[trial.trial_id])
    steps = [trial.best_step or 0]
    for metric in trial.metrics.metrics.values():
        steps.extend(observation.step for observation in metric.observations)
    return trial.hyperband_number("epochs", max(steps) + 1)


def _chains(trials: Sequence[TrialFile]) -> list[list[TrialFile]]:
    """Group trials into chains: a trial and its promotions, in the order of their rounds."""
    by_id = {trial.trial_id: trial for trial in trials}
    chains: dict[str, list[TrialFile]] = {}
    for trial in trials:
        root = trial
        visited = {trial.trial_id}
        while root.parent in by_id and root.parent not in visited:
            visited.add(root.parent)
            root = by_id[root.parent]
        chains.setdefault(root.trial_id, []).append(trial)
    return [
        sorted(chain, key=lambda trial: trial.hyperband_number("round"))
        for chain in chains.values()
    ]


@dataclass(frozen=True)
class _Converter:
    """Converts chains of KerasTuner's trials to records of eyetune."""

    space: Space
    objectives: tuple[Objective, ...]
    histories: Mapping[str, History]
    schedule: SchedulerSettings
    highest_bracket: int  # KerasTuner numbers brackets downwards, eyetune upwards

    def record(self, number: int, chain: Sequence[TrialFile]) -> TrialRecord:
        """Return the record of a trial with its promotions."""
        last = chain[-1]
        rungs = self._rungs(chain)
        values = {name: value for name, value in last.values.items() if name in self.space.names}
        seconds = 0.0
        for trial in chain:
            history = self.histories.get(trial.trial_id, ())
            seconds += sum(epoch.duration_seconds for epoch in history)
        record = TrialRecord(
            number=number,
            state=TrialState.COMPLETE,
            values=values,
            more_values={name: value for name, value in last.values.items() if name not in values},
            bracket=self.highest_bracket - chain[0].hyperband_number("bracket"),
            rung=len(chain) - 1,
            epochs_granted=last.hyperband_number("epochs", _total_epochs(last, self.histories)),
            epochs=rungs[-1].epochs if rungs else 0,
            is_over=True,
            rungs=rungs,
            seconds=seconds,
        )
        if not last.is_scored:
            return _without_score(record, last)
        is_hyperband = self.schedule.name == "hyperband"
        if is_hyperband and record.epochs_granted < self.schedule.max_epochs:
            return record.with_(state=TrialState.STOPPED, is_over=False)
        return record

    def _rungs(self, chain: Sequence[TrialFile]) -> tuple[Rung, ...]:
        rungs: list[Rung] = []
        for trial in chain:
            values = self._values(trial) if trial.is_scored else None
            if values is None:
                continue
            if rungs:
                values = self._best_values(rungs[-1].values, values)
            rungs.append(Rung(epochs=_total_epochs(trial, self.histories), values=values))
        return tuple(rungs)

    def _best_values(self, old: Sequence[float], new: Sequence[float]) -> tuple[float, ...]:
        """Return the better value for each objective: a rung has the best so far."""
        pairs = zip(self.objectives, old, new, strict=True)
        return tuple(
            max(before, after, key=objective.oriented) for objective, before, after in pairs
        )

    def _values(self, trial: TrialFile) -> tuple[float, ...] | None:
        """Return the best value of each objective; None if one was not measured."""
        assert trial.score is not None
        metrics = trial.metrics.metrics
        if len(self.objectives) == 1 and self.objectives[0].name not in metrics:
            return (trial.score,)
        values: list[float] = []
        for objective in self.objectives:
            metric = metrics.get(objective.name)
            value = None if metric is None else metric.best()
            if value is None:
                return None
            values.append(value)
        return tuple(values)

    def metrics(self, chain: Sequence[TrialFile]) -> EpochMetrics:
        """Return the measured metrics, each with the trial's total number of epochs so far."""
        by_epoch: dict[int, dict[str, float]] = {}
        for trial in chain:
            epochs_before = trial.hyperband_number("initial_epoch")
            history = self.histories.get(trial.trial_id)
            if history is not None:
                for epoch in history:
                    values = {name: getattr(epoch, name) for name in EPOCH_METRICS}
                    by_epoch[epochs_before + epoch.epoch] = {**values, **epoch.others}
                continue
            for name, metric in trial.metrics.metrics.items():
                for observation in metric.observations:
                    if observation.value:
                        total = epochs_before + observation.step + 1
                        by_epoch.setdefault(total, {})[name] = observation.mean
        return sorted(by_epoch.items())


def _without_score(record: TrialRecord, trial: TrialFile) -> TrialRecord:
    """Return the record of a trial that crashed, was too large, or was interrupted."""
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
        error = "KerasTuner was interrupted while it trained this trial."
    elif message:  # the last line of a traceback is the error itself
        error = f"{message.splitlines()[-1]}\n{message}"
    else:
        error = f"KerasTuner ended this trial without a score; its status is {trial.status}."
    return record.with_(state=TrialState.FAILED, error=error)


def _parameters_of_oversized(message: str) -> int | None:
    """Return the parameters in KerasTuner's message about a network that is too large, or None."""
    _, separator, rest = message.rpartition(OVERSIZED)
    match = re.match(r"\d+", rest)
    return int(match[0]) if separator and match else None
