from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eyetune.analysis.pareto import dominates, non_dominated, pareto_front

POINTS = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), max_size=12)


@given(POINTS)
def test_the_front_is_what_no_other_point_beats(points: list[tuple[int, int]]) -> None:
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


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=12))
def test_of_several_objectives_the_front_is_what_none_dominates(
    scores: list[tuple[int, int, int]],
) -> None:
    front = non_dominated(scores)
    assert {scores[place] for place in front} == {
        one for one in scores if not any(dominates(other, one) for other in scores)
    }
    assert len({scores[place] for place in front}) == len(front)
    assert [scores[place] for place in front] == sorted(
        (scores[place] for place in front), reverse=True
    )


@given(st.tuples(*[st.floats(0, 1)] * 2), st.tuples(*[st.floats(0, 1)] * 2))
def test_of_two_at_most_one_dominates(one: tuple[float, float], other: tuple[float, float]) -> None:
    assert not (dominates(one, other) and dominates(other, one))
    assert not dominates(one, one)


def test_what_diverged_is_in_no_front() -> None:
    assert non_dominated([(float("nan"), 9.0), (0.5, 1.0)]) == [1]
    assert non_dominated([]) == []
