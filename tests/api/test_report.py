"""Reports about a lab, about runs, or about the latest of them."""

from __future__ import annotations

import html
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
    return Run(workspace, workspace.runs.get(record.id))


@pytest.fixture
def workspace(workspace: Path) -> Workspace:
    return Workspace(workspace)


def test_report_is_about_the_latest_lab_or_run(workspace: Workspace) -> None:
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


def test_report_finds_runs_and_labs_by_reference(workspace: Workspace, tmp_path: Path) -> None:
    run = add_run(workspace, name="mine")
    workspace.labs.save(fabricated_lab(3))
    path = tmp_path / "report.html"
    references: list[str | Run] = ["mine", run.id[:6], run]
    for reference in references:
        assert et.write_report(reference, output=path).runs[0].id == run.id
    assert "Run mine" in path.read_text()
    written = et.write_report("lab", output=str(tmp_path / "lab.html"))
    assert written.path == tmp_path / "lab.html"


def test_report_refuses_a_lab_together_with_a_run(workspace: Workspace) -> None:
    add_run(workspace, name="mine")
    workspace.labs.save(fabricated_lab(3))
    with pytest.raises(UsageError) as caught:
        et.write_report("mine", "lab-1")
    assert caught.value.fix == "eyetune report lab-1"


def test_report_refuses_unknown_and_ambiguous_references(workspace: Workspace) -> None:
    for index in range(2):
        add_run(workspace, name="same")
        workspace.labs.save(fabricated_lab(3, lab_id=f"lab-{index}"))
    with pytest.raises(LabNotFoundError) as unknown:
        et.write_report("other")
    assert not unknown.value.is_ambiguous
    with pytest.raises(RunNotFoundError) as several_runs:
        et.write_report("same")
    assert several_runs.value.is_ambiguous
    with pytest.raises(LabNotFoundError) as several_labs:
        et.write_report("lab-")
    assert several_labs.value.is_ambiguous


def test_report_of_an_empty_workspace_says_how_to_begin(workspace: Workspace) -> None:
    with pytest.raises(LabNotFoundError) as caught:
        et.write_report()
    assert "eyetune train" in (caught.value.fix or "")
    assert not workspace.folder.exists()


def test_report_of_a_run_has_its_verdict_and_pictures(trained: Run, tmp_path: Path) -> None:
    path = et.write_report(trained, output=tmp_path / "run.html").path
    page = html.unescape(path.read_text(encoding="utf-8"))
    assert page.count("<svg") == 4  # curves, network, confusion, mistakes
    for text in (trained.verdict.text, f"{trained.test_accuracy:.2%}", "airplane"):
        assert text in page
    assert "<mark>epochs = 3</mark>" in page
    assert f"eyetune train {trained.id} --seed 0" in page
    assert 'id="comparison"' not in page


def test_report_of_several_runs_compares_them(workspace: Workspace) -> None:
    first = add_run(workspace, name="first", right=20)
    second = add_run(workspace, name="second", rate=0.01, right=36)
    written = et.write_report("first", "second", "first")
    page = written.path.read_text(encoding="utf-8")
    assert written.path.name == f"{first.id}-{second.id}.html"
    for text in ("+40.00", "better", "50.00%", "90.00%", "optimizer.learning_rate=0.01"):
        assert text in page
    # Curves, forest, and of each run the network and the confusion matrix. The images are gone.
    assert page.count("<svg") == 6


def test_report_of_incomparable_runs_has_no_comparison(workspace: Workspace) -> None:
    first = add_run(workspace, name="first")
    other = add_run(workspace, name="second", rate=0.01, data=replace(DATA, fingerprint="other"))
    page = et.write_report(first, other).path.read_text(encoding="utf-8")
    assert page.count("<svg") == 5


def test_report_of_a_failed_run_escapes_its_error(workspace: Workspace) -> None:
    add_run(workspace, name=EVIL, complete=False)
    page = et.write_report().path.read_text(encoding="utf-8")
    assert page.count("<script") == 1
    assert "It went wrong &lt;script&gt;" in page


def test_report_escapes_names_of_runs_and_classes(workspace: Workspace) -> None:
    add_run(workspace, name=EVIL, right=20)
    add_run(workspace, rate=0.01, name=f"{EVIL}2", right=30)
    page = et.write_report(EVIL, f"{EVIL}2").path.read_text(encoding="utf-8")
    assert page.count("<script") == 1
    assert "&lt;script&gt;alert(&#34;x&#34;)" in page
