"""`eyetune lab`: durations, and exit status 2 for usage errors."""

from __future__ import annotations

import pytest

from eyetune.cli.common import read_seconds
from eyetune.cli.main import run
from eyetune.errors import UsageError
from eyetune.records import Workspace


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("1.5h", 5400), (" 2 H ", 7200)]
)
def test_read_seconds_accepts_units(text: str, seconds: float) -> None:
    assert read_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5m", "0", "5d", "1h30m", "nan"])
def test_read_seconds_refuses_other_texts(text: str) -> None:
    with pytest.raises(UsageError):
        read_seconds(text)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--techniques", "flipp"],
        ["--techniques", ","],
        ["--time", "soon"],
        ["--seeds", "0"],
        ["--seeds", "many"],
        ["--file", "nowhere.py"],
        ["--data", "nowhere/at/all.npz"],
    ],
    ids=" ".join,
)
def test_lab_exits_with_2_for_usage_errors(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["lab", *arguments]) == 2
    captured = capfd.readouterr()
    assert captured.err.startswith("error: ")
    assert "Traceback" not in captured.err
    assert Workspace().runs.all() == []
