"""What all commands share: reading arguments, and the width of the output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eyetune.cli.common import (
    Common,
    RecipeFlags,
    check_output_file,
    check_output_folder,
    is_function,
    is_recipe_file,
    output,
    read_seconds,
)
from eyetune.errors import UsageError
from eyetune.recipe import Recipe


@pytest.mark.parametrize("text", ["", "m", "-1m", "0", "1d", "1 2", "nan"])
def test_read_seconds_rejects_invalid_durations(text: str) -> None:
    with pytest.raises(UsageError):
        read_seconds(text)


def test_read_seconds_ignores_case_and_spaces() -> None:
    assert read_seconds(" .5 H ") == 1800


def test_check_output_folder_accepts_folders(tmp_path: Path) -> None:
    dotted = tmp_path / "run.png"
    dotted.mkdir()
    for path in (None, tmp_path, tmp_path / "new", tmp_path / "v1.2", dotted):
        check_output_folder(path)


def test_check_output_folder_refuses_files(tmp_path: Path) -> None:
    existing = tmp_path / "notes"
    existing.write_text("")
    for path in (existing, tmp_path / "new.png"):
        with pytest.raises(UsageError):
            check_output_folder(path)


def test_check_output_file_refuses_folders(tmp_path: Path) -> None:
    check_output_file(None)
    check_output_file(tmp_path / "page.html")
    with pytest.raises(UsageError):
        check_output_file(tmp_path)


def test_is_recipe_file_and_is_function_tell_references_apart() -> None:
    assert is_recipe_file("missing.toml")
    assert not is_recipe_file("latest")
    assert is_function("model.py:build")
    assert not is_function("latest")
    assert not is_function(None)


def test_apply_changes_the_recipe_that_start_names(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(Recipe().with_({"fit.epochs": 3}).to_toml())
    flags = RecipeFlags(optimizer="sgd", set=("fit.batch_size=8",), technique=("flip",))
    recipe = flags.apply(str(path), Common())
    assert (recipe.fit.epochs, recipe.fit.batch_size) == (3, 8)
    assert recipe.optimizer.name == "sgd"
    assert recipe.augment.flip


@pytest.mark.parametrize("option", [{"precision": "auto"}, {"set": ("fit.precision=auto",)}])
def test_auto_precision_measures_model_functions(option: Any) -> None:
    flags, common = RecipeFlags(**option), Common()
    assert flags.apply(None, common, for_function=True).fit.precision == "measured"
    assert flags.apply(None, common).fingerprint == Recipe().fingerprint
    named = RecipeFlags(precision="auto", set=("model.function=model.py:build_model",))
    assert named.apply(None, common).fit.precision == "measured"
    assert RecipeFlags().apply(None, common, for_function=True).fit.precision == "auto"


def test_apply_without_options_gives_the_default_recipe() -> None:
    assert RecipeFlags().apply(None, Common()) == Recipe()


def test_output_width_follows_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "77")
    assert output().width == 77
