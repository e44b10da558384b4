"""Commands that run in the test process, which has loaded Keras already."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eyetune.cli.main import run

Show = Callable[..., Any]
Refuse = Callable[..., str]


@pytest.fixture
def show(capfd: pytest.CaptureFixture[str]) -> Show:
    """Return a function that runs a command, which must succeed, and returns its JSON object."""

    def run_here(*arguments: str | Path) -> Any:
        status = run([*map(str, arguments), "--json"])
        output, errors = capfd.readouterr()
        assert status == 0, errors
        return json.loads(output)

    return run_here


@pytest.fixture
def refuse(capfd: pytest.CaptureFixture[str]) -> Refuse:
    """Return a function that runs a command, which must fail, and returns its message."""

    def run_here(*arguments: str | Path, status: int = 2) -> str:
        assert run([*map(str, arguments)]) == status
        return capfd.readouterr().err

    return run_here
