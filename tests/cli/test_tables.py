"""Parts that several tables share."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from eyetune.cli.tables import BARS, MAX_BARS, sparkline


@given(values=st.lists(st.floats(width=32), max_size=5 * MAX_BARS))
def test_sparkline_of_any_values_is_one_short_line(values: list[float]) -> None:
    line = sparkline(values)
    assert len(line) == min(len(values), MAX_BARS)
    assert set(line) <= {*BARS, " "}
    if len(values) <= MAX_BARS:
        assert [bar != " " for bar in line] == [math.isfinite(value) for value in values]


def test_long_sparkline_keeps_the_course_of_its_values() -> None:
    line = sparkline([epoch**2 for epoch in range(1000)])
    assert [*line] == sorted(line)
    assert (line[0], line[-1]) == (BARS[0], BARS[-1])
