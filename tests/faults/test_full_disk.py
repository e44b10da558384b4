"""A disk that is full from any write on: an error that says so, and nothing recorded is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eyetune.records import Workspace
from tests.faults.commands import HERE, PICTURES, ROOT, SMALL, runs_outline
from tests.faults.conftest import BUDGET
from tests.faults.shim import build_shim
from tests.faults.test_kills import group

# Of each command; 0: one for each write.
NUM_ATTEMPTS = {
    "small": {"train": 4, "tune": 4},
    "full": {"train": 0, "tune": 0, "export": 24},
}[BUDGET]
NUM_PARTS = {"small": 1, "full": 2}[BUDGET]  # that are tested at the same time


@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("name", "part"),
    [
        pytest.param(name, part, marks=group(f"{name} disk {part}"))
        for name in NUM_ATTEMPTS
        for part in range(NUM_PARTS)
    ],
)
def test_full_disk_at_each_write_loses_nothing(
    name: str, part: int, archive: Path, tmp_path: Path
) -> None:
    shim = build_shim(tmp_path)
    folder = tmp_path / "workspaces"
    folder.mkdir()
    attempts = run_attempts(name, part, archive, folder, shim)
    enough, *others = attempts
    assert enough["status"] == 0, enough["errors"]
    num_attempts = NUM_ATTEMPTS[name] or enough["num_writes"]
    assert len(others) == len(range(part, num_attempts, NUM_PARTS))
    expected = outline(folder / "0")
    assert len(expected[1]) == (name == "export")
    for attempt in others:
        what = f"full from write {attempt['write']} on: {attempt['errors']}"
        assert not attempt["is_odd"], what
        assert attempt["continued"]["status"] == 0, f"{what}\n{attempt['continued']['errors']}"
        assert outline(folder / str(attempt["write"])) == expected, what


def outline(workspace: Path) -> tuple[list[Any], list[bytes]]:
    """Return the complete runs of a workspace, and the int8 networks of its exports."""
    work = workspace.parent / f"{workspace.name}-work"
    if not work.exists():
        work.mkdir()
        (work / "workspace").symlink_to(workspace)
    assert Workspace(work / "workspace").exists
    runs = [row for row in runs_outline(work) if row[2] == "COMPLETE"]
    return runs, [path.read_bytes() for path in workspace.glob("exports/*/model.tflite")]


def run_attempts(
    name: str, part: int, archive: Path, folder: Path, shim: Path
) -> list[dict[str, Any]]:
    """Run a command with a disk that is full from each of its writes on, or each of a part."""
    space = folder.parent / "space.toml"
    space.write_text('["optimizer.learning_rate"]\nvalues = [1e-3, 3e-3]\n')
    options = ["--data", str(archive), *SMALL, "--epochs", "2", "--name", "disk"]
    train, export = ["train", *options], ["export", "disk"]
    search = ["--space", str(space), "--workers", "0", "--sampler", "grid"]
    commands = {
        "train": {"begin": train, "continue": ["train", "--resume", "latest"], "table": "runs"},
        "tune": {
            "begin": ["tune", *options, *search],
            "continue": ["tune", "--resume", "--name", "disk", "--workers", "0"],
            "table": "studies",
        },
        "export": {"prepare": train, "begin": export, "continue": export, "table": "runs"},
    }[name]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(HERE / "injection"), str(ROOT / "src"), str(ROOT)]),
        "EYETUNE_FAULTS": json.dumps({"skip": PICTURES}),
        "LD_PRELOAD": str(shim),
        "EYETUNE_SHIM_FOLDER": str(folder),
    }
    counts = map(str, (NUM_ATTEMPTS[name], part, NUM_PARTS))
    arguments = [str(folder), *counts, json.dumps(commands)]
    done = subprocess.run(
        [sys.executable, HERE / "disk_driver.py", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
