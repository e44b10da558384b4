"""The record of a trial: what it tried, what it reached, and why it ended."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import Field, field_serializer, model_validator

from eyetune.space.hyperparameters import Distribution, Value, setting_text
from eyetune.values.int8_accuracy import Int8Accuracy
from eyetune.values.json_model import JsonModel
from eyetune.values.numbers import count_text
from eyetune.values.record_ids import RecordId
from eyetune.values.renamed_keys import with_current_names
from eyetune.values.summary import Summarized, Summary


class TrialState(StrEnum):
    """The state of a trial."""

    WAITING = "WAITING"  # it was suggested; nothing has been trained yet
    RUNNING = "RUNNING"  # a worker trains it, up to `epochs_granted`
    PAUSED = "PAUSED"  # it reached its rung and may be promoted
    COMPLETE = "COMPLETE"  # it was trained to the end
    STOPPED = "STOPPED"  # it will not be promoted: other trials were better
    INFEASIBLE = "INFEASIBLE"  # it violates a constraint; no epoch was trained
    FAILED = "FAILED"  # it cannot be built or trained; `error` says why


class Rung(JsonModel):
    """A rung that a trial reached.

    Attributes:
        epochs: Epochs trained so far.
        values: Values of the objectives; of a metric, the best so far. With several executions,
            their means.
        int8: Accuracy of the int8 network; with several executions, of the network that is kept.
            None if it was not measured.
        by_execution: The values of each execution; empty for a trial that is trained once.
    """

    epochs: int
    values: tuple[float, ...]
    int8: Int8Accuracy | None = None
    by_execution: tuple[tuple[float, ...], ...] = ()

    @property
    def spread(self) -> tuple[float, ...]:
        """The standard deviation of each value among the executions; empty with fewer than two.

        Example:
            >>> rung = Rung(epochs=9, values=(0.8,), by_execution=((0.7,), (0.8,), (0.9,)))
            >>> [round(deviation, 6) for deviation in rung.spread]
            [0.1]
        """
        if len(self.by_execution) < 2:
            return ()
        return tuple(_deviation(values) for values in zip(*self.by_execution, strict=True))


def _deviation(values: tuple[float, ...]) -> float:
    """Return the standard deviation of a sample; NaN where a value is."""
    if min(values) == max(values):
        return 0.0  # without the error of rounding
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


class Execution(JsonModel):
    """One of several trainings of a trial, which differ in their seeds.

    Attributes:
        run: Id of its run.
        seed: Random seed of its training.
        rung: The rung that it has reached, from 0; -1: none yet.
        result: What it had reached there; None: nothing yet.
        epochs: Epochs trained so far.
        seconds: Training time in seconds.
        is_over: Whether it would train no further even if its trial was promoted.
    """

    run: RecordId
    seed: int
    rung: int = -1
    result: Rung | None = None
    epochs: int = 0
    seconds: float = 0.0
    is_over: bool = False


class InfeasibleReason(JsonModel):
    """A reason why a trial is infeasible.

    Attributes:
        rule: What the trial violates, without its own value, for example "parameters < 1000 is
            violated". Trials with the same rule are counted together.
        text: The whole reason, for example "parameters < 1000 is violated: 1,234".
        quantity: The cost that exceeds its limit, such as parameters; "operator" if the board
            cannot run a layer; "" if the hyperparameters contradict each other, or for a reason
            that an earlier version recorded.
        value: The value of the cost, in its unit; None if there is none.
        limit: The limit, in the unit of the cost; None if there is none, or it is unknown.
    """

    rule: str
    text: str
    quantity: str = ""
    value: float | None = None
    limit: float | None = None

    @classmethod
    def exceeded(
        cls, rule: str, quantity: str, value: float, limit: float | None
    ) -> InfeasibleReason:
        """Return the reason of a trial with a cost beyond its limit."""
        text = f"{rule}: {_cost_text(value)}"
        return cls(rule=rule, text=text, quantity=quantity, value=value, limit=limit)


def _cost_text(value: float) -> str:
    is_whole = float(value).is_integer() or abs(value) >= 1000
    return f"{value:,.0f}" if is_whole else f"{value:.4g}"


class TrialRecord(Summarized, JsonModel):
    """A trial. A prompt shows its state, what it reached and its hyperparameters.

    Attributes:
        number: Its number from 0, in the order of the suggestions.
        state: Its state.
        values: The suggested hyperparameters that are active.
        more_values: Hyperparameters that appeared while it was built or trained, at their defaults.
        more_hyperparameters: Those of `more_values` that its study does not search, with all values
            that they could have.
        unused: Names of suggested hyperparameters that its model function never asked for.
        run: Id of its run; with several executions, of the best one so far, whose network is kept.
            None if nothing was trained, or eyetune did not train it.
        bracket: Bracket of the scheduler.
        rung: The rung that it was last promoted to, from 0.
        epochs_granted: Epochs that each of its executions may train in total so far.
        epochs: Epochs trained so far; with several executions, by the one that got furthest.
        is_over: Whether it would train no further even if it was promoted: it reached its last
            epoch, or stopped early.
        rungs: The rungs that it reached, in order.
        partial: What it had reached when it was ended between two rungs; None: it was not.
        network: Costs of its network that are known before training: parameters, macs,
            flash_bytes, latency_ms with the latency_error_ms of its prediction, ...
        infeasible_reasons: Why it is infeasible; empty if it is not.
        error: Why it failed, with the traceback of a user's function, for a FAILED trial.
        seconds: Training time in seconds, of all its executions.
        sampler_state: State that the sampler stores with it.
        final_seconds: Time limit of the study's final training in seconds; 0 for other trials.
        executions: Its trainings with different seeds; empty for a trial that is trained once.
        retries: Times that it was trained or built again after an error.
        lost_epochs: Epochs of trainings that failed and were repeated.
    """

    number: int
    state: TrialState
    values: dict[str, Value]
    more_values: dict[str, Value] = Field(default_factory=dict)
    more_hyperparameters: tuple[Distribution, ...] = ()
    unused: tuple[str, ...] = ()
    run: RecordId | None = None
    bracket: int = 0
    rung: int = 0
    epochs_granted: int = 0
    epochs: int = 0
    is_over: bool = False
    rungs: tuple[Rung, ...] = ()
    partial: Rung | None = None
    network: dict[str, float] = Field(default_factory=dict)
    infeasible_reasons: tuple[InfeasibleReason, ...] = ()
    error: str = ""
    seconds: float = 0.0
    sampler_state: dict[str, Any] = Field(default_factory=dict)
    final_seconds: float = 0.0
    executions: tuple[Execution, ...] = ()
    retries: int = 0
    lost_epochs: int = 0

    @field_serializer("more_hyperparameters")
    def _write_whole(self, entries: tuple[Distribution, ...]) -> list[dict[str, Any]]:
        """Write defaults too, such as the kind of a hyperparameter, by which it is read."""
        return [entry.model_dump(mode="json") for entry in entries]

    @model_validator(mode="before")
    @classmethod
    def _read_earlier_reasons(cls, values: Any) -> Any:
        """Read the reasons of earlier versions: `infeasible`, a list of texts, "rule: value"."""
        if not isinstance(values, Mapping) or "infeasible" not in values:
            return values
        values = dict(values)
        texts = values.pop("infeasible")
        reasons = [InfeasibleReason(rule=text.partition(":")[0], text=text) for text in texts]
        return {**values, "infeasible_reasons": reasons}

    @property
    def headline(self) -> str:
        """What it is, and the outcome, in one line."""
        parts = [self.state, self._result_text, self.settings_text]
        return f"trial {self.number}: {', '.join(filter(None, parts))}"

    @property
    def summary(self) -> Summary:
        """What a notebook shows below the headline."""
        rows = {"result": self._result_text, "run": self.run or ""}
        rows = {name: text for name, text in rows.items() if text}
        rows |= {name: setting_text(value) for name, value in self.all_values.items()}
        costs = with_current_names(self.network)
        rows |= {name: _cost_text(value) for name, value in costs.items()}
        return Summary(rows, sentences=tuple(filter(None, (*self.infeasible, self.error))))

    @property
    def _result_text(self) -> str:
        if self.result is None:
            return ""
        values = " and ".join(f"{value:.4g}" for value in self.result.values)
        return f"{values} after {count_text(self.result.epochs, 'epoch')}"

    @property
    def infeasible(self) -> tuple[str, ...]:
        """The reasons why it is infeasible, as text; empty if it is not."""
        return tuple(reason.text for reason in self.infeasible_reasons)

    @property
    def all_values(self) -> dict[str, Value]:
        """All hyperparameters that it was built and trained with."""
        return {**self.values, **self.more_values}

    @property
    def settings_text(self) -> str:
        """All hyperparameters that it was built and trained with, in one line."""
        return ", ".join(f"{name}={setting_text(value)}" for name, value in self.all_values.items())

    @property
    def used_values(self) -> dict[str, Value]:
        """The hyperparameters that its network depends on."""
        return {name: value for name, value in self.all_values.items() if name not in self.unused}

    @property
    def objectives(self) -> tuple[float, ...] | None:
        """The values of the objectives so far; None if it has reached nothing yet."""
        return None if self.result is None else self.result.values

    @property
    def result(self) -> Rung | None:
        """What it has reached so far; None if that is nothing yet."""
        if self.partial is not None:
            return self.partial
        return self.rungs[-1] if self.rungs else None

    @property
    def runs(self) -> tuple[str, ...]:
        """The ids of the runs of all its executions, without those that failed and were repeated.

        Example:
            >>> TrialRecord(number=0, state=TrialState.RUNNING, values={}, run="5f3a").runs
            ('5f3a',)
        """
        if self.executions:
            return tuple(execution.run for execution in self.executions)
        return (self.run,) if self.run is not None else ()

    @property
    def unfinished_runs(self) -> tuple[str, ...]:
        """The ids of the runs that would train further if it was promoted."""
        over = {execution.run for execution in self.executions if execution.is_over}
        return tuple(run for run in self.runs if run not in over)

    @property
    def pending_runs(self) -> tuple[str, ...]:
        """The ids of the runs that are still to be trained up to `epochs_granted`."""
        if self.state is not TrialState.RUNNING:
            return ()
        done = {execution.run for execution in self.executions if execution.rung >= self.rung}
        return tuple(run for run in self.unfinished_runs if run not in done)

    @property
    def epochs_trained(self) -> int:
        """The epochs of all its executions together, and of those that failed."""
        trained = self.epochs
        if self.executions:
            trained = sum(execution.epochs for execution in self.executions)
        return trained + self.lost_epochs

    def epochs_of(self, run: str) -> int:
        """Return the epochs that one of its runs has trained so far."""
        by_run = {execution.run: execution.epochs for execution in self.executions}
        return by_run.get(run, self.epochs)

    @property
    def int8(self) -> Int8Accuracy | None:
        """The accuracy of its int8 network at its last rung; None if it was not measured."""
        return self.rungs[-1].int8 if self.rungs else None

    @property
    def is_final(self) -> bool:
        """Whether it is the study's final training."""
        return self.final_seconds > 0

    @property
    def is_open(self) -> bool:
        """Whether it may be trained further."""
        return self.state in (TrialState.WAITING, TrialState.RUNNING, TrialState.PAUSED)

    def with_(self, **changes: Any) -> TrialRecord:
        """Return a copy with some values changed."""
        return self.model_copy(update=changes)
