"""The runs that a table shows: filtered, sorted, with or without those of labs and studies."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyetune.dashboard.rows import choose_runs, epoch_row, run_row, trial_row
from eyetune.errors import UsageError
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, Workspace
from eyetune.testing.studies import fabricated_space, fabricated_study
from eyetune.values.history import Epoch
from tests.records.fabricate import add_complete_run


@pytest.fixture
def runs(workspace: Path) -> list[RunRecord]:
    records = Workspace(workspace)
    add_complete_run(records, 0.5, name="first")
    add_complete_run(records, 0.9, name="best", recipe=Recipe().with_({"optimizer.name": "sgd"}))
    add_complete_run(records, 0.7, name="of-a-lab", lab_id="3f2a77b0")
    return records.runs.all()


def names(runs: list[RunRecord]) -> list[str]:
    return [run.name for run in runs]


def test_newest_run_comes_first(runs: list[RunRecord]) -> None:
    chosen = choose_runs(runs, "", "", descending=False, with_trials=True)
    assert names(chosen) == ["of-a-lab", "best", "first"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["best", "first"]),
        ("BEST", ["best"]),
        ("validation_accuracy>0.6", ["best"]),
        ("optimizer.name=sgd best", ["best"]),
        ("tiny", ["best", "first"]),
        ("validation_accuracy>0.95", []),
        ("nothing", []),
    ],
)
def test_filter_has_words_and_conditions(
    runs: list[RunRecord], text: str, expected: list[str]
) -> None:
    assert names(choose_runs(runs, text, "", descending=False, with_trials=False)) == expected


def test_sort_by_a_figure(runs: list[RunRecord]) -> None:
    sort = "validation_accuracy"
    chosen = choose_runs(runs, "", sort, descending=True, with_trials=True)
    assert names(chosen) == ["best", "of-a-lab", "first"]
    chosen = choose_runs(runs, "", sort, descending=False, with_trials=True)
    assert names(chosen) == ["first", "of-a-lab", "best"]


def test_unreadable_condition_is_refused(runs: list[RunRecord]) -> None:
    with pytest.raises(UsageError):
        choose_runs(runs, "no_such_field>1", "", descending=False, with_trials=False)


def test_rows_show_hostile_names_in_one_line(runs: list[RunRecord]) -> None:
    from dataclasses import replace

    row = run_row(replace(runs[0], name="a\n\x1b[2Jb"))
    assert row["label"] == r"a\n\x1b[2Jb"


def test_row_of_a_trial_has_its_results_and_values() -> None:
    study = fabricated_study(5, space=fabricated_space(7))
    trial = next(trial for trial in study.trials if trial.objectives)
    row = trial_row(study.record, trial)
    objective = study.record.settings.objectives[0]
    assert row[f"objective {objective.name}"]
    assert {f"value {name}" for name in trial.all_values} <= set(row)
    assert row["value batch_norm"] == ("true" if trial.all_values["batch_norm"] else "false")


def test_epoch_has_what_it_measures() -> None:
    epoch = Epoch(3, 0.51234, None, None, 0.9, 0.001, 2.0, 900.0, {"val_auc": 0.25, "epoch": 9.0})
    assert epoch_row(epoch) == {
        "epoch": 3,
        "loss": "0.5123",
        "val_accuracy": "90.0%",
        "learning_rate": "0.001",
        "duration_seconds": "2",
        "images_per_second": "900",
        "val_auc": "0.25",
    }
