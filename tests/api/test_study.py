from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eyetune.api.study import Study, open_study
from eyetune.errors import UsageError
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


def test_study_shows_each_execution(workspace: Path) -> None:
    fabricated_study(6, failing=0, executions=3, workspace=Workspace(workspace))
    study = open_study("first", workspace=workspace)
    best = study.best_trial
    runs = [study.run(best, execution) for execution in range(3)]
    assert [run.record.seed for run in runs] == [0, 1, 2]
    assert study.run().id == best.run
    accuracies = [max(epoch.value("val_accuracy") for epoch in run.history) for run in runs]
    assert study.run().id == runs[accuracies.index(max(accuracies))].id
    assert study.best_value == pytest.approx(sum(accuracies) / 3)
    with pytest.raises(UsageError):
        study.run(best, 3)
    row = study.to_dataframe().loc[best.number]
    assert row["val_accuracy"] == study.best_value
    assert row["val_accuracy_spread"] == pytest.approx(float(np.std(accuracies, ddof=1)))
    epochs = sum(len(history) for history in study.histories.values())
    assert study.to_json()["epochs_trained"] == epochs == 3 * sum(t.epochs for t in study.trials)
    _, rows = study.plot_timeline().axes
    assert len(rows.get_yticklabels()) == 6


def test_hyperparameters_do_not_replace_columns_of_the_table(workspace: Path) -> None:
    study = study_in(workspace, final_training=False)
    first, *others = study.trials
    named = first.with_(values={"epochs": 7, "units": 8})
    study.workspace.studies.save_trials(study.record.id, [named])
    table = open_study(study.name, workspace=workspace).to_dataframe()
    assert table.loc[first.number, "epochs"] == first.epochs
    assert table.loc[first.number, "hyperparameter epochs"] == 7
    assert "trial" in table
    assert len(table) == 1 + len(others)


def test_figures_are_drawn_again_only_after_a_change(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []

    def save_plots(study: Study) -> None:
        drawn.append(study.name)
        (study.folder / "plots").mkdir(exist_ok=True)

    monkeypatch.setattr(Study, "save_plots", save_plots)
    monkeypatch.setattr(Study, "report", lambda study: (study.folder / "report.html").touch())
    study = study_in(workspace, final_training=False)
    paths = study.draw()
    assert all(path.exists() for path in paths)
    assert open_study("first", workspace=workspace).draw() == paths
    assert drawn == ["first"]
    trial = study.trials[0].with_(seconds=99.0)
    study.workspace.studies.save_trials(study.record.id, [trial])
    open_study("first", workspace=workspace).draw()
    assert drawn == ["first"] * 2
    paths[0].unlink()
    open_study("first", workspace=workspace).draw()
    assert drawn == ["first"] * 3
