from __future__ import annotations

import contextlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from eyetune.data import load
from eyetune.data.sources import npz
from eyetune.errors import DataError, EyetuneError
from eyetune.inputs.limits import ARRAY_BYTES
from eyetune.inputs.limits import IMAGES as MAX_IMAGES
from eyetune.testing.datasets import tiny_images

IMAGES, LABELS = tiny_images(12, 3, size=8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pets.npz"


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch") / "any.npz"


def error_of(path: Path, **contents: Any) -> DataError:
    np.savez(path, **contents)
    with pytest.raises(DataError) as caught:
        npz.read(path)
    assert str(path) in caught.value.message
    return caught.value


def test_keras_names_give_the_splits(path: Path) -> None:
    np.savez(
        path,
        x_train=IMAGES[:6],
        y_train=LABELS[:6, np.newaxis],
        x_test=IMAGES[6:],
        y_test=LABELS[6:, np.newaxis],
    )
    found = npz.read(path)
    assert found.name == "pets"
    assert found.class_names == ("0", "1", "2")
    assert set(found.splits) == {"train", "test"}
    assert np.array_equal(found.splits["train"].images, IMAGES[:6])
    assert np.array_equal(found.splits["train"].labels, LABELS[:6])
    assert np.array_equal(found.splits["test"].images, IMAGES[6:])
    assert found.splits["test"].labels.dtype == np.int64


@pytest.mark.parametrize("names", [("x_val", "y_val"), ("x_validation", "y_validation")])
def test_validation_split_is_kept(names: tuple[str, str], path: Path) -> None:
    arrays: dict[str, Any] = {names[0]: IMAGES[:3], names[1]: LABELS[:3]}
    np.savez(path, x_train=IMAGES, y_train=LABELS, **arrays)
    dataset = load(path)
    assert len(dataset.validation) == 3
    assert len(dataset.train) + len(dataset.test) == 12


@pytest.mark.parametrize("names", [("images", "labels"), ("x", "y")])
def test_images_without_splits_are_split(names: tuple[str, str], path: Path) -> None:
    arrays: dict[str, Any] = {names[0]: IMAGES, names[1]: LABELS}
    np.savez_compressed(path, **arrays)
    dataset = load(path)
    assert [len(split) for _, split in dataset.splits()] == [8, 2, 2]
    assert dataset.notes == ("the source has no test split: 2 images are held out for testing",)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_floating_point_images_become_their_original_bytes(dtype: Any, path: Path) -> None:
    every = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    np.savez(path, x=(every / 255).astype(dtype), y=[0, 1, 0, 1])
    assert np.array_equal(npz.read(path).splits["train"].images[..., 0], every)


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int64, np.uint64])
def test_whole_numbers_of_0_to_255_become_bytes(dtype: Any, path: Path) -> None:
    np.savez(path, x=IMAGES.astype(dtype), y=LABELS)
    images = npz.read(path).splits["train"].images
    assert images.dtype == np.uint8
    assert np.array_equal(images, IMAGES)


@pytest.mark.parametrize("shape", [(12, 8, 8), (12, 8, 8, 1)])
def test_gray_images_get_one_channel(shape: tuple[int, ...], path: Path) -> None:
    np.savez(path, x=IMAGES[..., 0].reshape(shape), y=LABELS)
    dataset = load(path)
    assert dataset.image_shape == (8, 8, 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64, np.float32, np.float64])
def test_one_hot_rows_and_every_kind_of_number_give_the_labels(dtype: Any, path: Path) -> None:
    for labels in (LABELS, LABELS[:, np.newaxis], np.eye(3)[LABELS]):
        np.savez(path, x=IMAGES, y=labels.astype(dtype))
        assert np.array_equal(npz.read(path).splits["train"].labels, LABELS)


@pytest.mark.parametrize("names", [["cat", "dog", "owl"], [b"cat", b"dog", b"owl"]])
def test_class_names_are_taken_from_the_file(names: list[Any], path: Path) -> None:
    np.savez(path, x=IMAGES, y=LABELS, class_names=names)
    assert npz.read(path).class_names == ("cat", "dog", "owl")


def test_unprintable_class_names_are_escaped(path: Path) -> None:
    np.savez(path, x=IMAGES, y=LABELS, class_names=["a\nb", "a\x01", "café"])
    assert npz.read(path).class_names == ("a\\nb", "a\\x01", "café")


