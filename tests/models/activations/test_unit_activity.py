"""Dead, zero and saturated units, of hand-made networks."""

from __future__ import annotations

import numpy as np
import pytest

from eyetune.models.activations import trace
from eyetune.models.activations.unit_activity import activity
from tests.models.activations.support import images, lab


def test_activity_counts_dead_units_and_zeros() -> None:
    model = lab()
    kernel, bias = model.layers[0].get_weights()
    bias[2] = -100
    model.layers[0].set_weights([kernel, bias])
    given = images(20)
    first, hidden = activity(model, given)
    outputs = np.maximum(given @ kernel[0, 0] + bias, 0)
    assert (first.layer, first.activation, first.units, hidden.units) == ("conv2d", "relu", 4, 2)
    assert first.dead == (outputs.reshape(-1, 4).max(axis=0) <= 0).sum() >= 1
    assert first.resting == pytest.approx((outputs <= 0).mean())
    bias[:] = 100
    model.layers[0].set_weights([kernel, bias])
    assert activity(model, given)[0].dead == activity(model, given)[0].resting == 0


def test_unit_that_is_active_once_is_not_dead() -> None:
    model = lab()
    model.layers[0].set_weights([np.ones((1, 1, 3, 4), np.float32), np.full(4, -2.9, np.float32)])
    given = np.zeros((300, 8, 8, 3), np.float32)
    given[277, 3, 5] = 1
    (first, _) = activity(model, given)
    assert first.dead == 0
    assert first.resting == 1 - 1 / (300 * 64)


@pytest.mark.parametrize(
    ("activation", "scale", "saturated"), [("tanh", 100, 1), ("sigmoid", 1000, 1), ("tanh", 0, 0)]
)
def test_bounded_activations_are_saturated_at_both_ends(
    activation: str, scale: float, saturated: int
) -> None:
    model = lab(activation)
    kernel = np.full((1, 1, 3, 4), scale, np.float32) * np.array([1, -1, 1, -1], np.float32)
    model.layers[0].set_weights([kernel, np.zeros(4, np.float32)])
    first = activity(model, images(10) + 0.1)[0]
    assert (first.resting, first.dead) == (saturated, 4 * saturated)


def test_batches_do_not_change_what_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    model, given = lab(), images(25)
    whole = activity(model, given)
    monkeypatch.setattr(trace, "MAX_BATCH", 4)
    assert activity(model, given) == whole
