"""Commands in processes of their own: what they import, and when they end."""

from __future__ import annotations

import asyncio
import re
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
    async def leave() -> None:
        waiting = asyncio.create_task(json_of("boards", workspace=tmp_path))
        while not psutil.Process().children():
            await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.sleep(0.2)

    asyncio.run(leave())
    assert not [child for child in psutil.Process().children() if child.status() != "zombie"]


def test_texts_are_never_parsed_as_attributes() -> None:
    """NiceGUI reads `.props("...")` as attributes, some of them scripts: see `described`."""
    for path in SOURCE.rglob("*.py"):
        found = re.findall(r"\.props\(\s*f[\"']", path.read_text(encoding="utf-8"))
        assert not found, path
