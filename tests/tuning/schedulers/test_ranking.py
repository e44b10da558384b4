"""Ranking: by fronts, then by crowding, NaN and failures last; the same whether sorted at once or
as scores come in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyetune.errors import UsageError
from eyetune.tuning.schedulers import ranking
from eyetune.tuning.schedulers.fronts import Fronts

Scores = tuple[float, ...]


def test_ranking_puts_nan_after_all_others_and_failed_last() -> None:
    assert ranking([None, (math.nan,), (-1.0,), (2.0,), (-1.0,)]) == [3, 2, 4, 1, 0]
    assert ranking([(math.nan, 99.0), (0.1, 1.0), None, (0.2, 0.5)]) == [1, 3, 0, 2]
    assert ranking([]) == []
    assert ranking([None, None]) == [0, 1]


def test_scores_of_different_lengths_cannot_be_ranked() -> None:
    with pytest.raises(UsageError):
        ranking([(1.0,), (1.0, 2.0)])
    with pytest.raises(UsageError):
        ranking([()])


def test_crowding_prefers_the_ends_and_then_those_with_room() -> None:
    line = [(0.0, 10.0), (1.0, 9.0), (2.0, 8.0), (6.0, 4.0), (10.0, 0.0)]
    assert ranking(line) == [0, 4, 3, 2, 1]


@given(
    num_objectives=st.integers(1, 4),
    data=st.data(),
)
@settings(deadline=None)
def test_ranking_orders_by_fronts(num_objectives: int, data: st.DataObject) -> None:
    value = st.sampled_from([0.0, 1.0, 2.0, 3.0, math.inf, -math.inf])
    points = data.draw(st.lists(st.tuples(*[value] * num_objectives), max_size=25))
    order = ranking(points)
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
