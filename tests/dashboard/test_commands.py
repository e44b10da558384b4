"""Commands in processes of their own: what they import, and when they end."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import psutil
import pytest

from eyetune.dashboard import commands
from eyetune.dashboard.commands import json_of
from eyetune.dashboard.jobs import Jobs
from eyetune.records import Workspace

SOURCE = Path(commands.__file__).parent


@pytest.fixture
def hostile_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working directory with a module that takes the name of one that eyetune imports."""
    (tmp_path / "cyclopts.py").write_text("open('imported', 'w')\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_modules_in_the_working_directory_are_not_imported(hostile_folder: Path) -> None:
    workspace = Workspace(hostile_folder / "workspace")
    assert asyncio.run(json_of("boards", workspace=workspace.folder))["boards"]
    job = Jobs(workspace).check_data("missing")
    job.process.wait(60)
    assert not (hostile_folder / "imported").exists()


def test_command_ends_with_the_page_that_waits_for_it(tmp_path: Path) -> None:
    before = set(psutil.Process().children())  # of other tests

    def running() -> list[psutil.Process]:
        new = set(psutil.Process().children()) - before
        return [child for child in new if child.status() != psutil.STATUS_ZOMBIE]

    async def leave() -> None:
        waiting = asyncio.create_task(json_of("boards", workspace=tmp_path))
        while not running():
            await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.sleep(0.2)

    asyncio.run(leave())
    assert running() == []


def test_texts_are_never_parsed_as_attributes() -> None:
    """NiceGUI reads `.props("...")` as attributes, some of them scripts: see `described`."""
    calls = [
        (path.name, call)
        for path in SOURCE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "props"
    ]
    assert len(calls) > 20
    for name, call in calls:
        assert all(isinstance(text, ast.Constant) for text in call.args), (name, call.lineno)
