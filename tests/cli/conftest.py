"""A terminal that runs commands in this process and keeps what they print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eyetune.api.run import Run
from eyetune.cli.main import run
from eyetune.records import Workspace

SMALL = ("--set", "model.blocks=[4]", "--set", "model.dense=[8]", "--batch-size", "16")


class Terminal:
    """Runs commands and keeps what they print."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd
        self.output = ""
        self.errors = ""

    def __call__(self, *arguments: str | Path) -> int:
        """Run a command and return its exit status."""
        status = run([str(argument) for argument in arguments])
        self.output, self.errors = self._capfd.readouterr()
        return status

    def json(self, *arguments: str | Path) -> Any:
        """Run a command that must succeed, and return its JSON object."""
        assert self(*arguments, "--json") == 0, self.errors
        return json.loads(self.output)

    def error(self, *arguments: str | Path) -> dict[str, Any]:
        """Run a command that must fail, and return its status and the fields of its error."""
        status = self(*arguments, "--json")
        assert status != 0
        fields: dict[str, Any] = json.loads(self.output)["error"]
        return {"status": status, **fields}


@pytest.fixture
def eyetune(capfd: pytest.CaptureFixture[str]) -> Terminal:
    """Return the command `eyetune`."""
    return Terminal(capfd)


@pytest.fixture
def records(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Return the workspace of a test, whose lists have the default width."""
    monkeypatch.delenv("COLUMNS", raising=False)
    return Workspace(workspace)


@pytest.fixture
def at(trained: Run) -> list[str]:
    """Return the arguments that name the workspace of the shared run `trained`."""
    return ["--workspace", str(trained.workspace.folder)]
