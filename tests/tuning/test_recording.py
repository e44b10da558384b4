from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eyetune.data import Dataset, Split
from eyetune.testing.datasets import tiny_images
from eyetune.tuning.recording import linear_baseline


def dataset_of(seed: int) -> Dataset:
    names = ("red", "green", "blue")
    train = Split(*tiny_images(60, 3, size=8, seed=seed))
    validation = Split(*tiny_images(30, 3, size=8, seed=seed + 1))
    return Dataset("colors", "memory", names, train, validation, validation, f"colors {seed}")


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EYETUNE_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("empty_cache")
def test_linear_baseline_is_fitted_once_per_data_set() -> None:
    notes: list[str] = []
    accuracies = [linear_baseline(dataset_of(0), notes.append) for _ in range(3)]
    assert accuracies == [1.0, 1.0, 1.0]
    assert len(notes) == 1
    linear_baseline(dataset_of(5), notes.append)
    assert len(notes) == 2


def test_linear_baseline_of_one_class_is_unknown() -> None:
    dataset = dataset_of(0)
    labels = np.zeros_like(dataset.train.labels)
    assert linear_baseline(replace(dataset, train=Split(dataset.train.images, labels))) is None


def test_linear_baseline_needs_no_cache(empty_cache: Path) -> None:
    (empty_cache / "computed").touch()  # no folder can be made there
    assert linear_baseline(dataset_of(0)) == 1.0
