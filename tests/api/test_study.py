from __future__ import annotations

from pathlib import Path

from eyetune.api.study import Study, open_study
from eyetune.records import Workspace
from eyetune.testing.studies import fabricated_study


def study_in(folder: Path, *, final_training: bool) -> Study:
    fabricated_study(4, failing=0, final_training=final_training, workspace=Workspace(folder))
    return open_study("first", workspace=folder)


def test_timeline_is_saved_with_a_final_training(workspace: Path) -> None:
    study = study_in(workspace, final_training=True)
    _, rows = study.plot_timeline().axes
    assert rows.get_yticklabels()[-1].get_text() == "final training"
    assert "timeline.png" in [path.name for path in study.save_plots()]
    assert "timeline" in study.report().read_text()


def test_timeline_without_a_final_training_is_not_saved(workspace: Path) -> None:
    study = study_in(workspace, final_training=False)
    _, rows = study.plot_timeline().axes
    assert len(rows.get_yticklabels()) == 4
    assert "timeline.png" not in [path.name for path in study.save_plots()]


def test_timeline_leaves_out_purged_runs(workspace: Path) -> None:
    study = study_in(workspace, final_training=False)
    purged = [trial.run or "" for trial in study.trials]
    for run in purged:
        study.workspace.runs.delete(run)
        study.workspace.runs.purge(run)
    assert study.workspace.runs.starts(purged) == {}
    assert not any(axes.has_data() for axes in study.plot_timeline().axes)


def test_importances_leave_out_the_final_training(workspace: Path) -> None:
    study = study_in(workspace, final_training=True)
    whole = Study(study.workspace, study.record)
    searched = Study(study.workspace, study.record)
    trials = tuple(trial for trial in study.trials if not trial.is_final)
    searched.__dict__["trials"] = trials  # the cached property
    assert len(trials) == len(whole.trials) - 1
    assert whole.importances == searched.importances
