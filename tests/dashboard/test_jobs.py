"""Trainings that the dashboard starts."""

from __future__ import annotations

from pathlib import Path

from eyetune.dashboard.jobs import start_training
from eyetune.recipe import Recipe
from eyetune.records import Workspace


def test_error_of_a_training_is_kept(workspace: Path, tmp_path: Path) -> None:
    missing = tmp_path / "no-such-folder"
    recipe = Recipe().with_({"data.source": str(missing)})
    job = start_training(Workspace(workspace), recipe, "", seed=0)
    assert job.process.wait(timeout=120) != 0
    assert not job.is_running
    assert str(missing) in job.error
    assert Workspace(workspace).runs.all() == []
