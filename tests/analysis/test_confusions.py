"""Tests of confused classes and most confident answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.analysis.confusions import confused_pairs, most_confident_correct, most_confident_wrong


def answers(*rows: tuple[int, int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Turn (true, predicted, confidence) into probabilities of three classes and labels."""
    probabilities = np.array([[(1 - sure) / 2] * 3 for _, _, sure in rows], np.float32)
    for row, (_, predicted, sure) in zip(probabilities, rows, strict=True):
        row[predicted] = sure
    return probabilities, np.array([true for true, _, _ in rows])


SOME = answers(
    (0, 1, 0.6),
    (0, 1, 0.9),
    (0, 0, 0.8),
    (1, 0, 0.7),
    (2, 2, 0.99),
    (0, 2, 0.95),
    (0, 1, 0.7),
    (2, 2, 0.5),
)


def test_confused_pairs_have_share_and_examples() -> None:
    first, *others = confused_pairs(*SOME, 9, examples=2)
    assert (first.true, first.predicted, first.count, first.share, first.examples) == (
        0,
        1,
        3,
        0.6,
        (1, 6),
    )
    assert [(pair.true, pair.predicted, pair.count) for pair in others] == [(0, 2, 1), (1, 0, 1)]
    assert first.to_json(("cat", "dog", "owl"))["predicted"] == "dog"


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 2), st.floats(0.5, 1)), min_size=1, max_size=40
    )
)
def test_confused_pairs_cover_all_mistakes(rows: list[tuple[int, int, float]]) -> None:
    probabilities, labels = answers(*rows)
    pairs = confused_pairs(probabilities, labels, 9, examples=40)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    assert sorted(place for pair in pairs for place in pair.examples) == wrong.tolist()
    counts = [pair.count for pair in pairs]
    assert counts == sorted(counts, reverse=True)
    assert 0 not in counts
    for pair in pairs:
        assert pair.share == pair.count / (labels == pair.true).sum()
        assert set(labels[list(pair.examples)]) == {pair.true}


@pytest.mark.parametrize(("count", "expected"), [(1, [4]), (2, [4, 2]), (9, [4, 2, 7])])
def test_most_confident_correct_takes_turns_between_classes(
    count: int, expected: list[int]
) -> None:
    assert most_confident_correct(*SOME, count).tolist() == expected


@pytest.mark.parametrize(("count", "expected"), [(1, [5]), (2, [5, 3]), (9, [5, 3, 1, 6, 0])])
def test_most_confident_wrong_takes_turns_between_classes(count: int, expected: list[int]) -> None:
    assert most_confident_wrong(*SOME, count).tolist() == expected


def test_confused_pairs_without_mistakes_are_empty() -> None:
    perfect = answers((0, 0, 0.9), (1, 1, 0.9))
    assert confused_pairs(*perfect, 5) == ()
    assert most_confident_wrong(*perfect, 5).shape == (0,)
