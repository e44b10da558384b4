"""Decoded images on disk, memory-mapped so that processes share them.

The cache also keeps what networks compute from images, once for all trainings (`computed`).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from eyetune._files import OutsideError, acquire_lock, path_inside, replaced_folder
from eyetune.data.dataset import Floats, Split
from eyetune.errors import DataError

FORMAT = 2  # increase it when the files or the decoding change: older entries are then ignored
ABOUT_FILE = "about.json"
ABOUT_KEYS = {"key", "name", "class_names", "splits", "notes", "digest"}
VALUES_FILE = "values.npy"

_Content = TypeVar("_Content")


@dataclass(frozen=True)
class Decoded:
    """A source after decoding, before missing splits are made.

    Attributes:
        name: Short name of the dataset.
        class_names: Name of each class, in the order of the labels.
        splits: "train" always; "validation" and "test" if the source has them.
        notes: Remarks for the user.
        digest: Hash of all images and labels.
    """

    name: str
    class_names: tuple[str, ...]
    splits: Mapping[str, Split]
    notes: tuple[str, ...] = ()
    digest: str = ""


@dataclass(frozen=True)
class Entry:
    """An entry of the cache: a decoded dataset, or what a network computed from one.

    Attributes:
        folder: Folder of its files.
        name: Short name.
        source: The source that it was made from.
        details: What distinguishes it from other entries of the source, such as "seed 0".
        size_bytes: Size on disk.
        created_at: When it was written, in UTC.
    """

    folder: Path
    name: str
    source: str
    details: tuple[str, ...]
    size_bytes: int
    created_at: datetime


def directory() -> Path:
    """Return the folder of decoded images: in EYETUNE_CACHE, or in the user's cache folder."""
    return _root() / "datasets"


def _computed_directory() -> Path:
    return _root() / "computed"


def measured_directory() -> Path:
    """Return the folder of measurements of this machine (see `training.precision`)."""
    return _root() / "measured"


def _root() -> Path:
    import platformdirs

    configured = os.environ.get("EYETUNE_CACHE")
    return Path(configured) if configured else platformdirs.user_cache_path("eyetune")


def fetch(key: Mapping[str, Any], build: Callable[[], Decoded]) -> Decoded:
    """Return the cached dataset of a key; build it first if it is missing.

    Several processes that need it at the same time build it once. A process that dies while it
    builds leaves nothing that another process would read.

    Args:
        key: Plain values: the source, its state, and how it is decoded.
        build: Decodes the source.

    Raises:
        DataError: The cache cannot be written, or `build` raised it.
    """
    text = json.dumps({**key, "format": FORMAT}, sort_keys=True)
    return _read_or_write(
        _entry_folder(directory(), text), _open, lambda folder: _write(folder, text, build())
    )


def computed(
    key: Mapping[str, Any],
    shape: tuple[int, int],
    batches: Callable[[], Iterable[Floats]],
    *,
    name: str,
    source: str,
) -> Floats:
    """Return the cached rows of a key; compute them first if they are missing.

    As with `fetch`, several processes compute them once.

    Args:
        key: Plain values that determine the rows.
        shape: Number of rows, and numbers in each row.
        batches: Computes the rows, batch by batch. Only one batch is held in memory.
        name: Short name, for the list of the cache.
        source: The source of the images, for the list of the cache.

    Returns:
        float32 rows of this shape, a view of a memory-mapped file.

    Raises:
        DataError: The cache cannot be written, or `batches` raised it.
    """
    text = json.dumps({**key, "shape": shape, "source": source, "format": FORMAT}, sort_keys=True)
    about = {"key": text, "name": name, "class_names": [], "splits": [], "notes": [], "digest": ""}

    def read(folder: Path) -> Floats | None:
        try:
            values = np.load(folder / VALUES_FILE, mmap_mode="r", allow_pickle=False)
        except Exception:  # as in _open
            return None
        return values if values.shape == shape and _about(folder) is not None else None

    return _read_or_write(
        _entry_folder(_computed_directory(), text),
        read,
        lambda folder: _write_rows(folder, about, shape, batches()),
    )


def _entry_folder(parent: Path, key: str) -> Path:
    """Return the folder of an entry.

    Raises:
        DataError: It leads out of the cache.
    """
    name = hashlib.sha256(key.encode()).hexdigest()[:20]
    try:
        return path_inside(parent.parent, parent.name, name)
    except (OutsideError, OSError) as error:
        raise DataError(
            f"A link in the image cache {parent} leads out of it.",
            received=error,
            fix="Remove the link. To keep the cache elsewhere, name its folder in EYETUNE_CACHE.",
        ) from None


def _read_or_write(
    folder: Path, read: Callable[[Path], _Content | None], write: Callable[[Path], None]
) -> _Content:
    """Return a folder's content; write it first if it is missing, in one process only."""
    content = read(folder)
    if content is not None:
        return content
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = acquire_lock(folder.with_suffix(".lock"), timeout_seconds=None)
    except OSError as error:
        raise _unwritable(folder.parent, error) from None
    with lock:
        content = read(folder)
        if content is None:
            write(folder)
            content = read(folder)
    if content is None:
        raise DataError(
            f"The image cache {folder} was written but cannot be read.",
            fix="Check the disk, then try again.",
        )
    return content


