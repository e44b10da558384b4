"""Reading the JSON files of a project that anyone may have written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eyetune.compat.keras_tuner.project_files import STATE_FILE, read_state, read_trials
from eyetune.errors import WorkspaceError
from eyetune.inputs.limits import JSON_BYTES

STATE = '{"hyperparameters": {"space": [], "values": {}}, "start_order": [], "seed": 0}'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / STATE_FILE).write_text(STATE)
    (tmp_path / "trial_0").mkdir()
    return tmp_path


@pytest.mark.timeout(20)
def test_read_trials_refuses_a_named_pipe_at_once(project: Path) -> None:
    os.mkfifo(project / "trial_0" / "trial.json")
    with pytest.raises(WorkspaceError) as caught:
        read_trials(project, read_state(project))
    assert "a named pipe" in (caught.value.received or "")


def test_read_state_names_the_limit(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(JSON_BYTES.variable, "10")
    with pytest.raises(WorkspaceError) as caught:
        read_state(project)
    assert JSON_BYTES.variable in (caught.value.fix or "")
