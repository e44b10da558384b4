"""Data in memory, written for the workers and read again exactly as it was given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyetune.data.array_dataset import ArrayDataset
from eyetune.data.array_store import GivenData, is_kept, keep_samples, open_samples
from eyetune.errors import DataError, UsageError, WorkspaceError
from eyetune.values.samples import Form, Order, leaves

X = np.random.default_rng(0).normal(size=(10, 4, 3))
Y = np.arange(10) % 3


def kept(tmp_path: Path, *given: Any, **options: Any) -> ArrayDataset:
    return open_samples(keep_samples(tmp_path, GivenData(*given), **options))


@pytest.mark.parametrize(
    "x",
    [
        X,
        X.astype(np.float16),
        (X * 100).astype(np.uint8),
        X > 0,
        X[:, 0, 0],
        np.asfortranarray(X),
        X[::-1],
        np.array(["a", "bcd"] * 5),
        np.array([b"a", b"bcd"] * 5),
        {"second": X, "first": (X[:, 0], [Y])},
    ],
)
def test_arrays_are_read_as_they_were_given(tmp_path: Path, x: Any) -> None:
    dataset = kept(tmp_path, x, Y, np.linspace(0, 1, 10))
    for values, given in zip(leaves(dataset.train.x), leaves(x), strict=True):
        np.testing.assert_array_equal(values, given)
        assert values.dtype == given.dtype
        assert type(values) is np.ndarray
    assert repr(type(dataset.train.x)) == repr(type(x))
    np.testing.assert_array_equal(dataset.train.sample_weight, np.linspace(0, 1, 10))
    assert dataset.validation is None
    assert dataset.train.form is Form.ARRAYS


def test_texts_of_objects_are_kept_as_texts(tmp_path: Path) -> None:
    dataset = kept(tmp_path, np.array(["ä", "bc"], dtype=object), np.arange(2))
    assert dataset.train.x.tolist() == ["ä", "bc"]


def test_changes_of_an_array_are_private(tmp_path: Path) -> None:
    folder = keep_samples(tmp_path, GivenData(X, Y))
    open_samples(folder).train.x[:] = 0
    np.testing.assert_array_equal(open_samples(folder).train.x, X)


def test_folder_is_named_by_its_content(tmp_path: Path) -> None:
    folder = keep_samples(tmp_path, GivenData(X, Y))
    before = (folder / "samples.json").stat().st_mtime_ns
    assert keep_samples(tmp_path, GivenData(X.copy(), Y)) == folder
    assert (folder / "samples.json").stat().st_mtime_ns == before  # not written again
    others = [
        GivenData(X.astype(np.float32), Y),
        GivenData(X, Y.astype(np.int32)),
        GivenData(X, Y[::-1]),
        GivenData((X,), Y),
        GivenData(X, Y, np.ones(10)),
    ]
    folders = {keep_samples(tmp_path, other) for other in others}
    folders |= {
        keep_samples(tmp_path, GivenData(X, Y), validation_split=0.2),
        keep_samples(tmp_path, GivenData(X, Y), GivenData(X, Y)),
    }
    assert len(folders | {folder}) == len(others) + 3
    assert not list(tmp_path.glob(".*"))  # nothing incomplete is left


@pytest.mark.parametrize(("split", "num_train"), [(0.2, 8), (0.25, 7), (0.5, 5), (0.99, 0)])
def test_split_is_that_of_keras(tmp_path: Path, split: float, num_train: int) -> None:
    if not num_train:
        with pytest.raises(UsageError):
            kept(tmp_path, X, Y, validation_split=split)
        return
    dataset = kept(tmp_path, X, Y, validation_split=split)
    assert len(dataset.train) == num_train
    assert dataset.validation is not None
    np.testing.assert_array_equal(dataset.validation.x, X[num_train:])
    assert dataset.validation_split == split
    assert len(dataset.given) == 10


def test_separate_validation_data_replaces_a_split(tmp_path: Path) -> None:
    folder = keep_samples(
        tmp_path, GivenData(X, Y), GivenData(X[:3], Y[:3], np.ones(3)), validation_split=0.2
    )
    dataset = open_samples(folder)
    assert (len(dataset.train), len(dataset.validation or ())) == (10, 3)
    assert dataset.validation_split == 0
    assert dataset.validation is not None
    assert dataset.validation.sample_weight is not None


class Batches:
    """A source of batches with a length."""

    def __init__(self, *batches: Any) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Any:
        return iter(self._batches)


def test_batches_are_joined_and_remembered(tmp_path: Path) -> None:
    source = Batches((X[:4], Y[:4]), (X[4:8], Y[4:8]), (X[8:], Y[8:]))
    seen: list[tuple[int, int | None]] = []
    folder = keep_samples(
        tmp_path, GivenData(source), on_batch=lambda done, total: seen.append((done, total))
    )
    train = open_samples(folder).train
    np.testing.assert_array_equal(train.x, X)
    np.testing.assert_array_equal(train.y, Y)
    assert (train.batch_sizes, train.form, train.order) == ((4, 4, 2), Form.GENERATOR, Order.FIXED)
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_steps_limit_the_batches(tmp_path: Path) -> None:
    source = Batches(*(((X[i : i + 2], Y[i : i + 2])) for i in range(0, 10, 2)))
    assert kept(tmp_path, source, steps=2).train.batch_sizes == (2, 2)


@pytest.mark.parametrize(
    "batches",
    [
        [],
        [(X[:4], Y[:4]), (X[4:8, :2], Y[4:8])],
        [(X[:4], Y[:4]), (X[4:8].astype(np.float32), Y[4:8])],
        [(X[:4], Y[:4]), (X[4:8],)],
        [(X[:4], Y[:3])],
        [(X[:4], Y[:4], Y[:4], Y[:4])],
    ],
)
def test_batches_that_do_not_fit_together_are_refused(tmp_path: Path, batches: list[Any]) -> None:
    with pytest.raises(DataError):
        kept(tmp_path, Batches(*batches))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "given",
    [
        (X, Y[:9]),
        (X[:0], Y[:0]),
        (X, [0, 1, 2]),
        ("images", Y),
        (np.float32(3), Y),
        (X.astype(object), Y),
        (np.array(["2026-01-01"], "datetime64[D]"), Y[:1]),
        (Batches((X, Y)), Y),
    ],
)
def test_data_that_cannot_be_trained_on_is_refused(tmp_path: Path, given: tuple[Any, ...]) -> None:
    with pytest.raises(DataError) as caught:
        kept(tmp_path, *given)
    assert caught.value.expected or caught.value.fix
    assert not list(tmp_path.iterdir())


def test_split_of_batches_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        kept(tmp_path, Batches((X, Y)), validation_split=0.2)


def test_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError):
        keep_samples(tmp_path / "file", GivenData(X, Y))


@pytest.mark.parametrize("damage", ["no file", "no json", "short", "other file", "no key"])
def test_damaged_folder_is_reported(tmp_path: Path, damage: str) -> None:
    folder = keep_samples(tmp_path, GivenData(X, Y))
    about_file = folder / "samples.json"
    about = json.loads(about_file.read_text())
    if damage == "no file":
        about_file.unlink()
    elif damage == "no json":
        about_file.write_text("{")
    elif damage == "short":
        (folder / "0.bin").write_bytes(b"")
    elif damage == "other file":
        about["train"]["x"]["file"] = "../../secret"
        about_file.write_text(json.dumps(about))
    else:
        del about["num_train"]
        about_file.write_text(json.dumps(about))
    with pytest.raises(DataError):
        open_samples(folder)
    assert is_kept(folder) == (damage != "no file")
