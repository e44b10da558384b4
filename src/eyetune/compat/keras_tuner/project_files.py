"""The JSON files of a KerasTuner project: `oracle.json`, and a `trial.json` for each trial.

The format is that of KerasTuner 1.4, `Oracle.get_state` and `Trial.get_state`:
https://github.com/keras-team/keras-tuner.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from eyetune.errors import UsageError, WorkspaceError
from eyetune.inputs.limits import JSON_BYTES, fix_for
from eyetune.inputs.regular_file import read_bytes
from eyetune.space.hyperparameters import Value

STATE_FILE = "oracle.json"
TRIAL_FILE = "trial.json"
INTERNAL_PREFIX = "tuner/"  # of Hyperband's own entries among the hyperparameters

_Content = TypeVar("_Content", bound=BaseModel)


class _JsonObject(BaseModel):
    model_config = ConfigDict(frozen=True)  # further keys are ignored


class ConditionConfig(_JsonObject):
    """The values of a parent under which a hyperparameter is active."""

    name: str
    values: list[Value]


class ConditionEntry(_JsonObject):
    """A condition, as KerasTuner serializes it."""

    config: ConditionConfig


class HyperparameterConfig(_JsonObject):
    """A hyperparameter; which fields have a value depends on its class."""

    name: str
    conditions: list[ConditionEntry] = []
    default: Value | None = None
    value: Value | None = None
    values: list[Value] = []
    ordered: bool | None = None
    min_value: int | float | None = None
    max_value: int | float | None = None
    step: int | float | None = None
    sampling: str | None = None


class HyperparameterEntry(_JsonObject):
    """A hyperparameter with the name of its class, as KerasTuner serializes it."""

    class_name: str = Field(pattern=r"^\w+$")
    config: HyperparameterConfig


class Hyperparameters(_JsonObject):
    """A search space with values."""

    space: list[HyperparameterEntry]
    values: dict[str, Value | None]


class Observation(_JsonObject):
    """The values of a metric after a step, one for each execution of the trial."""

    value: list[float]
    step: int

    @property
    def mean(self) -> float:
        """The mean of all executions; NaN without any."""
        return sum(self.value) / len(self.value) if self.value else math.nan


class Metric(_JsonObject):
    """The observations of a metric, and whether higher is better (`max`)."""

    direction: str
    observations: list[Observation]

    def best(self) -> float | None:
        """Return the best observation, as KerasTuner scores; None if there is none."""
        means = [observation.mean for observation in self.observations]
        numbers = [mean for mean in means if not math.isnan(mean)]
        if not numbers:
            return None
        return max(numbers) if self.direction == "max" else min(numbers)


class Metrics(_JsonObject):
    """All metrics of a trial, by name."""

    metrics: dict[str, Metric]


class TrialFile(_JsonObject):
    """What is read of a `trial.json`."""

    trial_id: str
    hyperparameters: Hyperparameters
    metrics: Metrics
    score: float | None
    best_step: int | None = 0
    status: str
    message: str | None = None

    @property
    def values(self) -> dict[str, Value]:
        """The values of the user's hyperparameters, without Hyperband's own entries."""
        return {
            name: value
            for name, value in self.hyperparameters.values.items()
            if value is not None and not name.startswith(INTERNAL_PREFIX)
        }

    @property
    def parent(self) -> str | None:
        """The id of the trial that Hyperband promoted as this one; None if it is a new one."""
        value = self.hyperparameters.values.get(f"{INTERNAL_PREFIX}trial_id")
        return value if isinstance(value, str) else None

    def hyperband_number(self, name: str, default: int = 0) -> int:
        """Return one of Hyperband's own numbers: bracket, round, epochs or initial_epoch."""
        value = self.hyperparameters.values.get(f"{INTERNAL_PREFIX}{name}")
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return int(value) if is_number and value is not None else default

    @property
    def is_scored(self) -> bool:
        """Whether the trial was trained to its end and has a score."""
        return self.status == "COMPLETED" and self.score is not None and not math.isnan(self.score)


class StateFile(_JsonObject):
    """What is read of an `oracle.json`.

    Only Hyperband writes `max_epochs`, `factor` and `hyperband_iterations`; only Bayesian
    optimization writes `alpha`.
    """

    hyperparameters: Hyperparameters
    start_order: list[str]
    ongoing_trials: dict[str, str] = {}
    seed: int
    seed_state: int = 0
    max_epochs: int | None = Field(None, ge=1)
    factor: float | None = Field(None, gt=1)
    hyperband_iterations: float | None = None
    alpha: float | None = None


def read_state(folder: Path) -> StateFile:
    """Return the state of the search in a project folder.

    Raises:
        UsageError: It is not a project folder.
        WorkspaceError: The file is damaged or from another version of KerasTuner.
    """
    path = folder / STATE_FILE
    if not path.is_file():
        raise _not_a_project(folder)
    return _read(path, StateFile)


def read_trials(folder: Path, state: StateFile) -> list[TrialFile]:
    """Return the trials of a project folder in the order in which they were started.

    Raises:
        WorkspaceError: A file is damaged or from another version of KerasTuner.
    """
    trials: dict[str, TrialFile] = {}
    for path in sorted(folder.glob(f"trial_*/{TRIAL_FILE}")):
        trial = _read(path, TrialFile)
        trials[trial.trial_id] = trial
    started = [trial_id for trial_id in state.start_order if trial_id in trials]
    return [trials[trial_id] for trial_id in dict.fromkeys([*started, *trials])]


def _not_a_project(folder: Path) -> UsageError:
    expected = f"directory/project_name of a search, with {STATE_FILE} and trial_*/{TRIAL_FILE}"
    if not folder.exists():
        return UsageError(f"The folder {folder} does not exist.", expected=expected)
    projects = sorted(path.parent.name for path in folder.glob(f"*/{STATE_FILE}"))
    return UsageError(
        f"{folder} is not a project folder of KerasTuner.",
        expected=expected,
        fix=f"Name one of the projects in it: {', '.join(projects)}." if projects else None,
    )


def _read(path: Path, content_class: type[_Content]) -> _Content:
    try:
        content = read_bytes(path, JSON_BYTES)
    except (OSError, ValueError) as error:
        raise WorkspaceError(
            f"{path} cannot be read.",
            received=getattr(error, "strerror", None) or error,
            fix=fix_for(error),
        ) from None
    try:
        return content_class.model_validate_json(content)
    except pydantic.ValidationError as error:
        raise _invalid_file(path, error) from None


def _invalid_file(path: Path, error: pydantic.ValidationError) -> WorkspaceError:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        is_trial = path.name == TRIAL_FILE
        fix = f"If a crash cut it off: delete {path.parent.name} and import the rest."
        return WorkspaceError(
            f"{path} is damaged.",
            expected="JSON",
            received=first["msg"],
            fix=fix if is_trial else None,
        )
    key = ".".join(map(str, first["loc"]))
    return WorkspaceError(
        f"{path} does not have the format of KerasTuner 1.4.",
        expected=f"{key}: {first['msg']}",
        received=f"{first['input']!r:.80}",
        fix="To convert it, open it with KerasTuner 1.4: `tuner.reload(); tuner.save()`.",
    )
