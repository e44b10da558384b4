from __future__ import annotations

import json

import pytest

from eyetune.values.history import Epoch, as_columns, as_rows, best_epoch


def epoch(number: int, *, loss: float, accuracy: float) -> Epoch:
    return Epoch(number, loss / 2, accuracy / 2, loss, accuracy, 0.001, 2.0, 500.0)


HISTORY = (
    epoch(1, loss=2.0, accuracy=0.3),
    epoch(2, loss=1.0, accuracy=0.5),
    epoch(3, loss=1.0, accuracy=0.6),
    epoch(4, loss=1.5, accuracy=0.6),
)


def test_as_columns_has_a_value_per_epoch() -> None:
    columns = as_columns(HISTORY)
    assert columns["epoch"] == [1, 2, 3, 4]
    assert columns["loss"] == [1.0, 0.5, 0.5, 0.75]
    assert columns["accuracy"] == [0.15, 0.25, 0.3, 0.3]
    assert columns["val_loss"] == [2.0, 1.0, 1.0, 1.5]
    assert columns["val_accuracy"] == [0.3, 0.5, 0.6, 0.6]
    assert columns["learning_rate"] == [0.001] * 4
    assert columns["duration_seconds"] == [2.0] * 4
    assert columns["images_per_second"] == [500.0] * 4


def test_as_columns_of_no_epochs_has_empty_columns() -> None:
    assert as_columns([])["val_loss"] == []


def test_as_rows_survives_json() -> None:
    rows = json.loads(json.dumps(as_rows(HISTORY)))
    assert tuple(Epoch(**row) for row in rows) == HISTORY


@pytest.mark.parametrize(
    ("monitor", "best"), [("val_loss", 2), ("loss", 2), ("val_accuracy", 3), ("accuracy", 3)]
)
def test_best_epoch_follows_the_direction_of_a_metric(monitor: str, best: int) -> None:
    found = best_epoch(HISTORY, monitor)
    assert found is not None
    assert found.epoch == best


def test_best_epoch_of_no_epochs_is_none() -> None:
    assert best_epoch((), "val_loss") is None
