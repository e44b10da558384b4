"""What a user's own `fit` may return, as KerasTuner reads it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from eyetune.errors import FatalTrialError
from eyetune.training.model_function.user_call import metrics_of


def history(**columns: list[float]) -> Any:
    """Return what `model.fit` returns, as far as it matters here."""
    return SimpleNamespace(history=columns)


@pytest.mark.parametrize(
    ("result", "metrics"),
    [
        ({"val_score": 3}, {"val_score": 3.0}),
        (np.float32(0.5), {"val_loss": 0.5}),
        (history(val_loss=[2.0, 1.0]), {}),
        ([1.0, 2.0], {"val_loss": 1.5}),
        ([{"a": 1.0, "b": 4.0}, {"a": 3.0}], {"a": 2.0, "b": 4.0}),
        (
            [
                history(val_loss=[2.0, 1.0], loss=[8.0, 4.0]),
                history(val_loss=[3.0, 5.0], loss=[6.0, 1.0]),
            ],
            {"val_loss": 2.0, "loss": 5.0},
        ),
    ],
)
def test_metrics_of_reads_results(result: Any, metrics: dict[str, float]) -> None:
    assert metrics_of(result, "val_loss") == metrics


def test_metrics_of_a_list_chooses_epochs_by_the_direction() -> None:
    results = [history(val_score=[1.0, 2.0]), history(val_score=[5.0, 4.0])]
    assert metrics_of(results, "val_score:max") == {"val_score": 3.5}
    assert metrics_of(results, "val_score:min") == {"val_score": 2.5}


@pytest.mark.parametrize("result", [None, "0.5", [], [None]])
def test_metrics_of_refuses_what_is_no_result(result: Any) -> None:
    with pytest.raises(FatalTrialError) as caught:
        metrics_of(result, "val_loss")
    assert caught.value.fix
