"""Requests to a study that another process is running: pause, stop, or try values by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eyetune.errors import SpaceError, UsageError, nearest
from eyetune.records import Workspace
from eyetune.records.requests import RequestKind
from eyetune.records.study import StudyRecord, StudyState
from eyetune.records.trial import TrialRecord
from eyetune.space.hyperparameters import Choice, Range, Value
from eyetune.space.space import Space, describe


def request_pause(workspace: Workspace, study: StudyRecord) -> None:
    """Ask a running study to pause, as Ctrl-C does: it can be resumed.

    Raises:
        UsageError: It is not running, or eyetune does not run it.
    """
    _request_of_running(workspace, study, RequestKind.PAUSE)


def request_stop(workspace: Workspace, study: StudyRecord) -> None:
    """Ask a running study to end with the results so far; its best network is saved.

    Raises:
        UsageError: It is not running, or eyetune does not run it.
    """
    _request_of_running(workspace, study, RequestKind.STOP)


def request_trial(
    workspace: Workspace,
    study: StudyRecord,
    values: Mapping[str, Any],
    trials: Sequence[TrialRecord],
) -> dict[str, Value]:
    """Ask a study to try values next, before its sampler suggests others.

    Args:
        workspace: Workspace of the study.
        study: A study that is not complete.
        values: Values of its hyperparameters; what is missing has its default.
        trials: The trials of the study.

    Returns:
        The values of all hyperparameters that are active.

    Raises:
        SpaceError: A name or a value is not in the study's space.
        UsageError: The study is complete, has tried these values, or eyetune does not run it.
    """
    _check_engine(study)
    if study.state is StudyState.COMPLETE:
        raise UsageError(
            f"Study {study.name} is complete.",
            expected="a study that is running or paused",
            fix=f"Resume it with a larger budget: eyetune tune --resume --name {study.name} "
            f"--trials {len(trials) + 10}",
        )
    complete = _checked(study.space, values)
    key = study.space.key(complete)
    same = next((trial for trial in trials if study.space.key(trial.values) == key), None)
    if same is not None:
        raise UsageError(
            f"Study {study.name} has tried these values: trial {same.number}.",
            received=", ".join(f"{name}={value}" for name, value in complete.items()),
        )
    waiting = workspace.requests.pending(study.id)
    if any(study.space.key(request.hyperparameters) == key for request in waiting):
        raise UsageError(f"Study {study.name} will try these values already.")
    workspace.requests.add(study.id, RequestKind.TRIAL, complete)
    return complete


def _request_of_running(workspace: Workspace, study: StudyRecord, kind: RequestKind) -> None:
    _check_engine(study)
    if study.state is not StudyState.RUNNING:
        state = study.state.lower()
        raise UsageError(
            f"Study {study.name} is not running: it is {state}.",
            fix=f"To resume it: eyetune tune --resume --name {study.name}",
        )
    if all(request.kind is not kind for request in workspace.requests.pending(study.id)):
        workspace.requests.add(study.id, kind)


def _check_engine(study: StudyRecord) -> None:
    if study.settings.engine != "eyetune":
        raise UsageError(
            f"Study {study.name} is not run by eyetune's own search.",
            expected="a study of eyetune tune",
            received=study.settings.engine,
            fix="Control it in the script that runs it.",
        )


def _checked(space: Space, values: Mapping[str, Any]) -> dict[str, Value]:
    """Return values of all active hyperparameters.

    Raises:
        SpaceError: A name or a value is not in the space.
    """
    for name in values:
        if name not in space.names:
            raise SpaceError(
                f"The study does not search {name}.",
                expected=f"one of {', '.join(space.names)}",
                received=name,
                fix=nearest(name, space.names),
            )
    typed = {name: _typed(space[name], value) for name, value in values.items()}
    complete = space.complete(typed)
    idle = [name for name in typed if name not in complete]
    if idle:
        raise SpaceError(
            f"With these values, {idle[0]} has no effect.",
            received=", ".join(f"{name}={value}" for name, value in typed.items()),
            fix=f"Leave {idle[0]} out, or change what it depends on.",
        )
    for name, value in complete.items():
        if not space[name].contains(value):
            raise SpaceError(
                f"{name} cannot have this value in the study.",
                expected=describe(space[name]),
                received=str(value),
            )
    return complete


def _typed(distribution: Choice | Range, value: Any) -> Any:
    """Return a whole number as the floating-point number that a continuous range has."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(distribution, Range) and not distribution.whole and is_number:
        return float(value)
    return value
