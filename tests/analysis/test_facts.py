from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.analysis.facts import difference_interval, final_slope


@given(st.floats(-0.1, 0.1), st.integers(3, 40))
def test_final_slope_of_a_line_is_its_step(step: float, count: int) -> None:
    values = [0.5 + step * number for number in range(count)]
    assert final_slope(values) == pytest.approx(step, abs=1e-9)


@pytest.mark.parametrize(
    ("values", "slope"),
    [
        ([], 0.0),
        ([0.5], 0.0),
        ([0.5, 0.7], 0.2),
        ([0.1, 0.9, 0.5, 0.6, 0.7], 0.1),
        ([0.0] * 6 + [0.1, 0.2, 0.3], 0.1),
    ],
)
def test_final_slope_uses_the_last_third(values: list[float], slope: float) -> None:
    assert final_slope(values) == pytest.approx(slope)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [  # Newcombe 1998, table II, method 10
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((0, 10), (0, 20), (-0.1611, 0.2775)),
    ],
)
def test_difference_interval_agrees_with_its_source(
    first: tuple[int, int], second: tuple[int, int], expected: tuple[float, float]
) -> None:
    interval = difference_interval(first[0] / first[1], first[1], second[0] / second[1], second[1])
    assert interval == pytest.approx(expected, abs=1e-3)
