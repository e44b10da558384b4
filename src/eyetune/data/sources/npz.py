"""Images and labels from an `.npz` file of NumPy arrays, with the names of Keras's data sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune.data.cache import Decoded
from eyetune.data.dataset import Images, Labels, Split, readable
from eyetune.errors import DataError
from eyetune.inputs.limits import ARRAY_BYTES, IMAGES, fix_for
from eyetune.inputs.npz_file import read_arrays

# (split, names of its images, names of its labels): the first name in the file is used.
_NAMES = (
    ("train", ("x_train", "images", "x"), ("y_train", "labels", "y")),
    ("validation", ("x_val", "x_validation"), ("y_val", "y_validation")),
    ("test", ("x_test",), ("y_test",)),
)
MAX_CLASSES = 10_000
MAX_NAME_BYTES = 4_000  # of a class
BLOCK_BYTES = 2**24  # that are converted at once
NUMBER_KINDS = "iuf"  # NumPy's letters for signed and unsigned integers and floating point
MAX_NUMBER = 2.0**53  # larger numbers are not labels, and may overflow an integer


def read(path: Path) -> Decoded:
    """Read a file with x_train and y_train.

    x_val and y_val, x_test and y_test, and class_names are optional.
    A file without splits has `images` and `labels`, or `x` and `y`. Images are uint8 from 0 to 255
    or floating point from 0 to 1, shape (N, H, W) or (N, H, W, C) with 1 or 3 channels. Labels are
    integers of shape (N,) or (N, 1), or one-hot rows.

    Raises:
        DataError: The file is not an .npz file, or its arrays do not fit this description.
    """
    arrays = _arrays(path)
    splits = {}
    for split, image_names, label_names in _NAMES:
        x = next((name for name in image_names if name in arrays), None)
        y = next((name for name in label_names if name in arrays), None)
        if x is not None and y is not None:
            splits[split] = _split(path, x, arrays[x], y, arrays[y])
        elif split == "train" or x is not None or y is not None:
            raise DataError(
                f"{path} lacks the {split} images or their labels.",
                expected=f"{image_names[0]} and {label_names[0]}",
                received=", ".join(sorted(arrays)) or "no arrays",
            )
    shapes = {name: split.images.shape[1:] for name, split in splits.items()}
    if len(set(shapes.values())) > 1:
        raise DataError(
            f"{path} has images of several shapes.", expected="one shape", received=shapes
        )
    return Decoded(path.stem, _class_names(path, arrays, splits), splits)


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        arrays = read_arrays(path, ARRAY_BYTES)
        for images in (name for _, names, _ in _NAMES for name in names if name in arrays):
            IMAGES.check(len(np.atleast_1d(arrays[images])), images)
        return arrays
    except Exception as error:  # zip, zlib and NumPy have over a dozen errors for damaged files
        raise DataError(
            f"{path} cannot be read as an .npz file.",
            expected="plain arrays saved with numpy.savez",
            received=f"{path.stat().st_size:,} bytes ({error})",
            fix=fix_for(error),
        ) from None


def _split(path: Path, x: str, images: NDArray[Any], y: str, labels: NDArray[Any]) -> Split:
    may_be_empty = x == "x_test"  # the test images may be kept elsewhere
    checked_images = as_images(images, f"{x} in {path}", may_be_empty=may_be_empty)
    has_rows = labels.ndim == 2 and labels.shape[1] > 1
    num_labels = len(labels) if has_rows else labels.size
    if len(checked_images) != num_labels:
        raise DataError(
            f"{path} does not have one label for each image.",
            expected=f"{len(checked_images)} labels in {y}",
            received=f"{num_labels}",
        )
    return Split(checked_images, as_labels(labels, f"{y} in {path}"))


def as_images(values: NDArray[Any], name: str, *, may_be_empty: bool = False) -> Images:
    """Return images as uint8 of shape (N, height, width, channels).

    Args:
        values: Integers from 0 to 255 or floating point from 0 to 1, shape (N, H, W) or
            (N, H, W, 1 or 3).
        name: Their name in an error message.
        may_be_empty: Whether N may be 0.

    Raises:
        DataError: They are not images.
    """
    if values.ndim == 3:
        values = values[..., np.newaxis]
    if values.ndim != 4 or values.shape[-1] not in (1, 3) or not all(values.shape[may_be_empty:]):
        raise DataError(
            f"{name} is not an array of images.",
            expected="shape (N, height, width) or (N, height, width, 1 or 3)",
            received=f"shape {values.shape}",
        )
    if values.dtype == np.uint8:
        return values
    scale = _pixel_scale(values)
    if scale is None:
        received = str(values.dtype)
        if values.dtype.kind in NUMBER_KINDS:
            received += f" from {values.min()} to {values.max()}"
        raise DataError(
            f"{name} is not an array of pixel values.",
            expected="integers from 0 to 255, or floating point from 0 to 1",
            received=received,
        )
    images = np.empty(values.shape, np.uint8)
    for rows in _blocks(values):
        images[rows] = np.round(values[rows] * scale) if scale > 1 else values[rows]
    return images


def _pixel_scale(values: NDArray[Any]) -> int | None:
    """Return what turns values into numbers from 0 to 255: 1 or 255; None if nothing does."""
    if values.dtype.kind == "f":
        # The comparison is false for NaN too.
        is_valid = all(
            bool(((values[rows] >= 0) & (values[rows] <= 1)).all()) for rows in _blocks(values)
        )
        return 255 if is_valid else None
    if values.dtype.kind in "iu" and values.min(initial=0) >= 0 and values.max(initial=0) <= 255:
        return 1
    return None


def _blocks(values: NDArray[Any]) -> Iterator[slice]:
    """Yield slices of the first axis, so that converted copies stay small."""
    num_rows = max(1, BLOCK_BYTES // max(1, values[:1].nbytes))
    for start in range(0, len(values), num_rows):
        yield slice(start, start + num_rows)


def as_labels(values: NDArray[Any], name: str) -> Labels:
    """Return labels as int64 of shape (N,).

    Args:
        values: Integers of shape (N,) or (N, 1), or one-hot rows.
        name: Their name in an error message.

    Raises:
        DataError: They are not labels.
    """
    if values.dtype.kind not in NUMBER_KINDS or values.ndim == 0:
        raise _not_labels(values, name)
    blocks = [_labels(values[rows], name) for rows in _blocks(values)]
    return np.concatenate([np.empty(0, np.int64), *blocks])


def _labels(values: NDArray[Any], name: str) -> Labels:
    numbers = values.astype(np.float64)
    if numbers.ndim == 2 and numbers.shape[1] > 1:
        if not (((numbers == 0) | (numbers == 1)).all() and (numbers.sum(axis=1) == 1).all()):
            raise DataError(f"{name} has two columns or more, but its rows are not one-hot.")
        return np.asarray(numbers.argmax(axis=1), np.int64)
    flat = numbers.reshape(-1)
    if not np.isfinite(flat).all() or (flat != np.floor(flat)).any():
        raise _not_labels(values, name)
    return np.asarray(np.clip(flat, -MAX_NUMBER, MAX_NUMBER), np.int64)


def _not_labels(values: NDArray[Any], name: str) -> DataError:
    return DataError(
        f"{name} is not an array of labels.", expected="integers", received=f"{values.dtype}"
    )


def _class_names(
    path: Path, arrays: Mapping[str, NDArray[Any]], splits: Mapping[str, Split]
) -> tuple[str, ...]:
    labels = np.concatenate([split.labels for split in splits.values()])
    named = arrays.get("class_names")
    if named is not None and named.ndim != 1:
        raise DataError(
            f"class_names in {path} is not a list.",
            expected="shape (N,)",
            received=f"shape {named.shape}",
        )
    if named is not None and (len(named) > MAX_CLASSES or named.itemsize > MAX_NAME_BYTES):
        raise DataError(
            f"class_names in {path} is too long.",
            expected=f"at most {MAX_CLASSES:,} names of at most {MAX_NAME_BYTES:,} bytes",
            received=f"{len(named):,} names of {named.itemsize:,} bytes",
        )
    names = range(int(labels.max(initial=0)) + 1) if named is None else named.tolist()
    count = len(names)
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= min(count, MAX_CLASSES):
        raise DataError(
            f"{path} has a label out of range.",
            expected=f"0 to {min(count, MAX_CLASSES) - 1}",
            received=f"{labels.min()} to {labels.max()}",
        )
    return tuple(
        readable(name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else str(name))
        for name in names
    )
