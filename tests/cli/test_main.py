"""Exit statuses, and how errors are reported."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

import eyetune as package
from eyetune.cli import main
from eyetune.recipe import Recipe
from tests.cli.conftest import Terminal

DIGITS = ["--data", "digits"]
USAGE_ERRORS = [
    (["no-such-command"], "UsageError", "no-such-command"),
    (["train", "--no-such-flag"], "UsageError", "--no-such-flag"),
    (["train", "--learning-rate", "fast"], "UsageError", "fast"),
    (["train", "--data", "missing.tar.gz"], "SourceError", "missing.tar.gz"),
    (["train", "--data", "cifar"], "SourceError", "cifar10?"),
    (["train", "--learning-rate", "-1"], "RecipeError", "optimizer.learning_rate"),
    (["train", "--optimizer", "adamm"], "RecipeError", "adam?"),
    (["train", "--set", "optimizer.lerning_rate=1"], "RecipeError", "learning_rate?"),
    (["train", "--set", "nonsense"], "RecipeError", "nonsense"),
    (["train", "--set", "fit.epochs=true"], "RecipeError", "fit.epochs"),
    (["train", *DIGITS, "--set", "augment.shift=40"], "RecipeError", "augment.shift"),
    (["train", "missing.toml"], "RecipeError", "missing.toml"),
    (["train", "/tmp"], "UsageError", "--data /tmp"),
    (["train", "--resume", "latest", "--seed", "3"], "UsageError", "--resume"),
    (["train", "--resume", "ffff"], "RunNotFoundError", "ffff"),
    (["train", *DIGITS, "--threads", "-3"], "UsageError", "-3"),
    (["train", *DIGITS, "--seed", "99999999999999999999"], "UsageError", "99999999999999999999"),
    (["train", *DIGITS, "--name", "latest"], "UsageError", "latest"),
    (["lr-find", "--smallest", "1", "--largest", "0.1"], "UsageError", "0.1"),
    (["lr-find", "--largest", "1e-6"], "UsageError", "1e-06"),
    (["lr-find", "--steps", "3"], "UsageError", "3"),
    (["lr-find", "--data", "missing.tar.gz"], "SourceError", "missing.tar.gz"),
    (["lr-find", "--output", "curve.png"], "UsageError", "--output curve"),
    (["evaluate", "ffff"], "RunNotFoundError", "ffff"),
    (["evaluate", "ffff", "--tta"], "RunNotFoundError", "ffff"),
    (["evaluate", "--split", "train"], "UsageError", "train"),
    (["plot", "ffff"], "RunNotFoundError", "ffff"),
    (["plot", "latest", "--output", "run.svg"], "UsageError", "--output run"),
    (["predict", "latest"], "UsageError", "eyetune predict latest photo.jpg"),
    (["predict", "latest", "x.png", "--top", "0"], "UsageError", "--top"),
    (["predict", "pyproject.toml"], "UsageError", "eyetune predict latest pyproject.toml"),
    (["report"], "LabNotFoundError", "eyetune train"),
    (["report", "ffff"], "LabNotFoundError", "ffff"),
    (["report", "ffff", "--output", "/tmp"], "UsageError", "/tmp"),
    (["show", "missing.toml"], "RecipeError", "missing.toml"),
    (["show", "latest", "--diagram", "network.pdf"], "UsageError", "network.pdf"),
    (["runs", "--filter", "nonsense"], "UsageError", "nonsense"),
    (["runs", "delete"], "UsageError", "eyetune runs delete"),
    (["runs", "delete", "ffff"], "RunNotFoundError", "ffff"),
    (["data", "show", "nowhere/"], "SourceError", "nowhere"),
    (["data", "show", "digits", "--image-size", "0"], "RecipeError", "data.image_size"),
    (["data", "show", "digits", "--per-class", "-5"], "UsageError", "--per-class"),
    (["techniques", "mixupp"], "UsageError", "mixup?"),
    (["completion", "tcsh"], "UsageError", "tcsh"),
]


@pytest.mark.parametrize(("arguments", "kind", "hint"), USAGE_ERRORS)
def test_usage_errors_have_status_2(
    eyetune: Terminal, arguments: list[str], kind: str, hint: str
) -> None:
    error = eyetune.error(*arguments)
    assert error["status"] == 2
    assert error["type"] == kind
    assert hint in " ".join(str(value) for value in error.values())
    assert hint in eyetune.errors
    assert "Traceback" not in eyetune.errors


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["train", *DIGITS, "--workspace", "/dev/null/below"], "WorkspaceError"),
        (["lr-find", *DIGITS, "--subset", "20"], "DataError"),
    ],
)
def test_failures_have_status_1(eyetune: Terminal, arguments: list[str], kind: str) -> None:
    error = eyetune.error(*arguments)
    assert (error["status"], error["type"]) == (1, kind)


def test_success_has_status_0(eyetune: Terminal) -> None:
    assert eyetune("recipe") == 0


def test_ctrl_c_has_status_130(eyetune: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object, **options: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(Recipe, "to_toml", interrupt)
    assert eyetune("recipe") == 130


def test_error_without_json_prints_nothing_on_stdout(eyetune: Terminal) -> None:
    assert eyetune("evaluate", "ffff") == 2
    assert eyetune.output == ""
    assert eyetune.errors.startswith("error: ")


def test_json_error_keeps_its_earlier_keys(eyetune: Terminal) -> None:
    error = eyetune.error("evaluate", "ffff")
    assert error["what"] == error["message"]
    assert error["received"] == "ffff"
    assert {"expected", "fix"} <= set(error)


def test_internal_error_keeps_its_traceback_for_debug(
    eyetune: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object, **options: object) -> NoReturn:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(Recipe, "to_toml", fail)
    assert eyetune("recipe") == 1
    assert "--debug" in eyetune.errors
    assert "Traceback" not in eyetune.errors
    with pytest.raises(ZeroDivisionError):
        eyetune("recipe", "--debug")


def test_version_is_that_of_the_package(eyetune: Terminal) -> None:
    assert eyetune("--version") == 0
    assert eyetune.output.strip() == package.__version__


def test_show_refuses_recipe_options_for_a_run(eyetune: Terminal, at: list[str]) -> None:
    assert eyetune.error("show", "trained", "--epochs", "3", *at)["type"] == "UsageError"


def test_output_folder_may_not_be_a_file(eyetune: Terminal, at: list[str], tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("")
    for arguments in (["plot", "trained"], ["compare", "trained"], ["explain", "trained"]):
        assert eyetune.error(*arguments, "--output", path, *at)["received"] == str(path)


def test_temporary_files_of_a_command_end_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = []

    def run(_: list[str]) -> int:
        folders.append(Path(tempfile.mkdtemp()))
        return 0

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(main, "run", run)
    with pytest.raises(SystemExit):
        main.main(["train"])
    assert tmp_path in folders[0].parents
    assert not folders[0].exists()
    assert tempfile.gettempdir() == str(tmp_path)
