"""What may be asked of a study, and what is refused at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eyetune.api.study import Study, open_study
from eyetune.errors import SpaceError, UsageError
from eyetune.records import Workspace
from eyetune.records.requests import RequestKind
from eyetune.records.study import StudyState
from eyetune.testing.studies import fabricated_study


@pytest.fixture
def study(workspace: Path) -> Study:
    """Return a study that is paused."""
    records = Workspace(workspace)
    fabricated_study(12, name="first", workspace=records)
    record = records.studies.find("first")
    records.studies.save(record.model_copy(update={"state": StudyState.PAUSED}))
    return open_study("first", workspace=workspace)


def kinds(study: Study) -> list[RequestKind]:
    return [request.kind for request in study.workspace.requests.pending(study.record.id)]


def test_values_by_hand_are_completed(study: Study) -> None:
    values = study.enqueue_trial({"learning_rate": 0.00123})
    assert values["learning_rate"] == 0.00123
    assert study.record.space.contains(values)
    (request,) = study.workspace.requests.pending(study.record.id)
    assert dict(request.hyperparameters) == values
    with pytest.raises(UsageError, match="already"):
        study.enqueue_trial({"learning_rate": 0.00123})


@pytest.mark.parametrize(
    "values", [{"learning_rat": 0.1}, {"learning_rate": 7}, {"activation": "none"}]
)
def test_values_outside_the_space_are_refused(study: Study, values: dict[str, Any]) -> None:
    with pytest.raises(SpaceError):
        study.enqueue_trial(values)
    assert kinds(study) == []


def test_values_that_have_no_effect_are_refused(study: Study) -> None:
    conditional = next(each for each in study.record.space.distributions if each.conditions)
    (condition,) = conditional.conditions
    parent = study.record.space[condition.parent]
    off = next(value for value in parent.grid() or () if value not in condition.values)
    with pytest.raises(SpaceError, match="no effect"):
        study.enqueue_trial({parent.name: off, conditional.name: conditional.default})


def test_values_that_were_tried_are_refused(study: Study) -> None:
    tried = study.trials[3]
    with pytest.raises(UsageError, match="trial 3"):
        study.enqueue_trial(tried.values)


def test_complete_study_takes_no_trial(study: Study) -> None:
    complete = study.record.model_copy(update={"state": StudyState.COMPLETE})
    with pytest.raises(UsageError, match="complete"):
        Study(study.workspace, complete).enqueue_trial({"learning_rate": 0.00123})


def test_only_a_running_study_is_paused_or_stopped(study: Study) -> None:
    for ask in (study.pause, study.stop):
        with pytest.raises(UsageError, match="not running"):
            ask()
    running = Study(study.workspace, study.record.model_copy(update={"state": StudyState.RUNNING}))
    for _ in range(2):
        running.pause()
        running.stop()
    assert kinds(study) == [RequestKind.PAUSE, RequestKind.STOP]


def test_study_of_another_engine_is_refused(study: Study) -> None:
    settings = study.record.settings.model_copy(update={"engine": "keras-tuner"})
    other = Study(study.workspace, study.record.model_copy(update={"settings": settings}))
    with pytest.raises(UsageError, match="own search"):
        other.enqueue_trial({"learning_rate": 0.00123})
