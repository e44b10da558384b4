"""CIFAR-10 and CIFAR-100 in their official layouts: the Python (pickled) and the binary one.

Both come as an archive (`cifar-10-python.tar.gz`, `cifar-10-binary.tar.gz`) or as its folder.
Archives are read without extracting them (`archive.py`), and pickles without Python's unpickler
(`pickled.py`).

Layouts: https://www.cs.toronto.edu/~kriz/cifar.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from eyetune.data.dataset import Split
from eyetune.data.sources import archive, pickled
from eyetune.data.sources.pickled import PickledArray
from eyetune.errors import DataError
from eyetune.inputs.limits import ARCHIVE_BYTES, fix_for
from eyetune.inputs.regular_file import read_bytes

IMAGE_BYTES = 3 * 32 * 32


@dataclass(frozen=True)
class Layout:
    """The layout of one kind of archive.

    Attributes:
        name: "cifar10" or "cifar100".
        train: Files of the training images, in order.
        test: File of the test images.
        names: File of the class names.
        label_key: Key of the labels in a pickled batch.
        names_key: Key of the class names in the pickled names file.
        label_bytes: Bytes before each image of a binary batch; the last of them is the label.
        num_classes: Number of classes.
    """

    name: str
    train: tuple[str, ...]
    test: str
    names: str
    label_key: bytes
    names_key: bytes
    label_bytes: int
    num_classes: int

    @property
    def files(self) -> tuple[str, ...]:
        """All required files."""
        return (*self.train, self.test, self.names)

    @property
    def binary(self) -> bool:
        """Whether the batches are plain bytes instead of pickles."""
        return self.test.endswith(".bin")


_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
_BINARY_BATCHES = tuple(f"{name}.bin" for name in _BATCHES)
LAYOUTS = (
    Layout("cifar10", _BATCHES, "test_batch", "batches.meta", b"labels", b"label_names", 1, 10),
    Layout("cifar10", _BINARY_BATCHES, "test_batch.bin", "batches.meta.txt", b"", b"", 1, 10),
    Layout("cifar100", ("train",), "test", "meta", b"fine_labels", b"fine_label_names", 2, 100),
    Layout("cifar100", ("train.bin",), "test.bin", "fine_label_names.txt", b"", b"", 2, 100),
)
ARCHIVES = {
    "cifar10": ("cifar-10-python.tar.gz", "cifar-10-binary.tar.gz"),
    "cifar100": ("cifar-100-python.tar.gz", "cifar-100-binary.tar.gz"),
}
FOLDERS = {
    "cifar10": ("cifar-10-batches-py", "cifar-10-batches-bin"),
    "cifar100": ("cifar-100-python", "cifar-100-binary"),
}

CLASS_NAMES = {
    "cifar10": (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    ),
    "cifar100": (
        "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle",
        "bottle", "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle",
        "caterpillar", "cattle", "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch",
        "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish", "forest", "fox",
        "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
        "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom",
        "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree",
        "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road",
        "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake",
        "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
        "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle",
        "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
    ),
}  # fmt: skip


def looks_like_folder(path: Path) -> bool:
    """Return whether a folder has the files of one of the layouts."""
    return any(
        (path / layout.test).is_file() and (path / layout.names).is_file() for layout in LAYOUTS
    )


def find(directory: Path, name: str) -> Path | None:
    """Return the archive or folder of "cifar10" or "cifar100" in a directory; None if missing."""
    candidates = [directory / entry for entry in (*ARCHIVES[name], *FOLDERS[name])]
    return next((path for path in candidates if path.exists()), None)


def read(path: Path) -> tuple[str, tuple[str, ...], Split, Split]:
    """Read an archive or a folder.

    Returns:
        The name ("cifar10" or "cifar100"), the class names, the official training images and the
        official test images, both uint8 of shape (N, 32, 32, 3).

    Raises:
        DataError: It is truncated, has another layout, or its counts, shapes or labels are wrong.
    """
    members = _read_members(path)
    layouts = [
        layout for layout in LAYOUTS if layout.test in members and layout.train[0] in members
    ]
    if not layouts:
        raise DataError(
            f"{path} is not a CIFAR archive.",
            expected=f"files such as {_BATCHES[0]} and test_batch, or train and test",
            received=", ".join(sorted(members)) or "none of the files of any CIFAR layout",
        )
    layout = layouts[0]
    missing = [name for name in layout.files if name not in members]
    if missing:
        raise DataError(
            f"{path} is incomplete.",
            expected=", ".join(layout.files),
            received=f"no {', '.join(missing)}",
            fix="Download it again.",
        )
    class_names, batch_images = _read_names(path, layout, members[layout.names])
    batches = [
        _read_batch(path, layout, name, members[name]) for name in (*layout.train, layout.test)
    ]
    _check_counts(path, layout, batches, batch_images)
    train = Split(
        np.concatenate([batch.images for batch in batches[:-1]]),
        np.concatenate([batch.labels for batch in batches[:-1]]),
    )
    return layout.name, class_names, train, batches[-1]


def _read_members(path: Path) -> dict[str, bytes]:
    wanted = {name for layout in LAYOUTS for name in layout.files}
    try:
        if path.is_dir():
            return _folder_members(path, wanted)
        return dict(archive.members(path, wanted))
    except (EOFError, OSError, ValueError, OverflowError, MemoryError) as error:
        raise DataError(
            f"{path} {'is truncated' if isinstance(error, EOFError) else 'cannot be read'}.",
            expected="a complete .tar or .tar.gz of CIFAR-10 or CIFAR-100, or its folder",
            received=f"{path.stat().st_size:,} bytes ({error})",
            fix=fix_for(error, "Download it again."),
        ) from None


def _folder_members(folder: Path, wanted: set[str]) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    for name in sorted(wanted):
        if (folder / name).is_file():
            members[name] = read_bytes(folder / name, ARCHIVE_BYTES)
            ARCHIVE_BYTES.check(sum(map(len, members.values())), "a folder")
    return members


def _unpickle(path: Path, name: str, content: bytes) -> Mapping[bytes, Any]:
    try:
        value = pickled.parse(content)
    except Exception as error:  # the parser has many errors for damaged pickles
        raise DataError(
            f"{name} in {path} cannot be read as a CIFAR batch.",
            expected="a pickle of plain values and NumPy arrays only",
            received=f"{type(error).__name__}: {error}",
            fix=fix_for(error, "Download the archive again from a source that you trust."),
        ) from None
    if not isinstance(value, dict):
        raise DataError(
            f"{name} in {path} is not a CIFAR batch.",
            expected="a dictionary",
            received=type(value).__name__,
        )
    return value


def _read_names(path: Path, layout: Layout, content: bytes) -> tuple[tuple[str, ...], int | None]:
    """Return the class names and, if the file says so, the number of images in each batch."""
    if layout.binary:
        names = [
            line.strip() for line in content.decode("utf-8", "replace").splitlines() if line.strip()
        ]
        images = None
    else:
        value = _unpickle(path, layout.names, content)
        listed = value.get(layout.names_key)
        names = []
        for name in listed if isinstance(listed, list) else ():
            if isinstance(name, bytes):
                names.append(name.decode("utf-8", "replace"))
            elif isinstance(name, str):
                names.append(name)
        images = value.get(b"num_cases_per_batch")
    if len(names) != layout.num_classes:
        raise DataError(
            f"{layout.names} in {path} is invalid.",
            expected=f"{layout.num_classes} class names",
            received=f"{len(names)}",
        )
    return tuple(names), images if isinstance(images, int) and 0 < images < 2**31 else None


def _read_batch(path: Path, layout: Layout, name: str, content: bytes) -> Split:
    if layout.binary:
        rows, labels = _binary_rows(path, layout, name, content)
    else:
        rows, labels = _pickled_rows(path, layout, name, content)
    if labels.size and not (labels.min() >= 0 and labels.max() < layout.num_classes):
        wrong = labels[(labels < 0) | (labels >= layout.num_classes)][0]
        raise DataError(
            f"{name} in {path} has a label out of range.",
            expected=f"0 to {layout.num_classes - 1}",
            received=int(wrong),
        )
    # Rows hold all red values, then green, then blue; images are (height, width, channel).
    images = np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return Split(images, labels.astype(np.int64))


def _binary_rows(
    path: Path, layout: Layout, name: str, content: bytes
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    record_bytes = layout.label_bytes + IMAGE_BYTES
    if not content or len(content) % record_bytes:
        raise DataError(
            f"{name} in {path} is truncated.",
            expected=f"a multiple of {record_bytes} bytes",
            received=f"{len(content):,} bytes",
            fix="Download it again.",
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, record_bytes)
    return records[:, layout.label_bytes :], records[:, layout.label_bytes - 1].astype(np.int64)


def _pickled_rows(
    path: Path, layout: Layout, name: str, content: bytes
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    value = _unpickle(path, name, content)
    array, labels = value.get(b"data"), value.get(layout.label_key)
    rows = _rows(array) if isinstance(array, PickledArray) else None
    if rows is None:
        received = str(array) if isinstance(array, PickledArray) else type(array).__name__
        raise DataError(
            f"The images of {name} in {path} have the wrong shape.",
            expected=f"u1 (bytes) of shape (N, {IMAGE_BYTES})",
            received=received,
        )
    if not isinstance(labels, list) or not all(
        type(label) is int and abs(label) < 2**31 for label in labels
    ):
        raise DataError(f"The labels of {name} in {path} are not a list of small integers.")
    if len(labels) != len(rows):
        raise DataError(
            f"{name} in {path} does not have one label for each image.",
            expected=f"{len(rows)} labels",
            received=len(labels),
        )
    return rows, np.asarray(labels)


def _rows(array: PickledArray) -> NDArray[np.uint8] | None:
    """Return an array that has one row of bytes per image, as in a batch; None for others."""
    match array.shape, array.code, array.content:
        case (int(count), int(size)), "u1", bytes(content) if (
            size == IMAGE_BYTES and len(content) == count * size
        ):
            order: Literal["F", "C"] = "F" if array.is_fortran else "C"
            return np.frombuffer(content, np.uint8).reshape((count, size), order=order)
    return None


def _check_counts(
    path: Path, layout: Layout, batches: list[Split], batch_images: int | None
) -> None:
    """Check that all batches of CIFAR-10 have one size, which the pickled names file says too."""
    counts = [len(batch) for batch in batches]
    expected = {batch_images or counts[0]} if layout.name == "cifar10" else set(counts)
    if set(counts) - expected or not all(counts):
        raise DataError(
            f"{path} does not have the expected number of images.",
            expected=f"{expected.pop():,} images in each file",
            received=", ".join(
                f"{name}: {count:,}" for name, count in zip(layout.files, counts, strict=False)
            ),
            fix="Download it again.",
        )
