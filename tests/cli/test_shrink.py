"""`eyetune shrink`: its options, output, exit status and errors."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import eyetune as et
from eyetune.api import shrink as api
from tests.cli.conftest import Terminal


def test_shrink_prints_steps_and_result(eyetune: Terminal, trained: et.Run, tmp_path: Path) -> None:
    workspace = tmp_path / "copy"
    shutil.copytree(trained.workspace.folder, workspace)
    options = ["--to", "8k", "--name", "small", "--epochs", "1", "--workspace", str(workspace)]
    value = eyetune.json("shrink", "trained", *options)
    assert value["name"] == "small"
    (step,) = value["shrink"]["steps"]
    assert step["after"]["flash_bytes"] <= 8_000 < step["before"]["flash_bytes"]
    assert "Step 1 of 1" in eyetune.errors


def test_shrink_shows_costs_and_limits(eyetune: Terminal, trained: et.Run, tmp_path: Path) -> None:
    workspace = tmp_path / "copy"
    shutil.copytree(trained.workspace.folder, workspace)
    options = ["--to", "8k", "--epochs", "1", "--workspace", str(workspace)]
    assert eyetune("shrink", "trained", *options) == 0
    (record,) = et.Workspace(workspace).shrinks.all()
    (step,) = record.steps
    before, now = (f"{costs['flash_bytes']:,.0f}" for costs in (step.before, step.after))
    rows = [line.split() for line in eyetune.output.splitlines()]
    assert any({before, now, "8,000"} <= set(row) for row in rows)
    assert step.validation_accuracy is not None
    shares = (trained.validation_accuracy, step.validation_accuracy)
    assert any({f"{share:.2%}" for share in shares} <= set(row) for row in rows)


def test_shrink_says_how_to_continue(eyetune: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "shrink", interrupted)
    assert eyetune("shrink", "large", "--to", "8k") == 130


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["camera", "--resume", "small"],
        ["--resume", "small", "--macs", "6M"],
        ["camera", "--to", "large"],
        ["camera"],
    ],
)
def test_shrink_refuses_wrong_arguments(eyetune: Terminal, arguments: list[str]) -> None:
    assert eyetune("shrink", *arguments) == 2
