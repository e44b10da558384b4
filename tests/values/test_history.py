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


def test_columns_carry_keras_names_with_one_value_an_epoch():
    columns = as_columns(HISTORY)
    assert columns["epoch"] == [1, 2, 3, 4]
    assert columns["loss"] == [1.0, 0.5, 0.5, 0.75]
    assert columns["accuracy"] == [0.15, 0.25, 0.3, 0.3]
    assert columns["val_loss"] == [2.0, 1.0, 1.0, 1.5]
    assert columns["val_accuracy"] == [0.3, 0.5, 0.6, 0.6]
    assert columns["learning_rate"] == [0.001] * 4
    assert columns["duration_seconds"] == [2.0] * 4
    assert columns["images_per_second"] == [500.0] * 4


def test_columns_of_no_epochs_are_empty_but_there():
    assert as_columns([])["val_loss"] == []


def test_rows_rebuild_the_epochs_after_a_trip_through_json():
    rows = json.loads(json.dumps(as_rows(HISTORY)))
    assert tuple(Epoch(**row) for row in rows) == HISTORY


@pytest.mark.parametrize(
    ("monitor", "best"), [("val_loss", 2), ("loss", 2), ("val_accuracy", 3), ("accuracy", 3)]
)
def test_the_best_epoch_is_the_first_with_the_lowest_loss_or_the_highest_accuracy(
    monitor: str, best: int
):
    found = best_epoch(HISTORY, monitor)
    assert found is not None
    assert found.epoch == best


def test_no_epochs_have_no_best_one():
    assert best_epoch((), "val_loss") is None
