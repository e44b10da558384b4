"""A recorded lab as Python and notebooks see it."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest

import eyetune as et
from eyetune.api.labs import Lab
from eyetune.errors import LabNotFoundError
from eyetune.records import Workspace
from eyetune.testing.labs import fabricated_lab


def make(folder: Path, num_effects: int) -> Lab:
    workspace = Workspace(folder)
    workspace.labs.save(fabricated_lab(num_effects, seeds=(0,), workspace=workspace))
    return et.open_lab(workspace=folder)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return make(tmp_path_factory.mktemp("lab"), 12)


def test_a_lab_is_opened_by_its_id_or_as_the_latest(lab: Lab) -> None:
    assert et.open_lab("lab", workspace=lab.workspace).record == lab.record
    assert (lab.id, lab.answer, lab.test_accuracy) == (
        "lab-1",
        lab.record.answer,
        lab.record.final.test_accuracy,
    )
    with pytest.raises(LabNotFoundError):
        et.open_lab("other", workspace=lab.workspace)


def test_its_histories_are_those_of_all_compared_runs(lab: Lab) -> None:
    assert set(lab.histories) == {run for one in lab.record.leaderboard for run in one.runs}
    (run,) = lab.record.baseline.runs
    assert lab.histories[run][-1].val_accuracy == pytest.approx(
        lab.record.baseline.validation_accuracy
    )


def test_its_json_is_plain_and_names_the_report_once_it_is_written(
    lab: Lab, tmp_path: Path
) -> None:
    value = lab.to_json()
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert (value["test_accuracy"], value["report"]) == (lab.test_accuracy, None)
    assert lab.report(tmp_path / "elsewhere.html") == tmp_path / "elsewhere.html"
    assert lab.to_json()["report"] is None
    path = lab.report()
    assert path == lab.folder / "report.html"
    assert lab.to_json()["report"] == str(path)
    page = path.read_text(encoding="utf-8")
    assert lab.answer in page
    assert "The learning rate is the size of the optimizer" in page  # explained by the registry
    assert page.count("<svg") == 6


def test_a_report_is_written_though_its_runs_are_gone(workspace: Path) -> None:
    lab = make(workspace, 1)
    for run in lab.histories:
        lab.workspace.runs.purge(run)
    again = et.open_lab()
    assert set(again.histories.values()) == {()}
    assert "<svg" in again.report().read_text(encoding="utf-8")


def test_its_pictures_are_saved_in_its_folder(lab: Lab) -> None:
    paths = lab.save_plots()
    assert {path.parent for path in paths} == {lab.folder / "plots"}
    assert {path.stem for path in paths} == {"effects", "curves", "cost", "steps", "interactions"}
    assert {path.suffix for path in paths} == {".png", ".svg"}


def test_a_notebook_shows_the_answer_and_a_picture(lab: Lab) -> None:
    shown = lab._repr_html_()
    assert lab.answer in shown
    (picture,) = re.findall(r"base64,([^\"]+)", shown)
    assert base64.b64decode(picture).startswith(b"\x89PNG")
    assert "<html" not in shown
    assert repr(lab).startswith("<Lab lab-1: cifar10, 12 techniques' values, combination ")
