"""`eyetune.lab` and `eyetune lab`: what is refused before any training, and what quick means."""

from __future__ import annotations

from typing import Any

import pytest

import eyetune as et
from eyetune.api.lab import QUICK, _quick
from eyetune.cli.common import read_seconds
from eyetune.cli.main import run
from eyetune.errors import EyetuneError, RecipeError, UsageError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.testing.datasets import tiny_dataset


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ({"techniques": ["flipp"]}, UsageError, "Did you mean flip"),
        ({"techniques": ["shift=many"]}, RecipeError, "cannot use this value"),
        ({"techniques": ["learning-rate=-1"]}, RecipeError, "learning_rate"),
        (
            {"techniques": ["warm-up=5"], "recipe": Recipe().with_(fit__epochs=3)},
            RecipeError,
            "warmup_epochs",
        ),
        ({"seeds": 0}, UsageError, "seeds"),
        ({"final_seeds": 0}, UsageError, "final_seeds"),
        ({"workers": 0}, UsageError, "workers"),
        ({"recipe": "digits"}, UsageError, "not a recipe"),
        ({"data": tiny_dataset()}, UsageError, "dataset in memory"),
        ({"data": "nowhere/at/all.npz"}, EyetuneError, "no data source"),
    ],
)
def test_what_cannot_be_done_is_refused_before_any_training(
    words: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        et.lab(**{"data": "digits", "progress": False, **words})
    assert Workspace().runs.all() == []


def test_quick_gives_way_to_what_was_asked_for() -> None:
    plain = _quick(Recipe())
    assert plain.values() | QUICK == plain.values()
    asked = Recipe().with_({"fit.epochs": 3, "data.subset": 500})
    assert _quick(asked) == asked
    written = Recipe.from_toml(Recipe().to_toml())  # a file that holds every value is as quick
    assert _quick(written).values() == plain.values()


@pytest.mark.parametrize(
    ("words", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("1.5h", 5400), (" 2 H ", 7200)]
)
def test_durations_are_read(words: str, seconds: float) -> None:
    assert read_seconds(words) == seconds


@pytest.mark.parametrize("words", ["", "soon", "-5m", "0", "5d", "1h30m", "nan"])
def test_what_is_no_duration_is_refused(words: str) -> None:
    with pytest.raises(UsageError, match="duration"):
        read_seconds(words)


@pytest.mark.parametrize(
    "words",
    [
        ["--techniques", "flipp"],
        ["--techniques", ","],
        ["--time", "soon"],
        ["--seeds", "0"],
        ["--seeds", "many"],
        ["--file", "nowhere.py"],
        ["--data", "nowhere/at/all.npz"],
    ],
)
def test_wrong_words_have_exit_status_2(
    words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["lab", *words]) == 2
    captured = capfd.readouterr()
    assert captured.err.startswith("error: ")
    assert "Traceback" not in captured.err
    assert Workspace().runs.all() == []
