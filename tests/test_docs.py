"""What the documents say is true: their examples run, their commands parse, the files that they name exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from eyetune.cli.main import app

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SOURCE = ROOT / "src" / "eyetune"


def commands() -> list[str]:
    """Every `eyetune ...` in backticks or in an indented block, of all documents."""
    found: list[str] = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        found += re.findall(r"`(eyetune [^`]+)`", text) + re.findall(r"^    (?:\$ )?(eyetune .+)$", text, re.M)
    return sorted({command for command in found if "..." not in command})


@pytest.mark.parametrize("command", commands())
def test_every_command_in_the_documents_parses(command: str) -> None:
    words = shlex.split(command.partition(" > ")[0].partition("  #")[0])[1:]
    if set(words) & {"--help", "--version"}:
        return
    app.parse_args(words, exit_on_error=False, print_error=False)


def test_the_readmes_example_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    assert len(example.strip().splitlines()) <= 10
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)
    assert names["baseline"].validation_accuracy > names["slower"].validation_accuracy > 0.2
    assert names["baseline"].test_accuracy > 0.9
    assert names["baseline"].verdict.level != "chance"
    assert (tmp_path / "curves.png").stat().st_size > 10_000


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (path.parent / target).exists(), target


def test_the_map_names_every_module_and_no_other() -> None:
    named = set(re.findall(r"\b(\w+\.py)\b", (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")))
    modules = {path.name for path in SOURCE.rglob("*.py") if "migrations" not in path.parts}
    assert named == modules - {"__init__.py", "__main__.py"}
