"""`eyetune.lab`: what it refuses before any training; and `Lab`, a recorded one."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eyetune as et
from eyetune.api.lab import QUICK_VALUES, Lab
from eyetune.errors import DataError, EyetuneError, LabNotFoundError, RecipeError, UsageError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.lab import LabRecord
from eyetune.techniques.lab.plan import LabPlan
from eyetune.testing.datasets import tiny_dataset, tiny_images
from eyetune.testing.labs import fabricated_lab
from tests.tracking.studies import Recorder


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"techniques": ["flipp"]}, UsageError),
        ({"techniques": ["shift=many"]}, RecipeError),
        ({"techniques": ["learning-rate=-1"]}, RecipeError),
        ({"techniques": ["warm-up=5"], "recipe": Recipe().with_(fit__epochs=3)}, RecipeError),
        ({"seeds": 0}, UsageError),
        ({"final_seeds": 0}, UsageError),
        ({"workers": 0}, UsageError),
        ({"seconds": float("nan")}, UsageError),
        ({"recipe": "digits"}, UsageError),
        ({"data": tiny_dataset()}, UsageError),
        ({"data": "nowhere/at/all.npz"}, EyetuneError),
    ],
    ids=lambda part: "-".join(part) if isinstance(part, dict) else "",
)
def test_lab_refuses_bad_arguments_before_training(
    arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        et.lab(**{"data": "digits", "progress": False, **arguments})
    assert Workspace().runs.all() == []


def test_lab_refuses_data_without_test_images_before_training(tmp_path: Path) -> None:
    images, labels = tiny_images(60, 3, size=8)
    path = tmp_path / "no-test.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=images[:0], y_test=labels[:0])
    with pytest.raises(DataError, match="test images"):
        et.lab(data=str(path), progress=False)
    assert Workspace().runs.all() == []


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        (Recipe(), QUICK_VALUES),
        (
            Recipe().with_({"fit.epochs": 3, "data.subset": 500}),
            {"fit.epochs": 3, "data.subset": 500},
        ),
        (Recipe.from_toml(Recipe().to_toml()), QUICK_VALUES),  # a file that holds every value
    ],
    ids=["default", "values set", "file"],
)
def test_quick_keeps_the_values_that_a_recipe_sets(
    recipe: Recipe, expected: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[LabPlan] = []

    def keep_plan(plan: LabPlan, *_: object) -> None:
        plans.append(plan)
        raise KeyboardInterrupt

    monkeypatch.setattr("eyetune.techniques.lab.run_lab.run_lab", keep_plan)
    with pytest.raises(KeyboardInterrupt):
        et.lab(recipe, "digits", quick=True, progress=False)
    values = plans[0].baseline.values()
    assert {path: values[path] for path in expected} == expected


def save_lab(folder: Path, num_effects: int) -> Lab:
    workspace = Workspace(folder)
    workspace.labs.save(fabricated_lab(num_effects, seeds=(0,), workspace=workspace))
    return et.open_lab(workspace=folder)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return save_lab(tmp_path_factory.mktemp("lab"), 12)


def test_open_lab_finds_a_lab_by_id_or_as_the_latest(lab: Lab) -> None:
    assert et.open_lab("lab", workspace=lab.workspace).record == lab.record
    assert (lab.id, lab.answer) == ("lab-1", lab.record.answer)
    assert lab.test_accuracy == lab.record.final.test_accuracy
    with pytest.raises(LabNotFoundError):
        et.open_lab("other", workspace=lab.workspace)


def test_lab_has_the_histories_of_all_compared_runs(lab: Lab) -> None:
    assert set(lab.histories) == {run for row in lab.record.leaderboard for run in row.runs}
    (run,) = lab.record.baseline.runs
    last = lab.histories[run][-1]
    assert last.val_accuracy == pytest.approx(lab.record.baseline.validation_accuracy, abs=0.01)


def test_to_json_names_the_report_once_it_is_written(lab: Lab, tmp_path: Path) -> None:
    value = lab.to_json()
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert (value["test_accuracy"], value["report"]) == (lab.test_accuracy, None)
    assert lab.report(tmp_path / "elsewhere.html") == tmp_path / "elsewhere.html"
    assert lab.to_json()["report"] is None
    path = lab.report()
    assert path == lab.folder / "report.html"
    assert lab.to_json()["report"] == str(path)


def test_report_holds_the_answer_and_all_pictures(lab: Lab, tmp_path: Path) -> None:
    page = html.unescape(lab.report(tmp_path / "report.html").read_text(encoding="utf-8"))
    assert lab.answer in page
    assert et.techniques.find("learning-rate").why in page
    assert page.count("<svg") == 6


def test_report_is_written_though_its_runs_were_purged(workspace: Path) -> None:
    lab = save_lab(workspace, 1)
    for run in lab.histories:
        lab.workspace.runs.purge(run)
    reopened = et.open_lab()
    assert set(reopened.histories.values()) == {()}
    assert "<svg" in reopened.report().read_text(encoding="utf-8")


def test_save_plots_writes_all_pictures_into_the_folder(lab: Lab) -> None:
    paths = lab.save_plots()
    assert {path.parent for path in paths} == {lab.folder / "plots"}
    assert {path.stem for path in paths} == {"effects", "curves", "cost", "steps", "interactions"}
    assert {path.suffix for path in paths} == {".png", ".svg"}


def test_plot_cost_accepts_the_earlier_name_of_macs(lab: Lab) -> None:
    earlier: Any = "multiply_adds"
    labels = {lab.plot_cost(by=name).axes[0].get_xlabel() for name in (earlier, "macs")}
    assert len(labels) == 1
    unknown: Any = "money"
    with pytest.raises(UsageError):
        lab.plot_cost(by=unknown)


def test_lab_shows_its_answer_and_a_picture_in_a_notebook(lab: Lab) -> None:
    shown = html.unescape(lab._repr_html_())
    assert lab.answer in shown
    (picture,) = re.findall(r"base64,([^\"]+)", shown)
    assert base64.b64decode(picture).startswith(b"\x89PNG")
    assert "<html" not in shown
    assert lab.id in repr(lab)


def test_lab_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, recorder = Workspace(), Recorder()

    def run_lab(_: LabPlan, __: object, ___: object, on_begin: Callable[[], None]) -> LabRecord:
        on_begin()
        return fabricated_lab(2, seeds=(0,), workspace=workspace)

    monkeypatch.setattr("eyetune.techniques.lab.run_lab.run_lab", run_lab)
    options: dict[str, Any] = {"workspace": workspace, "progress": False}
    lab = et.lab(data="digits", quick=True, trackers=[recorder], **options)
    ((begun, end),) = recorder.of("end")
    assert (begun.kind, end.state) == ("lab", "COMPLETE")
    assert "report.html" in end.files
    assert begun.parameters["data"] == "digits"
    assert {item.id for item, _ in recorder.of("catch_up")} == lab.record.run_ids


@pytest.mark.parametrize(("num_rare", "is_uneven"), [(20, True), (40, False)])
def test_lab_balances_classes_that_differ_by_a_factor_of_two(
    num_rare: int, is_uneven: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[LabPlan] = []

    def run_lab(plan: LabPlan, workspace: Workspace, *_: object) -> LabRecord:
        plans.append(plan)
        return fabricated_lab(2, seeds=(0,), workspace=workspace)

    monkeypatch.setattr("eyetune.techniques.lab.run_lab.run_lab", run_lab)
    monkeypatch.setattr(Lab, "save_plots", lambda _: [])
    monkeypatch.setattr(Lab, "report", lambda _: Path())
    images, _ = tiny_images(60 + num_rare, 2, size=8)
    path = tmp_path / "photos.npz"
    np.savez(path, x_train=images, y_train=np.repeat([0, 1], [60, num_rare]))
    et.lab(data=path, workspace=tmp_path / "workspace", progress=False)
    et.lab(data=path, techniques="flip", workspace=tmp_path / "workspace", progress=False)
    names = {choice.technique.name for choice in plans[0].choices}
    assert ({"class-weight", "balanced-sampling"} <= names) is is_uneven
    assert [plan.balanced for plan in plans] == [is_uneven, is_uneven]
    assert [choice.label for choice in plans[1].choices] == ["flip=true"]
