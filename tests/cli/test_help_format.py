"""The help of every command: groups, defaults, and examples that are never wrapped."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from cyclopts import App

from eyetune.cli.main import app
from eyetune.recipe import Recipe
from tests.cli.conftest import Terminal

GROUPS = ["Look at data", "Train and compare", "Search", "Bring a network to a board"]
HEAVY = ("keras", "tensorflow", "matplotlib", "numpy", "pydantic", "sqlalchemy", "optuna", "PIL")


def commands(parent: App = app, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield each command as the arguments that name it, the root included."""
    yield path
    for name in parent:
        if not name.startswith("-"):
            yield from commands(parent[name], (*path, name))


COMMANDS = [" ".join(command) for command in commands()]


def help_lines(eyetune: Terminal, command: str) -> list[str]:
    assert eyetune(*command.split(), "--help") == 0
    return eyetune.output.splitlines()


def section(lines: list[str], title: str) -> list[str]:
    """Return the indented lines below a title."""
    rows = []
    for line in lines[lines.index(title) + 1 :]:
        if not line:
            break
        rows.append(line)
    return rows


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_80_columns(eyetune: Terminal, command: str) -> None:
    lines = help_lines(eyetune, command)
    assert lines[0].startswith(f"Usage: eyetune {command}".rstrip())
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_begins_with_a_summary_of_one_line(eyetune: Terminal, command: str) -> None:
    lines = help_lines(eyetune, command)
    assert lines[2].endswith(".") or not command
    assert command == "" or lines[3] == ""


def test_root_help_groups_commands_in_the_order_of_use(eyetune: Terminal) -> None:
    lines = help_lines(eyetune, "")
    titles = [line for line in lines if line in (*GROUPS, "List and clean up")]
    assert titles == [*GROUPS, "List and clean up"]
    assert section(lines, "Train and compare")[0].split()[0] == "train"


def test_root_help_gives_each_command_one_line(eyetune: Terminal) -> None:
    lines = help_lines(eyetune, "")
    names = [line.split()[0] for line in lines if line.startswith("  ")]
    assert {name for name in app if not name.startswith("-")} <= set(names)


def examples(command: str) -> list[str]:
    """Return the examples in the docstring of a command."""
    target = app
    for name in command.split():
        target = target[name]
    text = inspect.cleandoc(target.help or "")
    return [line.strip() for line in text.splitlines() if line.startswith("    eyetune ")]


@pytest.mark.parametrize("command", [command for command in COMMANDS if examples(command)])
def test_examples_are_never_wrapped(
    eyetune: Terminal, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = help_lines(eyetune, command)
    for example in examples(command):
        assert f"  {example}" in lines


def test_every_command_that_runs_has_an_example() -> None:
    parents = ["", "data", "import", "studies", "runs", "labs"]
    without = [name for name in COMMANDS if name not in parents and not examples(name)]
    assert without == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--data", Recipe().data.source),
        ("--learning-rate", str(Recipe().optimizer.learning_rate)),
        ("--optimizer", Recipe().optimizer.name),
        ("--batch-size", str(Recipe().fit.batch_size)),
        ("--epochs", str(Recipe().fit.epochs)),
        ("--activation", Recipe().model.activation),
        ("--precision", Recipe().fit.precision),
        ("--image-size", str(Recipe().data.image_size)),
    ],
)
def test_recipe_options_show_their_defaults(eyetune: Terminal, option: str, value: str) -> None:
    text = " ".join(section(help_lines(eyetune, "train"), "Recipe options"))
    (entry,) = re.findall(rf" {option} .*?(?=  --|$)", re.sub(r"\s+(?!--)", " ", text))
    assert f"[default: {value}]" in entry


@pytest.mark.parametrize("command", ["tune", "lab", "deploy"])
def test_recipe_options_are_compact_and_last(eyetune: Terminal, command: str) -> None:
    lines = help_lines(eyetune, command)
    titles = [line for line in lines if re.fullmatch(r"[A-Z][\w :]+", line)]
    assert titles[-2:] == ["Recipe options", "Options of every command"]
    assert len(titles) > 2
    rows = section(lines, "Recipe options")
    assert "eyetune train --help" in rows[0]
    assert all(row.startswith("  --") for row in rows[1:])


def test_hidden_aliases_are_not_shown(eyetune: Terminal) -> None:
    text = "\n".join(help_lines(eyetune, "evaluate"))
    assert "--tta" in text
    assert "--flips" not in text


def test_output_names_its_kind_in_every_command(eyetune: Terminal) -> None:
    kinds = {}
    for command in COMMANDS:
        text = "\n".join(help_lines(eyetune, command))
        if match := re.search(r"--output ([A-Z]+)", text):
            kinds[command] = match[1]
    assert set(kinds.values()) == {"FOLDER", "FILE"}
    assert {command for command, kind in kinds.items() if kind == "FILE"} == {
        "data check",
        "data show",
        "predict",
        "report",
    }


def test_root_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from eyetune.cli.main import run; run(['--help']); "
        f"print('imported:', *[name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1].strip() == "imported:"