def entries() -> list[Entry]:
    """Return the entries of the cache, sorted by name, source and age."""
    result = []
    for parent in (directory(), _computed_directory()):
        for path in parent.glob(f"*/{ABOUT_FILE}"):
            about = _about(path.parent)
            if about is not None:
                result.append(_entry(path.parent, about))
    return sorted(result, key=lambda entry: (entry.name, entry.source, entry.created_at))


def _entry(folder: Path, about: Mapping[str, Any]) -> Entry:
    key = json.loads(about["key"])
    return Entry(
        folder=folder,
        name=about["name"],
        source=key["source"],
        details=_details(key),
        size_bytes=sum(file.stat().st_size for file in folder.iterdir()),
        created_at=datetime.fromtimestamp((folder / ABOUT_FILE).stat().st_mtime, UTC),
    )


def _details(key: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a key of `load` or `computed` says besides the source, for people."""
    details = []
    if "split" in key:
        details.append(f"{key['split']} split")
    if "image_size" in key:
        details.append(f"{key['image_size']}x{key['image_size']} pixels")
    if key.get("kind") == "folder":
        details.append(key.get("resize", "squash"))
    if key.get("grayscale"):
        details.append("grayscale")
    if "seed" in key:
        details.append(f"split seed {key['seed']}")
    if key.get("skip"):
        details.append("without unreadable files")
    if "time" in key:
        modified = datetime.fromtimestamp(key["time"] / 1e9, UTC)
        details.append(f"file of {modified:%Y-%m-%d %H:%M}")
    labels = {
        "state": "files",
        "data": "data",
        "fingerprint": "data",
        "weights": "weights",
        "network": "network",
    }
    for name, label in labels.items():
        if name in key:
            details.append(f"{label} {str(key[name])[:8]}")
    return tuple(details)


def clear() -> int:
    """Delete the cache; return the number of bytes that this freed, without small files."""
    freed = sum(entry.size_bytes for entry in entries())
    for folder in (directory(), _computed_directory(), measured_directory()):
        shutil.rmtree(folder, ignore_errors=True)
    return freed


def _open(folder: Path) -> Decoded | None:
    about = _about(folder)
    if about is None:
        return None
    try:
        splits = {name: _open_split(folder, name) for name in about["splits"]}
    except Exception:  # a damaged entry is built again, whatever NumPy raises for it
        return None
    return Decoded(
        about["name"], tuple(about["class_names"]), splits, tuple(about["notes"]), about["digest"]
    )


def _open_split(folder: Path, name: str) -> Split:
    images = np.load(folder / f"{name}-images.npy", mmap_mode="r", allow_pickle=False)
    labels = np.load(folder / f"{name}-labels.npy", allow_pickle=False)
    if len(images) != len(labels):
        raise ValueError(f"{len(images)} images, {len(labels)} labels")
    return Split(images, labels)


def _about(folder: Path) -> dict[str, Any] | None:
    try:
        about = json.loads((folder / ABOUT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return about if isinstance(about, dict) and about.keys() >= ABOUT_KEYS else None


def _write(folder: Path, key: str, decoded: Decoded) -> None:
    with _whole_folder(folder) as partial:
        digest = hashlib.sha256(repr(decoded.class_names).encode())
        for name, split in decoded.splits.items():
            images = np.ascontiguousarray(split.images)
            np.save(partial / f"{name}-images.npy", images)
            np.save(partial / f"{name}-labels.npy", split.labels)
            digest.update(f"{name} {images.shape}".encode())
            digest.update(images.data)
            digest.update(np.ascontiguousarray(split.labels).data)
        about = {
            "key": key,
            "name": decoded.name,
            "class_names": decoded.class_names,
            "splits": list(decoded.splits),
            "notes": decoded.notes,
            "digest": digest.hexdigest()[:16],
        }
        (partial / ABOUT_FILE).write_text(json.dumps(about), encoding="utf-8")


def _write_rows(
    folder: Path, about: Mapping[str, Any], shape: tuple[int, int], batches: Iterable[Floats]
) -> None:
    with _whole_folder(folder) as partial, (partial / VALUES_FILE).open("wb") as stream:
        # Written in order and not through a memory map, which would end the process if the disk is
        # full.
        header = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)),
            "fortran_order": False,
            "shape": shape,
        }
        np.lib.format.write_array_header_1_0(stream, header)
        for rows in batches:
            stream.write(np.ascontiguousarray(rows, np.float32).data)
        (partial / ABOUT_FILE).write_text(json.dumps(about), encoding="utf-8")


@contextmanager
def _whole_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder, which is renamed to `folder` when everything is written."""
    try:
        with replaced_folder(folder) as partial:
            yield partial
    except OSError as error:
        raise _unwritable(folder.parent, error) from None


def _unwritable(folder: Path, error: OSError) -> DataError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        problem = "has no room: the disk is full"
        fix = (
            "Free some space (`eyetune data clear` empties the cache), or set EYETUNE_CACHE to "
            "another folder."
        )
    else:
        problem = "cannot be written"
        fix = "Set EYETUNE_CACHE to a folder that you may write to."
    return DataError(
        f"The image cache {folder} {problem}.", received=error.strerror or error, fix=fix
    )
