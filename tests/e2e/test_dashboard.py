"""`eyetune serve` as a process: what it serves, what it refuses, and how it ends."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from eyetune.api.run import Run
from eyetune.records import Workspace
from eyetune.records.study import StudyState
from eyetune.testing.labs import fabricated_lab
from eyetune.testing.studies import fabricated_study
from tests.e2e.commands import started

HOSTILE = "<img src=x onerror=alert(1)>"


@contextmanager
def dashboard(folder: Path, log: Path) -> Iterator[str]:
    """Serve a workspace in the block, and yield the address; Ctrl-C must end it without an error.

    Args:
        folder: The workspace.
        log: A file for what it prints.
    """
    with (
        log.open("w") as errors,
        started(
            "serve", "--port=0", "--no-browser", "--workspace", folder, errors=errors
        ) as process,
    ):
        while "To end it" not in (printed := log.read_text()):
            assert process.poll() is None, printed
            time.sleep(0.05)
        yield re.findall(r"http://[^/]+", printed)[0]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def workspace_folder(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with a run, a study and a lab."""
    records = Workspace(tmp_path_factory.mktemp("dashboard") / "workspace")
    records.prepare()
    run = records.runs.create(
        recipe=trained.recipe,
        data=trained.record.data,
        network=trained.record.network,
        seed=0,
        precision="float32",
        name=HOSTILE,
    )
    records.runs.save_epochs(run.id, trained.history)
    records.labs.save(fabricated_lab(6))
    fabricated_study(12, name="search", workspace=records)
    return records.folder


@pytest.fixture(scope="module")
def home(workspace_folder: Path) -> Iterator[str]:
    """Return the address of a dashboard of this workspace."""
    with dashboard(workspace_folder, workspace_folder.parent / "log") as address:
        yield address


def test_pages_are_served(home: str) -> None:
    for path in ("/", "/studies", "/studies/search", "/labs", "/labs/lab-1"):
        answer = httpx.get(home + path, timeout=60)
        assert answer.status_code == 200, path
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    for path in ("/runs/nothing", "/studies/nothing", "/labs/nothing", "/no/such/page"):
        assert httpx.get(home + path, timeout=60).status_code == 404, path


def test_json_is_that_of_the_command_line(home: str, workspace_folder: Path) -> None:
    records = Workspace(workspace_folder)
    listed = httpx.get(f"{home}/api/runs", params={"trials": True, "limit": 5}, timeout=60).json()
    newest = records.runs.all()[::-1]
    assert listed["total"] == len(newest)
    assert [run["run"] for run in listed["runs"]] == [run.id for run in newest[:5]]
    (study,) = httpx.get(f"{home}/api/studies", timeout=60).json()["studies"]
    assert (study["name"], study["trials"]) == ("search", 12)
    trials = httpx.get(f"{home}/api/studies/search/trials", timeout=60).json()
    assert len(trials["trials"]) == trials["total"] == 12
    shown = httpx.get(f"{home}/api/runs/{newest[-1].id}", timeout=60).json()
    assert shown["name"] == HOSTILE
    missing = httpx.get(f"{home}/api/runs/nothing", timeout=60)
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "RunNotFoundError")
    wrong = httpx.get(f"{home}/api/runs", params={"where": "epochs>x"}, timeout=60)
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (400, "UsageError")


def test_changes_are_made_by_programs(home: str, workspace_folder: Path) -> None:
    records = Workspace(workspace_folder)
    run = records.runs.find(HOSTILE)

    def post(path: str, **body: Any) -> httpx.Response:
        return httpx.post(f"{home}/api{path}", json=body, timeout=60)

    answer = post(f"/runs/{run.id}/annotation", note="new lamp", tags=["lamp"])
    assert answer.json() == {"run": run.id, "note": "new lamp", "tags": ["lamp"]}
    assert post(f"/runs/{run.id}/annotation", tags=["two words"]).status_code == 400
    assert post(f"/runs/{run.id}/annotation", color="red").status_code == 422
    study = records.studies.find("search")
    assert post("/studies/search/pause").status_code == 400  # it is complete
    records.studies.save(study.model_copy(update={"state": StudyState.PAUSED}))
    enqueued = post("/studies/search/trials", values={"learning_rate": 0.00123})
    assert (enqueued.status_code, enqueued.json()["enqueued"]["learning_rate"]) == (202, 0.00123)
    records.studies.save(study)
    assert post("/runs", recipe="[fit]\nepochs = 0").status_code == 400
    assert post(f"/runs/{run.id}/trash").json() == {"deleted": [run.id]}
    records.runs.restore(run.id)


def test_files_of_a_run_are_sent_and_no_others(home: str, workspace_folder: Path) -> None:
    run = Workspace(workspace_folder).runs.find(HOSTILE)
    recipe = httpx.get(f"{home}/runs/{run.id}/files/recipe.toml", timeout=60)
    assert recipe.status_code == 200
    assert b"[model]" in recipe.content
    for name in ("model.keras", "lock", "..%2f..%2feyetune.sqlite", "%2e%2e/eyetune.sqlite"):
        assert httpx.get(f"{home}/runs/{run.id}/files/{name}", timeout=60).status_code == 404


def test_other_sites_are_refused(home: str) -> None:
    assert httpx.get(home, headers={"host": "evil.example"}, timeout=60).status_code == 403
    foreign = {"origin": "http://evil.example"}
    assert httpx.post(f"{home}/api/runs", headers=foreign, timeout=60).status_code == 403


def test_damaged_database_is_explained(tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "eyetune.sqlite").write_bytes(b"no database" * 100)
    with dashboard(folder, tmp_path / "log") as address:
        answer = httpx.get(address, timeout=60)
        assert answer.status_code == 500
        assert "eyetune doctor" in answer.text
        assert httpx.get(f"{address}/api/runs", timeout=60).status_code == 400
