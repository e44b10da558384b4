"""Reports by what a user names: a lab, runs, or nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import eyetune as et
from eyetune.api.run import Run
from eyetune.errors import LabNotFoundError, RunNotFoundError, UsageError
from eyetune.recipe import Recipe
from eyetune.records import RunState, Workspace
from eyetune.records.run import DataRecord, Results
from eyetune.testing.labs import fabricated_history, fabricated_lab
from eyetune.values.network import Layer, Network

EVIL = """<script>alert("x")</script>"""
NETWORK = Network((8, 8, 3), (Layer("dense", "Dense", "relu", (2,), 386, 384, 2),), 386)
DATA = DataRecord("tiny", "/nowhere", "abc", ("cat", EVIL), (8, 8, 3), 60, 40, 40, ("a note",))


def add_run(
    workspace: Workspace,
    *,
    name: str = "",
    rate: float = 0.001,
    right: int = 30,
    complete: bool = True,
    data: DataRecord = DATA,
) -> Run:
    recipe = Recipe().with_({"data.source": "/nowhere", "optimizer.learning_rate": rate})
    record = workspace.runs.create(
        recipe=recipe, data=data, network=NETWORK, seed=0, precision="float32", name=name
    )
    for epoch in fabricated_history(2, right / 40):
        workspace.runs.save_epochs(record.id, [epoch])
    labels = np.arange(40) % 2
    predicted = np.where(np.arange(40) < right, labels, 1 - labels)
    if complete:
        for split in ("validation", "test"):
            workspace.predictions.save(
                record.id, split, np.eye(2, dtype=np.float32)[predicted], labels
            )
        results = Results(2, 1.0, right / 40, 1.0, right / 40, 0.5)
        workspace.runs.set_state(record.id, RunState.COMPLETE, results=results)
    else:
        workspace.runs.set_state(record.id, RunState.FAILED, error=f"It went wrong {EVIL}")
    run: Run = et.open_run(record.id, workspace=workspace)
    return run


@pytest.fixture
def workspace(workspace: Path) -> Workspace:
    return Workspace(workspace)


def test_without_words_the_latest_lab_is_reported_or_else_the_latest_run(
    workspace: Workspace,
) -> None:
    add_run(workspace)
    newest = add_run(workspace)
    written = et.write_report()
    assert (written.lab, [run.id for run in written.runs]) == (None, [newest.id])
    assert written.path == workspace.folder / "reports" / f"{newest.id}.html"
    workspace.labs.save(fabricated_lab(3))
    written = et.write_report()
    assert written.lab is not None
    assert (written.lab.id, written.runs) == ("lab-1", ())
    assert written.path == workspace.labs.folder("lab-1") / "report.html"


def test_runs_and_labs_are_told_apart_by_their_ids(workspace: Workspace, tmp_path: Path) -> None:
    run = add_run(workspace, name="mine")
    workspace.labs.save(fabricated_lab(3))
    for words in (["mine"], [run.id[:6]], [run]):
        assert et.write_report(*words, output=tmp_path / "one.html").runs[0].id == run.id
    assert et.write_report("lab", output=str(tmp_path / "two.html")).path == tmp_path / "two.html"
    assert "Run mine" in (tmp_path / "one.html").read_text()
    with pytest.raises(LabNotFoundError, match="No lab and no run matches 'other'"):
        et.write_report("other")
    with pytest.raises(UsageError, match="report of its own") as caught:
        et.write_report("mine", "lab-1")
    assert caught.value.fix == "eyetune report lab-1"


def test_what_several_match_is_told(workspace: Workspace) -> None:
    for _ in range(2):
        add_run(workspace, name="same")
        workspace.labs.save(fabricated_lab(3, lab_id=f"lab-{_}"))
    with pytest.raises(RunNotFoundError, match="Several runs match same"):
        et.write_report("same")
    with pytest.raises(LabNotFoundError, match="Several labs match lab-"):
        et.write_report("lab-")


def test_where_nothing_was_run_one_is_told_how_to_begin(workspace: Workspace) -> None:
    with pytest.raises(LabNotFoundError) as caught:
        et.write_report()
    assert "eyetune train" in (caught.value.fix or "")
    assert not workspace.folder.exists()


def test_a_report_of_one_run_has_its_verdict_pictures_recipe_and_commands(
    trained: Run, tmp_path: Path
) -> None:
    path = et.write_report(trained, output=tmp_path / "run.html").path
    page = path.read_text(encoding="utf-8")
    assert page.count("<svg") == 4  # curves, network, confusion, mistakes
    for words in (
        trained.verdict.text[:40],
        f"{trained.test_accuracy:.2%}",
        "airplane",
    ):
        assert words in page
    assert "<mark>epochs = 3</mark>" in page
    assert f"eyetune train {trained.id} --seed 0" in page
    assert "Comparison" not in page


def test_a_report_of_several_runs_compares_them(workspace: Workspace) -> None:
    first, second = (
        add_run(workspace, name="first", right=20),
        add_run(workspace, name="second", rate=0.01, right=36),
    )
    written = et.write_report("first", "second", "first")
    page = written.path.read_text(encoding="utf-8")
    assert written.path.name == f"{first.id}-{second.id}.html"
    for words in (
        "first (baseline)",
        "+40.00",
        "better",
        "50.00%",
        "90.00%",
        "optimizer.learning_rate=0.01",
    ):
        assert words in page
    assert page.count("<svg") == 6  # curves, forest, and of each run network and confusion
    assert page.count("images cannot be read any more") == 2


def test_runs_that_cannot_be_compared_are_reported_without(workspace: Workspace) -> None:
    first = add_run(workspace, name="first")
    other = add_run(workspace, name="second", rate=0.01, data=replace(DATA, fingerprint="other"))
    page = et.write_report(first, other).path.read_text(encoding="utf-8")
    assert "validated on different images" in page
    assert page.count("<svg") == 5


def test_a_run_that_failed_is_reported_with_its_error_escaped(workspace: Workspace) -> None:
    add_run(workspace, name=EVIL, complete=False)
    page = et.write_report().path.read_text(encoding="utf-8")
    assert page.count("<script") == 1
    assert "FAILED after 2 of 10 epochs" in page
    assert "It went wrong &lt;script&gt;" in page


def test_names_of_runs_and_classes_are_escaped(workspace: Workspace) -> None:
    add_run(workspace, name=EVIL, right=20)
    add_run(workspace, rate=0.01, name=f"{EVIL}2", right=30)
    page = et.write_report(EVIL, f"{EVIL}2").path.read_text(encoding="utf-8")
    assert page.count("<script") == 1
    assert "Differences from &lt;script&gt;alert(&#34;x&#34;)" in page
