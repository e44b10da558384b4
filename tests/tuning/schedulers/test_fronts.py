"""Fronts kept as scores come in have the order of promotion that sorting at once gives."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from eyetune.analysis.ranking import comparable
from eyetune.tuning.schedulers.fronts import Fronts
from tests.tuning.schedulers.promotion_order import promotion_order

Scores = tuple[float, ...]


def test_promotion_order_puts_nan_and_failed_trials_last() -> None:
    assert promotion_order([None, (math.nan,), (-1.0,), (2.0,), (-1.0,)]) == [3, 2, 4, 1, 0]
    assert promotion_order([(math.nan, 99.0), (0.1, 1.0), None, (0.2, 0.5)]) == [1, 3, 0, 2]
    assert promotion_order([]) == []
    assert promotion_order([None, None]) == [0, 1]


def test_promotion_order_prefers_ends_and_then_room() -> None:
    line = [(0.0, 10.0), (1.0, 9.0), (2.0, 8.0), (6.0, 4.0), (10.0, 0.0)]
    assert promotion_order(line) == [0, 4, 3, 2, 1]


@given(
    num_objectives=st.integers(1, 4),
    data=st.data(),
)
@settings(deadline=None)
def test_fronts_keep_the_promotion_order(num_objectives: int, data: st.DataObject) -> None:
    value = st.sampled_from([0.0, 1.0, 2.0, 3.0, math.inf, -math.inf])
    drawn = data.draw(st.lists(st.tuples(*[value] * num_objectives), max_size=25))
    points = [comparable(point) for point in drawn]
    order = promotion_order(points)
    assert sorted(order) == list(range(len(points)))
    depth = depths(points)
    assert [depth[place] for place in order] == sorted(depth)
    if num_objectives > 1:
        fronts = Fronts()
        for place, point in enumerate(points):
            fronts.add(place, point)
        assert fronts.order() == order
        assert [fronts.position(place, points[place]) for place in order] == list(
            range(len(points))
        )


def depths(points: Sequence[Scores]) -> list[int]:
    """Return each point's front by taking one front away after the other."""
    depth = [-1] * len(points)
    level = 0
    while -1 in depth:
        left = [place for place, one in enumerate(depth) if one == -1]
        for place in left:
            if not any(
                points[other] != points[place]
                and all(a >= b for a, b in zip(points[other], points[place], strict=True))
                for other in left
            ):
                depth[place] = level
        level += 1
    return depth