@pytest.mark.parametrize(
    ("labels", "names", "expected", "received"),
    [
        (LABELS - 1, None, "0 to 1", "-1 to 1"),
        (LABELS, ["cat", "dog"], "0 to 1", "0 to 2"),
        (LABELS * 50_000, None, "0 to 9999", "0 to 100000"),
        (
            LABELS.astype(np.uint64) + 2**63,
            None,
            "0 to 9999",
            "9007199254740992 to 9007199254740992",
        ),
        (LABELS * 1e300, None, "0 to 9999", "0 to 9007199254740992"),
    ],
)
def test_labels_out_of_range_are_reported(
    labels: Any,
    names: list[str] | None,
    expected: str,
    received: str,
    path: Path,
    recwarn: pytest.WarningsRecorder,
) -> None:
    error = error_of(path, x=IMAGES, y=labels, **({} if names is None else {"class_names": names}))
    assert error.details() == {"expected": expected, "received": received}
    assert len(recwarn) == 0


@pytest.mark.parametrize(
    "labels",
    [
        LABELS + 0.5,
        np.where(LABELS == 1, np.nan, LABELS),
        np.where(LABELS == 1, np.inf, LABELS),
        LABELS.astype(str),
        LABELS > 0,
        LABELS.astype(complex),
        LABELS.astype("m8[s]"),
        LABELS.astype("M8[s]"),
    ],
)
def test_labels_that_are_not_integers_are_rejected(labels: Any, path: Path) -> None:
    error = error_of(path, x=IMAGES, y=labels)
    assert error.received == str(labels.dtype)


@pytest.mark.parametrize("change", [0.5, 2.0, np.nan])
def test_rows_that_are_not_one_hot_are_rejected(change: float, path: Path) -> None:
    rows = np.eye(3)[LABELS]
    rows[0, 0] = change
    for labels in (rows, np.zeros((12, 3)), np.ones((12, 3))):
        error_of(path, x=IMAGES, y=labels)


@pytest.mark.parametrize(
    ("images", "received"),
    [
        (IMAGES / 255 * 2, "float64 from 0."),
        (IMAGES.astype(np.float32), "float32 from "),
        (np.where(IMAGES > 200, np.nan, 0.5), "float64 from nan to nan"),
        (IMAGES.astype(np.int16) - 300, "int16 from -"),
        (IMAGES.astype(np.int16) + 200, "int16 from 2"),
        (IMAGES > 100, "bool"),
        (IMAGES.astype(complex), "complex128"),
        (IMAGES.astype("m8[s]"), "timedelta64[s]"),
        (IMAGES.astype(str), "<U3"),
    ],
)
def test_values_that_are_not_pixels_are_rejected(images: Any, received: str, path: Path) -> None:
    error = error_of(path, x=images, y=LABELS)
    assert (error.received or "").startswith(received)


@pytest.mark.parametrize(
    "shape",
    [(12, 192), (12, 8, 8, 2), (12, 8, 8, 4), (12, 0, 8, 3), (0, 8, 8, 3), (), (1, 12, 8, 8, 3)],
)
def test_shapes_that_are_not_images_are_rejected(shape: tuple[int, ...], path: Path) -> None:
    error = error_of(path, x=np.zeros(shape, np.uint8), y=LABELS)
    assert error.received == f"shape {shape}"


def test_splits_of_several_shapes_are_rejected(path: Path) -> None:
    error_of(path, x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:, :4], y_test=LABELS)


@pytest.mark.parametrize(
    "labels", [LABELS[:-1], np.zeros(0, np.int64), np.zeros((12, 3, 2), np.int64), np.int64(1)]
)
def test_images_and_labels_of_two_lengths_are_rejected(labels: Any, path: Path) -> None:
    error = error_of(path, x=IMAGES, y=labels)
    assert error.expected == "12 labels in y"
    assert error.received == str(labels.size)


@pytest.mark.parametrize(
    ("contents", "received"),
    [
        ({"x_train": IMAGES}, "x_train"),
        ({"y_train": LABELS}, "y_train"),
        ({"pictures": IMAGES, "y": LABELS}, "pictures, y"),
        ({}, "no arrays"),
        ({"x": IMAGES, "y": LABELS, "x_test": IMAGES}, "x, x_test, y"),
        ({"x": IMAGES, "y": LABELS, "y_val": LABELS}, "x, y, y_val"),
    ],
)
def test_missing_arrays_are_reported_with_the_existing_ones(
    contents: dict[str, Any], received: str, path: Path
) -> None:
    error = error_of(path, **contents)
    assert error.received == received


