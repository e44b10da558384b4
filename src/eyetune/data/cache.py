"""What is made of a source once and kept on disk, memory-mapped, so that processes share its pages.

That is its decoded images, and what networks make of them (`computed`).
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
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from eyetune._files import acquire_lock, replaced_folder
from eyetune.data.dataset import Floats, Split
from eyetune.errors import DataError

FORMAT = 2  # raise it when the files or the decoding change: older entries are then left unused
ABOUT_KEYS = {"key", "name", "class_names", "splits", "notes", "digest"}
VALUES_FILE = "values.npy"

_Kept = TypeVar("_Kept")


@dataclass(frozen=True)
class Decoded:
    """What a source holds once it is decoded, before splits are made up.

    Attributes:
        name: Short name of the dataset.
        class_names: In the order of the labels.
        splits: "train" always; "validation" and "test" where the source has them.
        notes: What a user should know.
        digest: Hash of all images and labels.
    """

    name: str
    class_names: tuple[str, ...]
    splits: Mapping[str, Split]
    notes: tuple[str, ...] = ()
    digest: str = ""


@dataclass(frozen=True)
class Entry:
    """A dataset in the cache, or what a network made of one: its folder, name, source and size in
    bytes.
    """

    folder: Path
    name: str
    source: str
    size_bytes: int


def directory() -> Path:
    """Return the folder of the cache: EYETUNE_CACHE, or the system's place for caches."""
    return _root() / "datasets"


def _computed_directory() -> Path:
    return _root() / "computed"


def _root() -> Path:
    import platformdirs

    named = os.environ.get("EYETUNE_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("eyetune")


def fetch(key: Mapping[str, Any], build: Callable[[], Decoded]) -> Decoded:
    """Return the cached dataset of a key, building it first where there is none.

    Two processes that ask at once build it once; a process that dies while building leaves nothing
    behind that another would read.

    Args:
        key: Plain values that say which source in which state, decoded in which way.
        build: Decodes it.

    Raises:
        DataError: The cache cannot be written, or what `build` raises.
    """
    text = json.dumps({**key, "format": FORMAT}, sort_keys=True)
    return _kept(directory() / _name(text), _open, lambda folder: _write(folder, text, build()))


def computed(
    key: Mapping[str, Any],
    shape: tuple[int, int],
    batches: Callable[[], Iterable[Floats]],
    *,
    name: str,
    source: str,
) -> Floats:
    """Return the cached rows of a key, computing them first where there are none, with the same
    care as `fetch`.

    Args:
        key: Plain values that say all that the rows follow from.
        shape: Number of rows, and numbers in each.
        batches: Computes the rows, some at a time: no more than one batch is held in memory.
        name: What they are, for the list of the cache.
        source: What they were made of, for the list of the cache.

    Returns:
        float32 rows of that shape, a view of a memory-mapped file.

    Raises:
        DataError: The cache cannot be written, or what `batches` raises.
    """
    text = json.dumps({**key, "shape": shape, "source": source, "format": FORMAT}, sort_keys=True)
    about = {"key": text, "name": name, "class_names": [], "splits": [], "notes": [], "digest": ""}

    def read(folder: Path) -> Floats | None:
        try:
            values = np.load(folder / VALUES_FILE, mmap_mode="r", allow_pickle=False)
        except Exception:  # as in _open
            return None
        return values if values.shape == shape and _about(folder) is not None else None

    return _kept(
        _computed_directory() / _name(text),
        read,
        lambda folder: _write_rows(folder, about, shape, batches()),
    )


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:20]


def _kept(
    folder: Path, read: Callable[[Path], _Kept | None], write: Callable[[Path], None]
) -> _Kept:
    """Return what is in a folder, writing it first where it is not; of several processes one
    writes.
    """
    found = read(folder)
    if found is not None:
        return found
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = acquire_lock(folder.with_suffix(".lock"), timeout_seconds=None)
    except OSError as error:
        raise _unwritable(folder.parent, error) from None
    with lock:
        found = read(folder)
        if found is None:
            write(folder)
            found = read(folder)
    if found is None:
        raise DataError(
            f"The image cache {folder} cannot be read back.", fix="Check the disk, then try again."
        )
    return found


def entries() -> list[Entry]:
    """List what is in the cache, by name."""
    found = []
    for path in (*directory().glob("*/about.json"), *_computed_directory().glob("*/about.json")):
        about = _about(path.parent)
        if about is not None:
            size = sum(file.stat().st_size for file in path.parent.iterdir())
            found.append(
                Entry(path.parent, about["name"], json.loads(about["key"])["source"], size)
            )
    return sorted(found, key=lambda entry: (entry.name, entry.source))


def clear() -> int:
    """Delete everything in the cache and return how many bytes that freed."""
    freed = sum(entry.size_bytes for entry in entries())
    for folder in (directory(), _computed_directory()):
        shutil.rmtree(folder, ignore_errors=True)
    return freed


def _open(folder: Path) -> Decoded | None:
    about = _about(folder)
    if about is None:
        return None
    try:
        splits = {name: _open_split(folder, name) for name in about["splits"]}
    except (
        Exception
    ):  # an entry that was damaged from outside is built again, whatever it leads NumPy to
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
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return about if isinstance(about, dict) and about.keys() >= ABOUT_KEYS else None


def _write(folder: Path, key: str, decoded: Decoded) -> None:
    with _folder_at_once(folder) as partial:
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
        (partial / "about.json").write_text(json.dumps(about), encoding="utf-8")


def _write_rows(
    folder: Path, about: Mapping[str, Any], shape: tuple[int, int], batches: Iterable[Floats]
) -> None:
    with _folder_at_once(folder) as partial, (partial / VALUES_FILE).open("wb") as stream:
        # Written in order and not through a memory map, which would end the process where the disk
        # is full.
        header = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)),
            "fortran_order": False,
            "shape": shape,
        }
        np.lib.format.write_array_header_1_0(stream, header)
        for rows in batches:
            stream.write(np.ascontiguousarray(rows, np.float32).data)
        (partial / "about.json").write_text(json.dumps(about), encoding="utf-8")


@contextmanager
def _folder_at_once(folder: Path) -> Iterator[Path]:
    """Yield a folder to write into, which takes its name only when all is written."""
    try:
        with replaced_folder(folder) as partial:
            yield partial
    except OSError as error:
        raise _unwritable(folder.parent, error) from None


def _unwritable(folder: Path, error: OSError) -> DataError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return DataError(
        f"The image cache {folder} {'has no room: the disk is full' if full else 'cannot be written'}.",
        received=error.strerror or error,
        fix="Free some space (`eyetune data clear` empties the cache), or name another folder in EYETUNE_CACHE."
        if full
        else "Name a folder that you may write to in EYETUNE_CACHE.",
    )
