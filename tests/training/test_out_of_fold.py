"""Out-of-fold predictions: no picture is judged by a classifier that has seen its label."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.testing.datasets import tiny_images
from eyetune.training import out_of_fold
from eyetune.training.out_of_fold import (
    choose_method,
    fold_of,
    picture_features,
    predict_by_features,
    predict_by_networks,
)


@given(
    pairs=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), min_size=1, max_size=60),
    seed=st.integers(0, 100),
)
def test_copies_are_in_one_fold(pairs: list[tuple[int, int]], seed: int) -> None:
    labels, groups = np.array(pairs).T
    folds = fold_of(labels, groups, seed)
    assert set(folds) <= set(range(out_of_fold.NUM_FOLDS))
    for group in np.unique(groups):
        assert len(set(folds[groups == group])) == 1


def test_folds_have_the_classes_in_their_proportions() -> None:
    labels = np.repeat([0, 1], [100, 20])
    folds = fold_of(labels, np.arange(120), seed=0)
    for fold in range(out_of_fold.NUM_FOLDS):
        assert (labels[folds == fold] == 1).sum() == pytest.approx(4, abs=1)


def test_wrong_labels_are_not_learned_by_their_own_classifier() -> None:
    generator = np.random.default_rng(0)
    true = np.arange(100) % 2
    features = (true[:, np.newaxis] * 4 + generator.normal(0, 1, (100, 5))).astype(np.float32)
    labels = true.copy()
    labels[:5] = 1 - labels[:5]
    folds = fold_of(labels, np.arange(100), seed=0)
    predicted = predict_by_features(features, labels, 3, folds)
    assert predicted[:, 2].max() == 0
    assert (predicted.argmax(axis=1) == true).mean() > 0.97
    np.testing.assert_allclose(predicted.sum(axis=1), 1, atol=1e-5)


def test_parts_without_two_classes_are_predicted_as_the_one() -> None:
    labels = np.array([0, 0, 0, 1])
    predicted = predict_by_features(np.zeros((4, 2), np.float32), labels, 2, np.array([0, 0, 0, 1]))
    assert predicted[3].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("count", "name", "method"),
    [(180, "photos", "features"), (5000, "photos", "networks"), (180, "cifar10", "networks")],
)
def test_method_suits_the_number_of_pictures(count: int, name: str, method: str) -> None:
    assert choose_method(count, name) == method


def test_networks_and_features_tell_colors_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(out_of_fold, "MIN_STEPS", 24)
    monkeypatch.setattr(out_of_fold, "NUM_EPOCHS", 1)
    images, labels = tiny_images(60, 2)
    folds = np.arange(60) // 2 % 2
    counted: list[tuple[int, int]] = []
    predicted = predict_by_networks(
        images, labels, 2, folds, lambda *progress: counted.append(progress)
    )
    np.testing.assert_allclose(predicted.sum(axis=1), 1, atol=1e-3)
    assert counted[-1][0] == counted[-1][1] == len(counted)
    features = picture_features(images)
    assert features.shape[0] == 60
    by_features = predict_by_features(features, labels, 2, folds)
    assert (by_features.argmax(axis=1) == labels).mean() > 0.95
    assert picture_features(images[..., :1]).shape == features.shape
