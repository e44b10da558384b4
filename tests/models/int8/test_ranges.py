"""Ranges: which tensors share one, and which one holds a tensor with the least error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.models.int8.ranges import Range, min_error_range


@given(
    low=st.floats(-100, 100, allow_subnormal=False),
    high=st.floats(-100, 100, allow_subnormal=False),
)
def test_range_around_two_values_holds_them_and_zero(low: float, high: float) -> None:
    bounds = Range.around(low, high)
    values = np.array([low, high, 0], np.float32)
    rounded = bounds.rounded(values)
    assert rounded[2] == 0
    assert bounds.scale > 0
    if low <= high:
        assert np.abs(rounded - values).max() <= bounds.scale * 1.001 + 1e-5


def test_min_error_range_cuts_off_rare_outliers() -> None:
    values = np.random.default_rng(0).normal(0, 1, 20_000).astype(np.float32)
    values[:2] = 300, -300
    chosen = min_error_range(values[2:], Range(-300, 300))
    assert 2 < chosen.maximum < 10
    assert -10 < chosen.minimum < -2


@pytest.mark.parametrize("sign", [-1, 1])
def test_min_error_range_keeps_one_side_at_zero(sign: int) -> None:
    values = sign * np.abs(np.random.default_rng(0).normal(0, 1, 5000)).astype(np.float32)
    full = Range.around(float(values.min()), float(values.max()))
    chosen = min_error_range(values, full)
    assert 0 in (chosen.minimum, chosen.maximum)
    error, full_error = (np.mean((r.rounded(values) - values) ** 2) for r in (chosen, full))
    assert error <= full_error


def test_min_error_range_of_a_tensor_of_zeros_is_usable() -> None:
    zeros = np.zeros(10, np.float32)
    chosen = min_error_range(zeros, Range.around(0, 0))
    assert chosen.scale > 0
    assert not chosen.rounded(zeros).any()
