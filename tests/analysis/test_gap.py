"""The statistics of a gap: weights of classes, intervals, and a choice among several changes."""

from __future__ import annotations

import numpy as np
import pytest

from eyetune.analysis.gap import (
    Cause,
    Points,
    accuracies,
    chosen_on_other_half,
    class_weights,
    fall,
    gain,
    notes_on,
    ordered,
    shift_of,
)


def right(share: float, count: int, seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.random.default_rng(seed).permutation(np.arange(count) < round(share * count))


def test_classes_count_as_often_as_the_camera_saw_them() -> None:
    clean_labels = np.array([0] * 90 + [1] * 10)
    camera_labels = np.array([0] * 20 + [1] * 20)
    weights = class_weights(clean_labels, camera_labels)
    clean_right = clean_labels == 1  # every picture of class 1, and none of class 0
    clean, camera = accuracies(clean_right, weights, camera_labels == 1)
    assert clean.value == pytest.approx(0.5)
    assert camera.value == 0.5
    assert fall(clean_right, weights, camera_labels == 1).value == pytest.approx(0)


def test_fall_has_an_interval_that_holds_the_truth() -> None:
    ones = np.ones(1000)
    inside = 0
    for seed in range(40):
        generator = np.random.default_rng(seed)
        found = fall(generator.random(1000) < 0.8, ones, generator.random(200) < 0.6)
        inside += found.low <= 0.2 <= found.high
    assert inside >= 34
    assert fall(right(0.8, 1000), ones, right(0.6, 200)).certain
    assert not fall(right(0.8, 1000), ones, right(0.7, 20)).certain


def test_gain_is_paired() -> None:
    before = right(0.5, 100)
    after = before | (np.arange(100) < 20)
    found = gain(after, before)
    assert found.value == pytest.approx((after.sum() - before.sum()) / 100)
    assert found.certain
    assert gain(before, before) == Points(0, 0, 0)


def test_choice_among_useless_changes_gains_nothing() -> None:
    """The best of many useless changes looks better than it is, if its own results choose it."""
    gains, optimistic = [], []
    for seed in range(60):
        generator = np.random.default_rng(seed)
        before, *others = generator.random((9, 80)) < 0.5
        options = {str(number): each for number, each in enumerate(others)}
        chosen, _ = chosen_on_other_half(before, options, np.zeros(80, np.int64))
        gains.append(chosen.mean() - before.mean())
        optimistic.append(max(each.mean() for each in others) - before.mean())
    assert abs(np.mean(gains)) < 0.02
    assert np.mean(optimistic) > 0.06


def test_choice_finds_a_change_that_helps() -> None:
    before, after = right(0.4, 60), right(0.9, 60, 1)
    labels = np.arange(60) % 2  # each half of the choice holds both classes
    after &= (labels == 0) | before
    options = {"turned": after, "mirrored": right(0.3, 60, 2)}
    chosen, name = chosen_on_other_half(before, options, labels)
    assert name == "turned"
    np.testing.assert_array_equal(chosen, after)
    assert chosen_on_other_half(after, {"turned": before & after}, labels)[1] == ""


def test_shifts_are_in_deviations_of_the_data_set() -> None:
    values = np.random.default_rng(0).normal(3, 2, 5000)
    found = shift_of("brightness", values, values + 3)
    assert found.shift == pytest.approx(1.5, abs=0.1)
    assert found.is_large
    assert not shift_of("brightness", values, values).is_large
    assert 50 < shift_of("warmth", np.zeros(9), np.ones(9)).shift < 1000


def test_causes_are_ordered_and_untested_ones_come_last() -> None:
    causes = [
        Cause("noise", "", None, {}),
        Cause("exposure", "", Points(0.01, -0.02, 0.03), {}),
        Cause("sharpness", "", Points(0.1, 0.05, 0.15), {}),
    ]
    assert [cause.name for cause in ordered(causes)] == ["sharpness", "exposure", "noise"]
    assert [cause.certain for cause in ordered(causes)] == [True, False, False]


def test_few_pictures_and_differences_by_chance_are_noted() -> None:
    many = accuracies(right(0.8, 500), np.ones(500), right(0.5, 200))[1]
    few = accuracies(right(0.8, 500), np.ones(500), right(0.5, 20))[1]
    assert notes_on(200, Points(0.3, 0.2, 0.4), many) == []
    assert len(notes_on(20, Points(0.3, -0.1, 0.6), few)) == 2
    assert len(notes_on(20, None, None)) == 1