@pytest.mark.parametrize("names", [np.array("cat"), np.array([["cat"], ["dog"], ["owl"]])])
def test_class_names_that_are_not_a_list_are_rejected(names: Any, path: Path) -> None:
    error = error_of(path, x=IMAGES, y=LABELS, class_names=names)
    assert "class_names" in error.message
    assert error.received == f"shape {names.shape}"


class Mine:
    """An object that NumPy can only save as a pickle."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("the pickle was opened",)


@pytest.mark.parametrize("name", ["x", "y", "class_names", "unrelated"])
def test_object_arrays_are_rejected_without_unpickling(name: str, path: Path) -> None:
    contents = {"x": IMAGES, "y": LABELS, name: np.array([Mine()], dtype=object)}
    error = error_of(path, **contents)
    assert "Object arrays cannot be loaded" in (error.received or "")


def test_files_that_are_not_arrays_are_rejected(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train", b"raw")
        archive.writestr("y_train.npy", b"raw")
    with pytest.raises(DataError, match="x_train"):
        npz.read(path)


def test_bomb_names_the_limit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(path, x=np.zeros((12, 50, 50), np.uint8), y=LABELS)
    npz.read(path)
    monkeypatch.setenv(ARRAY_BYTES.variable, "20000")
    with pytest.raises(DataError) as caught:
        npz.read(path)
    assert ARRAY_BYTES.variable in str(caught.value.fix)


def test_many_images_name_the_limit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(path, x=IMAGES, y=LABELS)
    monkeypatch.setenv(MAX_IMAGES.variable, "11")
    with pytest.raises(DataError) as caught:
        npz.read(path)
    assert MAX_IMAGES.variable in str(caught.value.fix)


@pytest.mark.parametrize("names", [["a"] * 10_001, ["a" * 2000]])
def test_large_class_names_are_rejected(names: list[str], path: Path) -> None:
    error = error_of(path, x=IMAGES, y=LABELS, class_names=names)
    assert "class_names" in error.message


def as_npy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, IMAGES)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"plain text"),
        lambda path: path.write_bytes(b"PK\x03\x04 no zip"),
        as_npy,
    ],
)
def test_file_that_is_not_an_npz_is_reported_with_its_size(write: Any, path: Path) -> None:
    write(path)
    with pytest.raises(DataError) as caught:
        npz.read(path)
    assert (caught.value.received or "").startswith(f"{path.stat().st_size:,} bytes")


@given(st.binary(max_size=2000))
def test_any_bytes_are_arrays_or_raise_a_data_error(scratch: Path, content: bytes) -> None:
    scratch.write_bytes(content)
    with pytest.raises(EyetuneError):
        npz.read(scratch)


@given(data=st.data())
@settings(max_examples=300)
def test_damaged_file_is_read_or_raises_a_data_error(scratch: Path, data: st.DataObject) -> None:
    save = data.draw(st.sampled_from([np.savez, np.savez_compressed]))
    save(scratch, x=IMAGES, y=LABELS)
    content = bytearray(scratch.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[
            data.draw(st.integers(0, 200) | st.integers(len(content) - 200, len(content) - 1))
        ] = data.draw(st.integers(0, 255))
    scratch.write_bytes(content)
    with contextlib.suppress(EyetuneError):
        npz.read(scratch)


@given(
    arrays.arrays(arrays.scalar_dtypes(), arrays.array_shapes(max_dims=4, max_side=4, min_dims=0)),
    arrays.arrays(arrays.scalar_dtypes(), arrays.array_shapes(max_dims=2, max_side=4, min_dims=0)),
    st.none()
    | arrays.arrays(
        arrays.scalar_dtypes(), arrays.array_shapes(max_dims=2, max_side=3, min_dims=0)
    ),
    st.booleans(),
)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_any_array_is_read_or_raises_a_data_error(
    scratch: Path, x: Any, y: Any, names: Any, good_images: bool
) -> None:
    contents = {"x": IMAGES[: len(y)] if good_images and y.ndim and len(y) else x, "y": y}
    np.savez(scratch, **contents, **({} if names is None else {"class_names": names}))
    with contextlib.suppress(EyetuneError):
        found = npz.read(scratch)
        assert found.splits["train"].images.dtype == np.uint8
        assert found.splits["train"].labels.max() < len(found.class_names)
