"""The option --trust: what it shows, what it asks, and what is refused without it."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from eyetune.cli.common import Common, RecipeFlags
from eyetune.cli.main import app
from eyetune.cli.trust_prompt import trust_option
from eyetune.errors import UntrustedFunctionError
from eyetune.models.model_function import require
from eyetune.recipe import Recipe
from eyetune.records import RunState, Workspace
from eyetune.records.run import Results
from eyetune.records.study import Budget, Objective, SchedulerSettings, StudySettings
from eyetune.testing.labs import DATA
from eyetune.testing.workspaces import SPACE
from eyetune.tuning.recording import versions
from eyetune.values.network import Layer, Network
from tests.cli.conftest import Terminal

SOURCE = "from pathlib import Path\nPath({mark!r}).touch()\nbuild_model = print\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file of someone else, which leaves a mark when it runs."""
    path = tmp_path / "model.py"
    path.write_text(SOURCE.format(mark=str(tmp_path / "it-ran")))
    return path


@pytest.fixture
def recipe(file: Path, tmp_path: Path) -> Path:
    """Return a recipe file that names it."""
    path = tmp_path / "recipe.toml"
    path.write_text(f"[model]\nfunction = '{file}'\n")
    return path


class TerminalInput(io.StringIO):
    def isatty(self) -> bool:
        return True


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr(sys, "stdin", TerminalInput(answer))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)


def test_train_refuses_the_function_of_a_recipe(
    eyetune: Terminal, recipe: Path, file: Path, archive: Path
) -> None:
    error = eyetune.error("train", recipe, "--data", archive)
    assert (error["status"], error["type"]) == (2, "UntrustedFunctionError")
    assert str(file) in error["received"]
    assert "--trust" in error["fix"]
    assert not (file.parent / "it-ran").exists()


@pytest.fixture
def theirs(recipe: Path, records: Workspace) -> Workspace:
    """Return a workspace of someone else: a run and a study whose recipe names the function."""
    names_it = Recipe.load(recipe).with_({"data.source": "digits"})
    network = Network((8, 8, 1), (Layer("dense", "Dense", "softmax", (10,), 650, 650, 10),), 650)
    run = records.runs.create(
        recipe=names_it, data=DATA, network=network, seed=0, precision="float32", name="run"
    )
    records.runs.set_state(run.id, RunState.COMPLETE, results=Results(1, 0.5, 0.5))
    settings = StudySettings(
        recipe=names_it,
        space=SPACE,
        objectives=(Objective(name="val_accuracy", direction="max"),),
        schedule=SchedulerSettings(max_epochs=1),
        budget=Budget(trials=1),
    )
    records.studies.create(
        "study", settings, data_fingerprint="0", data_name="digits", versions=versions()
    )
    return records


@pytest.mark.parametrize(
    "command",
    [
        ("export", "run"),
        ("fit-check", "run"),
        ("tune", "--resume", "--name", "study"),
    ],
    ids=lambda command: command[0],
)
@pytest.mark.usefixtures("theirs")
def test_commands_refuse_the_function_of_a_workspace(
    eyetune: Terminal, command: tuple[str, ...], file: Path
) -> None:
    error = eyetune.error(*command)
    assert (error["status"], error["type"]) == (2, "UntrustedFunctionError")
    assert not (file.parent / "it-ran").exists()


@pytest.mark.usefixtures("theirs")
def test_report_does_without_the_function(eyetune: Terminal, file: Path) -> None:
    assert eyetune("report", "run") == 0
    assert not (file.parent / "it-ran").exists()


def test_every_command_has_the_option() -> None:
    for name in ("fit-check", "show", "train", "tune", "report", "export", "evaluate"):
        app.parse_args([name, "--trust"], exit_on_error=False, print_error=False)


def test_trust_shows_the_file_and_remembers_it(
    file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with trust_option(["train", "recipe.toml"]), pytest.raises(UntrustedFunctionError):
        require(str(file))
    assert capfd.readouterr().err == ""
    with trust_option(["train", "recipe.toml", "--trust"]):
        require(str(file))
    shown = capfd.readouterr().err
    assert str(file) in shown
    assert "build_model = print" in shown
    require(str(file))
    assert not (file.parent / "it-ran").exists()


@pytest.mark.parametrize(("answer", "is_trusted"), [("y\n", True), ("\n", False), ("", False)])
def test_trust_asks_at_a_terminal(
    file: Path, monkeypatch: pytest.MonkeyPatch, answer: str, is_trusted: bool
) -> None:
    at_a_terminal(monkeypatch, answer)
    with trust_option(["--trust"]):
        if is_trusted:
            require(str(file))
        else:
            with pytest.raises(UntrustedFunctionError):
                require(str(file))


def test_trust_shows_what_a_terminal_would_hide(
    file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file.write_text("build_model = print  # \x1b[2K\u202e hidden\n")
    with trust_option(["--trust"]):
        require(str(file))
    shown = capfd.readouterr().err
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b[2K\\u202e hidden" in shown


@pytest.mark.parametrize("option", ["model", "set"])
def test_function_in_an_option_is_trusted(file: Path, option: str) -> None:
    if option == "model":
        flags = RecipeFlags(model=str(file))
    else:
        flags = RecipeFlags(set=(f"model.function={file}",))
    require(flags.apply(None, Common()).model.function)
