"""Commands that the dashboard starts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eyetune.dashboard import jobs
from eyetune.dashboard.jobs import MAX_JOBS, Job, Jobs
from eyetune.errors import UsageError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.testing.studies import fabricated_study


def test_error_of_a_training_is_kept(workspace: Path, tmp_path: Path) -> None:
    missing = tmp_path / "no-such-folder"
    recipe = Recipe().with_({"data.source": str(missing)})
    job = Jobs(Workspace(workspace)).train(recipe, "", seed=0)
    assert job.process.wait(timeout=120) != 0
    assert not job.is_running
    assert str(missing) in job.error
    assert job.last_line
    assert Workspace(workspace).runs.all() == []


def test_number_of_commands_is_limited(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []

    def start(_: Workspace, name: str, arguments: Any, log_path: Path) -> Job:
        process: Any = SimpleNamespace(poll=lambda: 0 if ended else None, returncode=0)
        return Job(name, process, log_path)

    monkeypatch.setattr(jobs, "_start", start)
    started = Jobs(Workspace(workspace))
    study = fabricated_study(2).record
    with pytest.raises(UsageError, match="address"):
        settings = study.settings.model_copy(update={"executor": "ray://elsewhere:10001"})
        started.resume_study(study.model_copy(update={"settings": settings}))
    for number in range(MAX_JOBS):
        started.train(Recipe(), f"run {number}", seed=0)
        with pytest.raises(UsageError):
            started.train(Recipe(), f"run {number}", seed=0)
    with pytest.raises(UsageError, match="running"):
        started.check_data("digits")
    assert started.find_check("digits") is None
    ended.append(True)
    check = started.check_data("digits")
    assert check.error == ""
    started.resume_study(study.model_copy(update={"name": "digits"}))  # as a source
    assert started.find_check("digits") is check
