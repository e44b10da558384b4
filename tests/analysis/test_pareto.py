from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eyetune.analysis.pareto import dominates, pareto_front

POINTS = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), max_size=12)


@given(POINTS)
def test_pareto_front_is_what_no_other_point_beats(points: list[tuple[int, int]]) -> None:
    front = pareto_front([cost for cost, _ in points], [accuracy for _, accuracy in points])
    beaten = {
        place
        for place, (cost, accuracy) in enumerate(points)
        if any(c <= cost and a >= accuracy and (c, a) != (cost, accuracy) for c, a in points)
    }
    assert not beaten & set(front)
    assert {points[place] for place in front} == {
        points[place] for place in range(len(points)) if place not in beaten
    }
    assert len({points[place] for place in front}) == len(front)
    assert [points[place][0] for place in front] == sorted(points[place][0] for place in front)


@given(st.tuples(*[st.floats(0, 1)] * 2), st.tuples(*[st.floats(0, 1)] * 2))
def test_dominates_is_asymmetric(one: tuple[float, float], other: tuple[float, float]) -> None:
    assert not (dominates(one, other) and dominates(other, one))
    assert not dominates(one, one)
