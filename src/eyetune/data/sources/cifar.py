"""CIFAR-10 and CIFAR-100 in their official layouts: the Python (pickled) and the binary one.

Both come as an archive (`cifar-10-python.tar.gz`, `cifar-10-binary.tar.gz`) or as its folder.
Archives are read without extracting them. Pickles are read with an unpickler that accepts only
plain values and arrays of bytes.

Layouts: https://www.cs.toronto.edu/~kriz/cifar.html
"""

from __future__ import annotations

import gzip
import io
import pickle
import pickletools
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from eyetune.data.dataset import Split
from eyetune.errors import DataError

IMAGE_BYTES = 3 * 32 * 32
MAX_MEMBER_BYTES = 400_000_000  # the largest official file has 155 MB
GZIP_MAGIC = b"\x1f\x8b"


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
            return {name: (path / name).read_bytes() for name in wanted if (path / name).is_file()}
        return dict(_archive_members(path, wanted))
    except (
        tarfile.TarError,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        OverflowError,
        MemoryError,
    ) as error:
        truncated = (
            isinstance(error, EOFError) or "end of" in str(error) or "unexpected" in str(error)
        )
        raise DataError(
            f"{path} {'is truncated' if truncated else 'cannot be read'}.",
            expected="a complete .tar or .tar.gz of CIFAR-10 or CIFAR-100, or its folder",
            received=f"{path.stat().st_size:,} bytes ({error})",
            fix="Download it again.",
        ) from None


def _archive_members(path: Path, wanted: set[str]) -> Iterator[tuple[str, bytes]]:
    # Not with tarfile's own streams: they do not verify gzip's checksum, and read for years if a
    # damaged header says so.
    with _decompressed(path) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
        for member in archive:
            name = member.name.rpartition("/")[2]
            if member.size < 0:  # the next member would be an earlier one: an endless loop
                raise tarfile.ReadError(f"{name} of {member.size:,} bytes")
            if not member.isfile() or name not in wanted:
                continue
            if member.size > MAX_MEMBER_BYTES:
                raise DataError(
                    f"{path} is not a CIFAR archive.",
                    expected=f"files of at most {MAX_MEMBER_BYTES:,} bytes",
                    received=f"{name} of {member.size:,} bytes",
                )
            file = archive.extractfile(member)
            content = b"" if file is None else file.read()
            if len(content) != member.size:
                raise EOFError(f"{name} ends after {len(content):,} of {member.size:,} bytes")
            yield name, content
        while stream.read(2**20):  # the checksum comes at the very end
            pass


def _decompressed(path: Path) -> io.BufferedIOBase:
    with path.open("rb") as file:
        compressed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    return gzip.open(path) if compressed else path.open("rb")


class _PickledDtype:
    """A stand-in for a NumPy dtype in a pickle. Only its code is kept: bytes have no byte order."""

    code = ""

    def __init__(self, code: Any, *_: Any) -> None:
        if isinstance(code, bytes | str):
            self.code = code if isinstance(code, str) else code.decode("ascii")

    def __setstate__(self, _: Any) -> None:
        pass


class _PickledArray:
    """A stand-in for a NumPy array in a pickle."""

    shape: Any = ()
    code = ""
    fortran: Any = False
    content: Any = b""
    description = "an empty array"

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, self.fortran, self.content = state
        self.shape = tuple(size for size in shape if isinstance(size, int))
        self.code = dtype.code
        self.description = f"{self.code} of shape {self.shape}"[:100]

    def rows(self) -> NDArray[np.uint8] | None:
        """Return the array if it has one row of bytes per image, as in a batch; None otherwise."""
        match self.shape, self.code, self.content:
            case (int(count), int(size)), "u1", bytes(content) if (
                size == IMAGE_BYTES and len(content) == count * size
            ):
                order: Literal["F", "C"] = "F" if self.fortran else "C"
                return np.frombuffer(content, np.uint8).reshape((count, size), order=order)
        return None


class _ArrayUnpickler(pickle.Unpickler):
    """Reads pickles of plain values and arrays, and rejects everything else: it could run code.

    NumPy's own functions are rejected too: with arguments from a pickle, they could read any
    memory.
    """

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        match module_name, global_name:
            case (("numpy.core.multiarray" | "numpy._core.multiarray"), "_reconstruct"):
                return _PickledArray
            case "numpy", "dtype":
                return _PickledDtype
            case "numpy", "ndarray":
                return None  # only used as an argument, which is not needed
        raise pickle.UnpicklingError(f"it asks for {module_name}.{global_name}")


def _unpickle(path: Path, name: str, content: bytes) -> Mapping[bytes, Any]:
    try:
        # Python's unpickler allocates a memo as large as its largest index: a few bytes could ask
        # for all memory.
        indices = (
            index or 0
            for code, index, _ in pickletools.genops(content)
            if code.name.endswith("PUT")
        )
        if max(indices, default=0) > len(content):
            raise pickle.UnpicklingError("its memo is larger than the file")
        value = _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a hostile or damaged pickle can raise any exception
        raise DataError(
            f"{name} in {path} cannot be read as a CIFAR batch.",
            expected="a pickle of plain values and NumPy arrays only",
            received=f"{type(error).__name__}: {error}",
            fix="Download the archive again from a source that you trust.",
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
    rows = array.rows() if isinstance(array, _PickledArray) else None
    if rows is None:
        received = type(array).__name__
        if isinstance(array, _PickledArray):
            received = array.description
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
