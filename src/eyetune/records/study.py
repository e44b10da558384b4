"""A study and its trials as they are recorded: what was asked for, what was tried, and what came of
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from eyetune.recipe import Recipe
from eyetune.space.space import Space, Value

Direction = Literal["max", "min"]
SamplerName = Literal["random", "grid", "quasi-random", "tpe", "gp", "cma-es", "nsga2"]
SchedulerName = Literal["full", "halving", "hyperband", "median"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Objective(_Record):
    """What a study makes large or small.

    Attributes:
        name: A metric of an epoch (val_accuracy), or what a network costs (parameters,
            flash_bytes).
        direction: "max" or "min".
    """

    name: str
    direction: Direction

    def oriented(self, value: float) -> float:
        """Return a value so that higher is better."""
        return value if self.direction == "max" else -value


class Constraint(_Record):
    """A limit on what a network costs, for example parameters <= 200000."""

    name: str
    sign: Literal["<", "<=", ">", ">="]
    limit: float

    def __str__(self) -> str:
        return f"{self.name} {self.sign} {self.limit:,.10g}".replace(",", "")

    def excess(self, value: float) -> float:
        """Return how far a value is beyond the limit: at most 0 where it is met, as Optuna counts
        it.
        """
        distance = value - self.limit if self.sign in ("<", "<=") else self.limit - value
        return distance or (1e-9 if self.sign in ("<", ">") else 0.0)


class SchedulerSettings(_Record):
    """How a study gives out epochs.

    Attributes:
        name: full, halving, hyperband or median.
        max_epochs: Of a trial, 1 or more.
        min_epochs: Of a trial's first rung.
        factor: One of so many trials goes on at each rung, and so many times as long; above 1.
        iterations: How often hyperband runs through all its brackets (None: until another budget
            ends it).
    """

    name: SchedulerName = "full"
    max_epochs: int = Field(10, ge=1)
    min_epochs: int = Field(1, ge=1)
    factor: float = Field(3.0, gt=1)
    iterations: int | None = Field(1, ge=1)


class Budget(_Record):
    """When a study ends; whichever comes first. None: no limit of this kind.

    Attributes:
        trials: New trials, those that were infeasible not counted.
        epochs: Trained in all trials together.
        seconds: Wall time, over all sittings.
        target: Value of the first objective that is good enough.
    """

    trials: int | None = Field(None, ge=1)
    epochs: int | None = Field(None, ge=1)
    seconds: float | None = Field(None, gt=0)
    target: float | None = None


class Limits(_Record):
    """What one trial may take; beyond it fails, and the study goes on. None: no limit.

    Attributes:
        seconds: Of one job, the start of its worker's Keras included.
        memory_bytes: Resident memory of its worker.
        parameters: Weights of its network (KerasTuner's max_model_size): more is infeasible.
    """

    seconds: float | None = Field(None, gt=0)
    memory_bytes: int | None = Field(None, ge=1)
    parameters: int | None = Field(None, ge=1)


class StudySettings(_Record):
    """All that a study was asked for.

    Attributes:
        recipe: What every trial begins from; with a model function, the recipe that names it.
        space: What a trial may set: paths of recipe values, or the function's hyperparameters as it
            was first read.
        objectives: At least one; the first counts where one is needed.
        constraints: On what is known before training.
        board: The device that networks must fit, or "".
        sampler: Who suggests.
        schedule: How epochs are given out.
        budget: When it ends.
        limits: Of one trial.
        seed: Of the suggestions; every trial trains with `recipe` and this seed too.
        workers: Trainings at once, when it began.
        executor: Where they run: "local", "ray" or "ray://HOST:PORT".
        tune_new_entries: Whether hyperparameters that appear late are searched too, or stay at
            their defaults.
        engine: "eyetune", or "keras-tuner" for one that KerasTuner did.
        seeds: Ids of runs made by hand that the sampler knew from the beginning.
    """

    recipe: Recipe
    space: Space
    objectives: tuple[Objective, ...] = Field(min_length=1)
    constraints: tuple[Constraint, ...] = ()
    board: str = ""
    sampler: SamplerName = "tpe"
    schedule: SchedulerSettings = SchedulerSettings()
    budget: Budget = Budget()
    limits: Limits = Limits()
    seed: int = 0
    workers: int = 1
    executor: str = "local"
    tune_new_entries: bool = True
    engine: Literal["eyetune", "keras-tuner"] = "eyetune"
    seeds: tuple[str, ...] = ()

    @property
    def has_function(self) -> bool:
        """Whether a model function builds the networks."""
        return self.recipe.model.has_function


class StudyState(StrEnum):
    """Where a study stands."""

    RUNNING = "RUNNING"  # a process is at work on it
    PAUSED = "PAUSED"  # it was interrupted and can be resumed
    COMPLETE = (
        "COMPLETE"  # its budget is spent, its target reached, or there is nothing left to try
    )


class StudyRecord(_Record):
    """A study, without its trials.

    Attributes:
        id: Eight hexadecimal digits.
        name: What the user called it.
        state: Where it stands.
        created_at: When it began, in UTC.
        settings: What was asked for.
        space: The space as it is known by now: hyperparameters that appeared late included.
        data_fingerprint: Of the images.
        data_name: Of the images.
        seconds: Wall time of all sittings.
        ending: Why it ended, in words; "" while it has not.
        versions: Of what made it.
        deleted_at: When the user deleted it; None if it is not in the trash.
    """

    id: str
    name: str
    state: StudyState
    created_at: datetime
    settings: StudySettings
    space: Space
    data_fingerprint: str = ""
    data_name: str = ""
    seconds: float = 0.0
    ending: str = ""
    versions: dict[str, str] = {}
    deleted_at: datetime | None = None


class TrialState(StrEnum):
    """Where a trial stands."""

    WAITING = "WAITING"  # suggested; nothing was trained yet
    RUNNING = "RUNNING"  # a worker trains it, up to `epochs_granted`
    PAUSED = "PAUSED"  # it reached its rung and may be granted more
    COMPLETE = "COMPLETE"  # it was trained to the end
    STOPPED = "STOPPED"  # it will be granted no more: others were better
    INFEASIBLE = "INFEASIBLE"  # it breaks a constraint; no epoch was trained
    FAILED = "FAILED"  # it cannot be built or trained; `error` says why


class Rung(_Record):
    """A rung that a trial reached.

    Attributes:
        epochs: Trained by then.
        values: Of the objectives: of a metric the best so far.
    """

    epochs: int
    values: tuple[float, ...]


class TrialRecord(_Record):
    """A trial.

    Attributes:
        number: From 0, in the order of the suggestions.
        state: Where it stands.
        values: Hyperparameters that count, as they were suggested.
        more_values: Hyperparameters that appeared while it was built or trained, at their defaults.
        unused: Names of suggested hyperparameters that its model function never asked for.
        run: Id of its run; None where nothing was trained, or where KerasTuner trained it.
        bracket: Of the schedule.
        rung: The last that was granted, from 0.
        epochs_granted: Epochs that it may have in all by now.
        epochs: Trained so far.
        is_over: Whether it would not train on if it was granted more: the end, or early stopping.
        rungs: Those reached, in order.
        partial: What it had reached when it was ended on its way to the next rung (None: it was
            not).
        network: What is known of its network before training: parameters, multiply_adds,
            flash_bytes, ...
        infeasible: The constraints that it breaks, in words.
        error: What happened to a FAILED one, with the traceback of a user's function.
        seconds: Of its training.
        sampler_state: What the sampler keeps with it.
    """

    number: int
    state: TrialState
    values: dict[str, Value]
    more_values: dict[str, Value] = {}
    unused: tuple[str, ...] = ()
    run: str | None = None
    bracket: int = 0
    rung: int = 0
    epochs_granted: int = 0
    epochs: int = 0
    is_over: bool = False
    rungs: tuple[Rung, ...] = ()
    partial: Rung | None = None
    network: dict[str, float] = {}
    infeasible: tuple[str, ...] = ()
    error: str = ""
    seconds: float = 0.0
    sampler_state: dict[str, Any] = {}

    @property
    def all_values(self) -> dict[str, Value]:
        """Every hyperparameter that it was built and trained with."""
        return {**self.values, **self.more_values}

    @property
    def used_values(self) -> dict[str, Value]:
        """The hyperparameters that its network depends on."""
        return {name: value for name, value in self.all_values.items() if name not in self.unused}

    @property
    def objectives(self) -> tuple[float, ...] | None:
        """Values of the objectives by now; None where nothing was reached."""
        last = self.partial or (self.rungs[-1] if self.rungs else None)
        return last.values if last else None

    @property
    def is_open(self) -> bool:
        """Whether a worker has to go on with it, or may have to."""
        return self.state in (TrialState.WAITING, TrialState.RUNNING, TrialState.PAUSED)

    def with_(self, **changes: Any) -> TrialRecord:
        """Return a copy with some values changed."""
        return self.model_copy(update=changes)


def summary(trial: TrialRecord, objectives: tuple[Objective, ...]) -> Mapping[str, Any]:
    """Return a trial as plain JSON values, its objectives by name."""
    values = dict(zip((one.name for one in objectives), trial.objectives or (), strict=False))
    return {
        "trial": trial.number,
        "state": str(trial.state),
        "run": trial.run,
        "hyperparameters": trial.all_values,
        "unused": list(trial.unused),
        **values,
        "epochs": trial.epochs,
        "bracket": trial.bracket,
        "rungs": [{"epochs": rung.epochs, "values": list(rung.values)} for rung in trial.rungs],
        "network": trial.network,
        "infeasible": list(trial.infeasible),
        "error": trial.error,
        "seconds": round(trial.seconds, 3),
    }
