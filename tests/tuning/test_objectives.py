"""Objectives and constraints: reading, refusing what cannot be computed, values of a trial."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import eyetune as et
from eyetune.device.boards.profiles import load_board
from eyetune.errors import SourceError, UsageError
from eyetune.testing.labs import fabricated_history
from eyetune.tuning.objectives import (
    constraints_of,
    monitor_of,
    read_constraint,
    read_objective,
    values_of,
)
from eyetune.tuning.options import TuneOptions
from eyetune.values.history import Epoch
from eyetune.values.int8_accuracy import Int8Accuracy

INT8 = Int8Accuracy(1500, 2000, "simulated")


@pytest.mark.parametrize(
    ("text", "direction"),
    [("latency_ms", "min"), ("fps", "max"), ("int8_accuracy", "max"), ("fps:min", "min")],
)
def test_read_objective_knows_the_direction(text: str, direction: str) -> None:
    assert read_objective(text).direction == direction


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("latency_ms < 200", 200.0),
        ("latency_ms < 200ms", 200.0),
        ("latency_ms<0.2s", 200.0),
        ("fps >= 4.5", 4.5),
        ("flash_bytes <= 1.5MiB", 1.5 * 2**20),
        ("parameters < 200kB", 200_000.0),
    ],
)
def test_read_constraint_reads_units(text: str, limit: float) -> None:
    assert read_constraint(text).limit == limit


@pytest.mark.parametrize(
    "text", ["latency_ms < 200k", "fps > 5ms", "parameters < 3ms", "int8_accuracy > 0.8"]
)
def test_read_constraint_refuses_what_means_nothing(text: str) -> None:
    with pytest.raises(UsageError):
        read_constraint(text)


def test_fps_option_is_a_constraint() -> None:
    options = TuneOptions(constraints="macs < 2M", fps=5)
    assert [str(constraint) for constraint in constraints_of(options, "esp-eye")] == [
        "macs < 2000000",
        "fps >= 5",
        f"flash_bytes <= {load_board('esp-eye').max_model_bytes}",
        f"arena_bytes <= {load_board('esp-eye').max_arena_bytes}",
    ]


def profile_without_cost(folder: Path) -> str:
    path = folder / "mine.toml"
    path.write_text(
        'name = "mine"\ntitle = "Mine"\nflash_bytes = 9_000_000\npartition_bytes = 8_000_000\n'
        "firmware_bytes = 400_000\narena_bytes = 200_000\nclock_hz = 240_000_000\n",
        encoding="utf-8",
    )
    return str(path)


@pytest.mark.parametrize(
    "options",
    [
        {"objective": "latency_ms"},
        {"objective": ["val_accuracy", "int8_accuracy"]},
        {"constraints": "latency_ms < 200"},
        {"fps": 5},
        {"objective": "latency_ms", "board": "without cost model"},
        {"fps": 5, "board": "without cost model"},
        {"fps": 0, "board": "esp-eye"},
        {"fps": float("nan"), "board": "esp-eye"},
    ],
)
def test_tune_refuses_at_once_what_it_cannot_compute(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    if options.get("board") == "without cost model":
        options = {**options, "board": profile_without_cost(tmp_path)}
    with pytest.raises(UsageError) as caught:
        et.tune(None, "no-such-data", workspace=tmp_path, **options)
    assert not isinstance(caught.value, SourceError)  # images are loaded later


def test_tune_refuses_int8_accuracy_on_another_backend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(UsageError) as caught:
        et.tune(
            None, "no-such-data", objective="int8_accuracy", board="esp-eye", workspace=tmp_path
        )
    assert not isinstance(caught.value, SourceError)


def test_values_of_includes_costs_and_int8() -> None:
    objectives = tuple(map(read_objective, ("int8_accuracy", "latency_ms", "fps", "val_accuracy")))
    history = fabricated_history(4, 0.8)
    costs = {"latency_ms": 200.0, "fps": 5.0}
    best = max(epoch.value("val_accuracy") for epoch in history)
    assert values_of(objectives, history, costs, int8=INT8) == (0.75, 200.0, 5.0, best)
    with pytest.raises(UsageError):
        values_of(objectives, history, costs)


def test_int8_study_keeps_the_epoch_with_the_best_accuracy() -> None:
    objectives = tuple(map(read_objective, ("latency_ms", "int8_accuracy")))
    assert monitor_of(objectives) == "val_accuracy"
    assert monitor_of((*objectives, read_objective("val_loss"))) == "val_loss"


def test_what_a_users_fit_returned_counts_instead_of_the_epochs() -> None:
    objectives = [read_objective("val_accuracy"), read_objective("parameters")]
    history = fabricated_history(4, 0.8)
    values = values_of(objectives, history, {"parameters": 7}, returned={"val_accuracy": 0.25})
    assert values == (0.25, 7)
    score = read_objective("my_score:max")
    assert values_of([score], history, {}, returned={"my_score": 3.0}) == (3.0,)


def test_objective_that_no_train_step_reports_is_refused() -> None:
    history = (Epoch(1, None, None, 0.5, None, 0.1, 1.0, 1.0, {"twice": 2.0}),)
    assert values_of([read_objective("twice:min")], history, {}) == (2.0,)
    with pytest.raises(UsageError) as caught:
        values_of([read_objective("loss")], history, {})
    assert "train_step" in str(caught.value.fix)
