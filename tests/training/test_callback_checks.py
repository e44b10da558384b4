"""Callbacks that the training of a recipe cannot honor are refused."""

from __future__ import annotations

from typing import Any

import keras
import pytest

from eyetune.errors import ArgumentTypeError, UsageError
from eyetune.recipe import Recipe
from eyetune.training.callback_checks import checked_callbacks

STOPPING = keras.callbacks.EarlyStopping(restore_best_weights=True)


def test_checked_callbacks_flattens_what_keras_takes() -> None:
    csv = keras.callbacks.CSVLogger("log.csv")
    assert checked_callbacks(None, Recipe()) == ()
    assert checked_callbacks(csv, Recipe()) == (csv,)
    assert checked_callbacks([STOPPING, [csv]], Recipe()) == (STOPPING, csv)
    assert checked_callbacks(keras.callbacks.CallbackList([csv]), Recipe()) == (csv,)


@pytest.mark.parametrize("callback", [print, "EarlyStopping", keras.callbacks.EarlyStopping])
def test_checked_callbacks_refuses_other_objects(callback: Any) -> None:
    with pytest.raises(ArgumentTypeError):
        checked_callbacks([callback], Recipe())


@pytest.mark.parametrize(
    ("callback", "edits"),
    [
        (keras.callbacks.BackupAndRestore("backup"), {}),
        (keras.callbacks.ProgbarLogger(), {}),
        (keras.callbacks.SwapEMAWeights(), {}),
        (keras.callbacks.LearningRateScheduler(float), {"optimizer.schedule": "cosine"}),
        (keras.callbacks.ReduceLROnPlateau(), {"optimizer.schedule": "plateau"}),
        (keras.callbacks.ReduceLROnPlateau(), {"optimizer.warmup_epochs": 1}),
        (keras.callbacks.ReduceLROnPlateau(), {"fit.quantize": "int8"}),
        (STOPPING, {"fit.quantize": "int8"}),
        (STOPPING, {"fit.weight_averaging": 0.9}),
    ],
)
def test_checked_callbacks_refuses_what_it_cannot_honor(
    callback: Any, edits: dict[str, Any]
) -> None:
    with pytest.raises(UsageError) as caught:
        checked_callbacks([callback], Recipe().with_(edits))
    assert caught.value.fix
    if edits:
        assert checked_callbacks([callback], Recipe()) == (callback,)
