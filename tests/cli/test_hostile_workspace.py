"""Commands on a workspace from someone else: ids lead nowhere, and names control nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from eyetune.api.run import Run
from eyetune.errors import UsageError
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.records.run import RunFailure
from eyetune.testing.labs import fabricated_lab
from tests.cli.conftest import Terminal
from tests.records.fabricate import DATA, NETWORK, SEED, add_run, make_epoch, make_results
from tests.records.test_hostile_workspace import HOSTILE, is_untouched, set_column
from tests.records.test_study_store import add_study


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """Return a folder beside the workspace, with a file that must survive."""
    folder = tmp_path / "victim"
    folder.mkdir()
    (folder / "precious.txt").write_text("mine")
    return folder


@pytest.mark.parametrize("state", ["RUNNING", "COMPLETE"])
@pytest.mark.parametrize(
    "command",
    [
        ["runs"],
        ["show", HOSTILE],
        ["runs", "delete", HOSTILE, "--purge", "--yes"],
        ["runs", "delete", "--filter", "seed=7", "--purge", "--yes"],
        ["evaluate", HOSTILE],
        ["plot", HOSTILE],
    ],
)
def test_hostile_run_id_is_refused(
    eyetune: Terminal, workspace: Path, victim: Path, state: str, command: list[str]
) -> None:
    add_run(Workspace(workspace))
    set_column(workspace, "runs", "state", state)
    set_column(workspace, "runs", "id", HOSTILE)
    error = eyetune.error(*command)
    assert error["type"] in ("WorkspaceError", "RunNotFoundError")
    assert is_untouched(victim)


@pytest.mark.parametrize(
    "command",
    [
        ["studies"],
        ["study", HOSTILE],
        ["studies", "delete", HOSTILE, "--purge", "--runs", "--yes"],
        ["tune", "--resume", "--name", HOSTILE],
    ],
)
def test_hostile_study_id_is_refused(
    eyetune: Terminal, workspace: Path, victim: Path, command: list[str]
) -> None:
    add_study(Workspace(workspace))
    set_column(workspace, "studies", "id", HOSTILE)
    error = eyetune.error(*command)
    assert error["type"] in ("WorkspaceError", "StudyNotFoundError")
    assert is_untouched(victim)


NAME = "a[/]b [red]$x$\x1b[31m\x07\x9b2J\u202egpj\u2066\nc :cat:"
ACTING = set("\x1b\x07\x9b\u202e\u2066\r")


@pytest.fixture
def hostile(records: Workspace) -> RunRecord:
    """Return a run whose names and notes would act on a terminal, with predictions."""
    classes = (NAME, "b[/]")
    data = dataclasses.replace(DATA, name=NAME, class_names=classes, notes=(NAME,))
    layer = dataclasses.replace(NETWORK.layers[0], name=NAME, kind=NAME, settings=NAME)
    network = dataclasses.replace(NETWORK, layers=(layer,))
    run = records.runs.create(
        recipe=add_run(records).recipe,
        data=data,
        network=network,
        seed=SEED,
        precision="float32",
        name=NAME,
        versions={NAME: NAME},
        callbacks=(NAME,),
    )
    records.runs.save_epochs(run.id, [make_epoch(1), make_epoch(2)])
    records.runs.set_state(run.id, RunState.COMPLETE, results=make_results())
    probabilities = np.array([[0.25, 0.75], [0.75, 0.25], [0.5, 0.5]], np.float32)
    for split in ("validation", "test"):
        records.predictions.save(run.id, split, probabilities, np.array([0, 1, 1]))
    return records.runs.get(run.id)


@pytest.mark.parametrize(
    "command",
    [
        ["runs"], ["show"], ["evaluate", "--split", "validation"], ["runs", "delete"],
        ["runs", "delete", "--purge", "--yes"], ["evaluate", "--split", "other"],
    ],
)  # fmt: skip
def test_names_do_not_act_on_the_terminal(
    eyetune: Terminal, hostile: RunRecord, command: list[str]
) -> None:
    reference = [] if command == ["runs"] else [hostile.id]
    status = eyetune(*command, *reference)
    assert status == (2 if "other" in command else 0), eyetune.errors
    assert not ACTING & set(eyetune.output + eyetune.errors)
    if command[0] != "evaluate":
        assert "a[/]b" in eyetune.output
        assert "\nc" not in eyetune.output


def test_error_of_a_run_does_not_act_on_the_terminal(eyetune: Terminal, records: Workspace) -> None:
    run = add_run(records, name=NAME)
    records.runs.set_state(run.id, RunState.FAILED, error=NAME, failure=RunFailure.OTHER)
    for command in (["show", run.id], ["plot", run.id], ["show", NAME + "?"]):
        eyetune(*command)
        assert not ACTING & set(eyetune.output + eyetune.errors)


def test_names_of_studies_do_not_act_on_the_terminal(eyetune: Terminal, records: Workspace) -> None:
    study = add_study(records, NAME)
    for command in (["studies"], ["study", study.id], ["studies", "delete", NAME, "--yes"]):
        assert eyetune(*command) == 0, eyetune.errors
        assert not ACTING & set(eyetune.output + eyetune.errors)
        assert "a[/]b" in eyetune.output


def test_names_of_labs_do_not_act_on_the_terminal(eyetune: Terminal, records: Workspace) -> None:
    lab = fabricated_lab(3, lab_id="lab-1")
    final = lab.final.model_copy(update={"label": NAME})
    records.labs.save(lab.model_copy(update={"data": NAME, "answer": NAME, "final": final}))
    for command in (["labs"], ["labs", "delete", "lab-1"]):
        assert eyetune(*command) == 0, eyetune.errors
        assert not ACTING & set(eyetune.output + eyetune.errors)


def test_json_keeps_names_exactly(eyetune: Terminal, hostile: RunRecord) -> None:
    shown = eyetune.json("show", hostile.id)
    assert (shown["name"], shown["data"]["class_names"][0]) == (NAME, NAME)


def test_page_of_a_lab_shows_hostile_names(eyetune: Terminal, records: Workspace) -> None:
    lab = fabricated_lab(3, lab_id="lab-1")
    script = f"<hostile>{NAME}</hostile>"
    baseline = lab.baseline.model_copy(update={"label": script})
    records.labs.save(lab.model_copy(update={"data": script, "baseline": baseline}))
    assert eyetune("report", "lab-1") == 0, eyetune.errors
    page = Path(eyetune.output.strip()).read_text(encoding="utf-8")
    assert not ACTING & set(page)
    assert "<hostile>" not in page
    assert "&lt;hostile&gt;" in page


def test_numbers_that_json_lacks_are_null(eyetune: Terminal, records: Workspace) -> None:
    run = add_run(records)
    results = dataclasses.replace(make_results(), validation_loss=float("inf"))
    records.runs.set_state(run.id, RunState.COMPLETE, results=results)
    assert eyetune.json("show", run.id)["validation_loss"] is None


def test_infinite_metrics_of_epochs_are_shown(eyetune: Terminal, records: Workspace) -> None:
    run = add_run(records)
    for number, accuracy in ((1, float("inf")), (2, 0.5), (3, float("-inf"))):
        records.runs.save_epochs(run.id, [make_epoch(number, accuracy)])
    assert eyetune("show", run.id) == 0, eyetune.errors


def test_run_that_lacks_metrics_of_an_epoch_has_no_verdict(
    hostile: RunRecord, records: Workspace
) -> None:
    assert Run(records, hostile).has_verdict
    records.runs.save_epochs(hostile.id, [dataclasses.replace(make_epoch(1), val_accuracy=None)])
    damaged = Run(records, hostile)
    assert not damaged.has_verdict
    with pytest.raises(UsageError):
        _ = damaged.verdict
