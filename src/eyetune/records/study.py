"""The record of a study: its settings, its space and its state. Its trials are in `trial`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from eyetune.recipe import RecordedRecipe
from eyetune.recipe.sections import FitSection
from eyetune.space.hyperparameters import Value
from eyetune.space.space import Space
from eyetune.values.json_model import JsonModel
from eyetune.values.record_ids import RecordId

Direction = Literal["max", "min"]
SamplerName = Literal["random", "grid", "quasi-random", "tpe", "gp", "cma-es", "nsga2"]
SchedulerName = Literal["full", "halving", "hyperband", "median"]


class Objective(JsonModel):
    """What a study maximizes or minimizes.

    Attributes:
        name: A metric of an epoch, such as val_accuracy; a cost of a network, such as parameters
            or latency_ms; or int8_accuracy.
        direction: "max" or "min".
    """

    name: str
    direction: Direction

    def oriented(self, value: float) -> float:
        """Return a value with the sign that makes higher better."""
        return value if self.direction == "max" else -value


class Constraint(JsonModel):
    """A limit on a cost of a network, for example parameters <= 200000.

    Attributes:
        name: The cost.
        sign: "<", "<=", ">" or ">=".
        limit: The limit, in the unit of the cost.
    """

    name: str
    sign: Literal["<", "<=", ">", ">="]
    limit: float

    def __str__(self) -> str:
        return self.text.replace(",", "")  # as --constraint takes it

    @property
    def text(self) -> str:
        """The constraint as people read it, for example "parameters < 200,000"."""
        return f"{self.name} {self.sign} {self.limit:,.10g}"

    @property
    def is_upper(self) -> bool:
        """Whether it limits the cost from above."""
        return self.sign in ("<", "<=")

    def excess(self, value: float) -> float:
        """Return how far a value exceeds the limit: 0 or less if it is met, as Optuna expects."""
        distance = value - self.limit if self.is_upper else self.limit - value
        is_strict = self.sign in ("<", ">")
        if distance == 0 and is_strict:
            return 1e-9
        return distance


class SchedulerSettings(JsonModel):
    """How a study distributes epochs among its trials.

    Attributes:
        name: "full", "halving", "hyperband" or "median".
        max_epochs: Most epochs of a trial, 1 or more.
        min_epochs: Epochs of the first rung of a trial, 1 or more.
        factor: At each rung, one of this many trials continues, for this many times as many epochs;
            above 1.
        iterations: How often hyperband runs all its brackets, 1 or more; None: until the budget
            ends it.
        cycles: Whether the learning-rate schedule of a recipe runs a whole cycle up to each rung of
            halving, so that results at the rungs predict the end.
        executions: Trainings of each trial with different seeds, whose mean counts, 1 or more.
    """

    name: SchedulerName = "full"
    max_epochs: int = Field(10, ge=1)
    min_epochs: int = Field(1, ge=1)
    factor: float = Field(3.0, gt=1)
    iterations: int | None = Field(1, ge=1)
    cycles: bool = False
    executions: int = Field(1, ge=1)


class SamplerSettings(JsonModel):
    """How a sampler learns, where that is given. None: the sampler decides.

    Attributes:
        initial_points: Random trials before tpe and gp learn from results, 1 or more.
        alpha: Variance of the noise of an objective of variance 1, which gp assumes, above 0; None:
            it learns the noise.
        beta: Number of standard deviations by which gp prefers uncertain values, 0 or more; None:
            it takes the highest expected improvement.
    """

    initial_points: int | None = Field(None, ge=1)
    alpha: float | None = Field(None, gt=0)
    beta: float | None = Field(None, ge=0)


class Budget(JsonModel):
    """When a study ends: at the first of these limits. None: no such limit.

    Attributes:
        trials: Trials, 1 or more; infeasible ones do not count.
        epochs: Epochs of all trials together, 1 or more.
        seconds: Wall time of all invocations together, in seconds, above 0.
        target: A value of the first objective that is good enough.
    """

    trials: int | None = Field(None, ge=1)
    epochs: int | None = Field(None, ge=1)
    seconds: float | None = Field(None, gt=0)
    target: float | None = None


class Limits(JsonModel):
    """Limits of one trial, and what follows when trials fail.

    A trial that exceeds a limit fails, and the study continues. None: no such limit.

    Attributes:
        seconds: Time of one job in seconds, including the start of Keras in its worker, above 0.
        memory_bytes: Resident memory of its worker in bytes, 1 or more.
        parameters: Weights of its network (KerasTuner's max_model_size), 1 or more; a larger
            network is infeasible.
        retries: Times that a trial is trained again after an error, 0 or more; None: 0.
        consecutive_failures: Failed trials in a row that end the study with an error, 1 or more;
            None: a few, as long as no trial has a result.
    """

    seconds: float | None = Field(None, gt=0)
    memory_bytes: int | None = Field(None, ge=1)
    parameters: int | None = Field(None, ge=1)
    retries: int | None = Field(None, ge=0)
    consecutive_failures: int | None = Field(None, ge=1)


class StartUp(JsonModel):
    """What a study was asked for, as long as its settings do not follow from it yet.

    Attributes:
        recipe: The recipe that was named, or the one that names the model function.
        space: A built-in space's name, the path of a TOML file or a space; None: the default.
        data: A source in place of the recipe's; None: there is none.
        is_given: Whether a model function, a recipe or a run was named.
        options: The options that were named, by their names.
    """

    recipe: RecordedRecipe
    space: str | Space | None
    data: str | None
    is_given: bool
    options: dict[str, Any]


class StudySettings(JsonModel):
    """The settings of a study.

    Attributes:
        recipe: The recipe that every trial starts from; with a model function, the recipe that
            names it.
        space: What a trial can change: paths of recipe values, or the function's hyperparameters as
            they were first discovered.
        objectives: One or more; where one is needed, the first counts.
        constraints: Limits on costs that are known before training.
        board: The board that networks must fit, or "".
        sampler: The sampler that suggests trials.
        sampling: How the sampler learns.
        schedule: The scheduler that distributes epochs.
        budget: When the study ends.
        limits: Limits of one trial.
        seed: Random seed of the suggestions and of every training.
        workers: Number of concurrent trainings when the study began; 0: one at a time, in the
            coordinating process.
        executor: Where trainings run: "local", "ray" or "ray://HOST:PORT".
        tune_new_entries: Whether hyperparameters that appear late are searched too, or keep their
            defaults.
        engine: "eyetune", "keras-tuner" for a study that KerasTuner ran, or "tuner-subclass" where
            a class of the user's own runs the trials in its script.
        seeds: Ids of the user's own runs that the sampler knew from the beginning.
        starts: Values of the first trials, before the sampler suggests any.
        portfolio: Name of the portfolio that `starts` are from, or "".
        final_training: Whether the study ends with a longer training of its best network, as soon
            as that promises more than another trial; it needs a time limit.
        int8_images: Number of validation images on which the accuracy of int8 networks is measured,
            the same ones for all trials; 0: it is not measured.
        start_up: What was asked for, for a study whose invocation ended while it started. The other
            settings are then preliminary, and its space is empty. None: they are complete.
    """

    recipe: RecordedRecipe
    space: Space
    objectives: tuple[Objective, ...] = Field(min_length=1)
    constraints: tuple[Constraint, ...] = ()
    board: str = ""
    sampler: SamplerName = "tpe"
    sampling: SamplerSettings = SamplerSettings()
    schedule: SchedulerSettings = SchedulerSettings()
    budget: Budget = Budget()
    limits: Limits = Limits()
    seed: int = 0
    workers: int = 1
    executor: str = "local"
    tune_new_entries: bool = True
    engine: Literal["eyetune", "keras-tuner", "tuner-subclass"] = "eyetune"
    seeds: tuple[str, ...] = ()
    starts: tuple[dict[str, Value], ...] = ()
    portfolio: str = ""
    final_training: bool = False
    int8_images: int = Field(0, ge=0)
    start_up: StartUp | None = None

    @property
    def has_function(self) -> bool:
        """Whether a model function builds the networks."""
        return self.recipe.model.has_function

    def fit_of(self, values: Mapping[str, Value]) -> FitSection:
        """Return how long the trial with these values trains, and which epoch is kept.

        Args:
            values: Hyperparameters of a trial.
        """
        fit = self.recipe.fit
        edits = {
            name.removeprefix("fit."): value
            for name, value in values.items()
            if name.startswith("fit.")
        }
        if not edits or self.has_function or self.engine != "eyetune":
            return fit
        return FitSection.model_validate(fit.model_dump() | edits)


class StudyState(StrEnum):
    """The state of a study."""

    RUNNING = "RUNNING"  # a process is running it
    PAUSED = "PAUSED"  # it was interrupted and can be resumed
    COMPLETE = "COMPLETE"  # its budget is used up, its target is reached, or nothing is left to try


class StudyRecord(JsonModel):
    """A study, without its trials.

    Attributes:
        id: Eight hexadecimal digits.
        name: Its name; unique among the studies that are not in the trash.
        state: Its state.
        created_at: When it began, in UTC.
        settings: Its settings.
        space: Its space, including hyperparameters that appeared late.
        data_fingerprint: A hash of its images.
        data_name: Short name of its dataset.
        seconds: Wall time of all invocations together, in seconds.
        ending: Why it ended, to complete "it ended because ..."; "" if it has not.
        versions: Versions of eyetune and the libraries that matter.
        deleted_at: When the user deleted it; None if it is not in the trash.
    """

    id: RecordId
    name: str
    state: StudyState
    created_at: datetime
    settings: StudySettings
    space: Space
    data_fingerprint: str = ""
    data_name: str = ""
    seconds: float = 0.0
    ending: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    deleted_at: datetime | None = None
