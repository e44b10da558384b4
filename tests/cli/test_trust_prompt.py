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
