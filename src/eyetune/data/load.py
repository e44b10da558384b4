"""The one way in: `load(source)` finds out what a source is, reads it through the cache and makes
its splits.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from eyetune._stderr import silenced
from eyetune.data import cache
from eyetune.data.cache import Decoded
from eyetune.data.dataset import Dataset, Split
from eyetune.data.sources import cifar, digits, folder, npz
from eyetune.data.split import cut, stratified_order
from eyetune.errors import DataError, SourceError, UsageError, nearest

KNOWN_SOURCES = {
    "cifar10": "60,000 photographs of 10 kinds of things, 32x32 colour (Krizhevsky, 2009)",
    "cifar100": "60,000 photographs of 100 kinds of things, 32x32 colour (Krizhevsky, 2009)",
    "digits": "1,797 handwritten digits, 8x8 scaled to 32x32; ships with scikit-learn, needs no download",
}
DOWNLOAD_TIMEOUT_SECONDS = 30.0

# A source: the plain values that identify its state, and the function that decodes it.
_Source = tuple[dict[str, Any], Callable[[], Decoded]]


def load(
    source: str | Path = "cifar10",
    *,
    validation: float = 0.2,
    test: float = 0.2,
    subset: int = 0,
    image_size: int = 32,
    seed: int = 0,
    skip_unreadable: bool = False,
    train_on_validation: bool = False,
    on_progress: folder.OnProgress | None = None,
) -> Dataset:
    """Load images and labels in three splits.

    Args:
        source: "cifar10", "cifar100" or "digits"; or the path of a CIFAR archive or its folder, of
            a folder of images (a folder a class, or train, validation and test folders of those) or
            of an .npz file.
        validation: Share of the training images that validates, above 0 and below 1. CIFAR-10 keeps
            its order, so 0.2 gives the lab's split: the first 40,000 train. Other sources are split
            stratified and seeded.
        test: Share of the images held out where the source has no test split.
        subset: Use only the first so many training images: four fifths train, the rest validate (0:
            all).
        image_size: Side of the square images made of image files and digits, in pixels.
        seed: Of the splits that are made up.
        skip_unreadable: Leave out image files that cannot be read, and count them in the notes.
        train_on_validation: Let the training split hold the validation images too, for the last
            training of all, when every choice is made; accuracy on validation then says nothing.
        on_progress: Called with the number of decoded files and of all files, while a folder is
            decoded.

    Returns:
        The dataset; its images are views of a memory-mapped cache.

    Raises:
        UsageError: A share or a size is out of its range.
        SourceError: There is no such source.
        DataError: What is there cannot be used.

    Example:
        >>> load("digits").train.class_counts(10).tolist()
        [114, 116, 113, 117, 116, 117, 116, 115, 111, 115]
    """
    _check_ranges(validation, test, image_size)
    name, path = _locate(str(source))
    try:
        key, decode = _source(name, path, image_size, skip_unreadable, on_progress)
        decoded = cache.fetch({**key, "seed": seed}, lambda: _in_order(decode(), seed))
    except OSError as error:
        raise DataError(f"{path or name} cannot be read.", received=error) from None
    shown = (
        source if source in KNOWN_SOURCES or path is None else path
    )  # a name stays valid where paths differ
    dataset = _with_splits(decoded, str(shown), validation, test)
    _check_usable(dataset)
    dataset = dataset.subset(subset) if subset else dataset
    return _with_validation(dataset, decoded) if train_on_validation else dataset


def shape_of(source: str, image_size: int) -> tuple[tuple[int, int, int], int]:
    """Return the shape of a source's images and its number of classes; known names need not be on
    the machine.
    """
    known = {
        "cifar10": ((32, 32, 3), 10),
        "cifar100": ((32, 32, 3), 100),
        "digits": ((image_size, image_size, 3), 10),
    }
    if source in known:
        return known[source]
    dataset = load(source, image_size=image_size)
    return dataset.image_shape, dataset.num_classes


def _check_ranges(validation: float, test: float, image_size: int) -> None:
    for name, share in (("validation", validation), ("test", test)):
        if not 0 < share < 1:
            raise UsageError(
                f"The {name} share is out of its range.",
                expected="above 0, below 1",
                received=share,
            )
    if image_size < 1:
        raise UsageError(
            "The image size is out of its range.", expected="at least 1 pixel", received=image_size
        )


def _locate(source: str) -> tuple[str, Path | None]:
    """Return the known name of a source and, where it lies on disk, its path."""
    if source in ("cifar10", "cifar100"):
        return source, _beside_environment(source)
    if source in KNOWN_SOURCES:
        return source, None
    path = Path(source)
    exists = False
    # A path can be too long, contain a null byte or be in the home of an unknown user.
    with suppress(OSError, ValueError, RuntimeError):
        path = path.expanduser()
        exists = bool(source.strip()) and path.exists()
    if exists:
        return _kind_of(path), path.resolve()
    looks_like_path = os.sep in source or path.suffix in (".npz", ".gz", ".tar", ".zip")
    raise SourceError(
        f"There is no data source {source}.",
        expected="a known name, or the path of an archive, a folder of images or an .npz file",
        received=f"{path.absolute()}, which does not exist" if looks_like_path else source,
        fix=nearest(source, KNOWN_SOURCES),
    )


def _beside_environment(name: str) -> Path | None:
    directory = os.environ.get("EYETUNE_DATA")
    if not directory:
        return None
    path = Path(directory).expanduser()
    if path.name in (*cifar.ARCHIVES[name], *cifar.FOLDERS[name]) and path.exists():
        return path.resolve()
    found = cifar.find(path, name)
    return None if found is None else found.resolve()


def _kind_of(path: Path) -> str:
    if path.is_dir():
        if cifar.looks_like_folder(path):
            return "cifar"
        return "folder"
    if path.suffix == ".npz":
        return "npz"
    if path.name.endswith((".tar", ".tar.gz", ".tgz")):
        return "cifar"
    raise SourceError(
        f"{path} is of no kind that can be loaded.",
        expected="a folder of images, a CIFAR .tar.gz or an .npz file",
        received=path.suffix or "a file without an ending",
    )


def _source(
    name: str,
    path: Path | None,
    image_size: int,
    skip_unreadable: bool,
    on_progress: folder.OnProgress | None,
) -> _Source:
    if path is None:
        if name == "digits":
            key = {"kind": "digits", "source": "digits", "image_size": image_size}
            return key, lambda: digits.read(image_size)
        return {"kind": name, "source": name}, lambda: _download(name)
    if name == "folder":
        listing = folder.survey(path)
        key = {
            "kind": "folder",
            "source": str(path),
            "state": listing.state,
            "image_size": image_size,
            "skip": skip_unreadable,
        }
        return key, lambda: folder.read(
            listing, image_size, skip_unreadable=skip_unreadable, on_progress=on_progress
        )
    status = path.stat()
    key = {"kind": name, "source": str(path), "size": status.st_size, "time": status.st_mtime_ns}
    if name == "npz":
        return key, lambda: npz.read(path)
    if path.is_dir():
        files = sorted(
            (file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in path.iterdir()
        )
        key["state"] = hashlib.sha256(repr(files).encode()).hexdigest()[:20]
    expected = name if name in cifar.ARCHIVES else None
    return key, lambda: _decode_cifar(path, expected)


def _decode_cifar(path: Path, expected: str | None) -> Decoded:
    name, class_names, train, test = cifar.read(path)
    if expected is not None and name != expected:
        raise DataError(
            f"{path} is another data set than asked for.", expected=expected, received=name
        )
    return Decoded(name, class_names, {"train": train, "test": test})


def _download(name: str) -> Decoded:
    """Let Keras download CIFAR; where it cannot, say what was tried and where a file would be
    found.
    """
    import socket
    import sys

    with silenced():
        import keras

    module = getattr(keras.datasets, name)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_SECONDS)
    try:
        with redirect_stdout(sys.stderr):  # standard output is for results
            (x_train, y_train), (x_test, y_test) = module.load_data()
    except Exception as error:  # Keras raises a bare Exception where a download fails
        raise _not_found(name, error) from None
    finally:
        socket.setdefaulttimeout(before)
    train = Split(x_train.astype(np.uint8), y_train.reshape(-1).astype(np.int64))
    test = Split(x_test.astype(np.uint8), y_test.reshape(-1).astype(np.int64))
    return Decoded(name, cifar.CLASS_NAMES[name], {"train": train, "test": test})


def _not_found(name: str, error: Exception) -> SourceError:
    directory = os.environ.get("EYETUNE_DATA")
    looked = f"EYETUNE_DATA ({directory}) holds none" if directory else "EYETUNE_DATA is not set"
    archive = cifar.ARCHIVES[name][0]
    return SourceError(
        f"{name} is not on this machine and could not be downloaded.",
        expected=f"{' or '.join(cifar.ARCHIVES[name])} in the folder that EYETUNE_DATA names, or a connection",
        received=f"{looked}; Keras's downloader: {' '.join(str(error).split())[:200]}",
        fix=f"Get {archive} from https://www.cs.toronto.edu/~kriz/cifar.html, then "
        f"`export EYETUNE_DATA=FOLDER` or name it with --data FOLDER/{archive}. To try without: --data digits.",
    )


def _in_order(decoded: Decoded, seed: int) -> Decoded:
    """Put the images of each split in stratified order; CIFAR-10 keeps its own, which the lab's
    split is cut from.

    Validation and test are never cut, but a subset takes their first images.
    """
    if decoded.name == "cifar10":
        return decoded

    def reorder(split: Split) -> Split:
        order = stratified_order(split.labels, seed)
        return Split(split.images[order], split.labels[order])

    return replace(decoded, splits={name: reorder(split) for name, split in decoded.splits.items()})


def _with_splits(decoded: Decoded, source: str, validation: float, test: float) -> Dataset:
    splits, notes = dict(decoded.splits), list(decoded.notes)
    train = splits["train"]
    if len(train) < 3:
        raise DataError(
            "There are too few images to split.", expected="at least 3", received=len(train)
        )
    if "test" not in splits:
        train, splits["test"] = cut(train, test)
        notes.append(
            f"the source has no test split: {len(splits['test']):,} images are held out as one"
        )
    if "validation" not in splits:
        train, splits["validation"] = cut(train, validation)
    splits["train"] = train
    parts = (decoded.digest, *(f"{name}={len(split)}" for name, split in sorted(splits.items())))
    fingerprint = hashlib.sha256("/".join(parts).encode()).hexdigest()[:16]
    return Dataset(
        decoded.name,
        source,
        decoded.class_names,
        train,
        splits["validation"],
        splits["test"],
        fingerprint,
        tuple(notes),
    )


def _with_validation(dataset: Dataset, decoded: Decoded) -> Dataset:
    """Let the training split hold the validation images too."""
    if "validation" in decoded.splits:
        train, validation = dataset.train, dataset.validation
        images = np.concatenate([train.images, validation.images])
        whole = Split(images, np.concatenate([train.labels, validation.labels]))
    else:  # both were cut from one: the whole is a view of it
        whole = decoded.splits["train"].take(0, len(dataset.train) + len(dataset.validation))
    return replace(
        dataset, train=whole, fingerprint=f"{dataset.fingerprint}-whole", validation_is_seen=True
    )


def _check_usable(dataset: Dataset) -> None:
    if dataset.num_classes < 2:
        raise DataError(
            f"{dataset.source} holds only one class.",
            expected="two classes or more",
            received=", ".join(dataset.class_names),
        )
    needed = (
        ("train", "validation")
        if dataset.source.endswith(".npz")
        else ("train", "validation", "test")
    )
    empty = [
        name for name in needed if not len(dataset.split(name))
    ]  # a file of arrays may keep its test to itself
    if empty:
        raise DataError(
            f"{dataset.source} has no {' and no '.join(empty)} images.",
            expected="at least one image in each split",
            received=", ".join(f"{name}: {len(split):,}" for name, split in dataset.splits()),
        )
    counts = dataset.train.class_counts(dataset.num_classes)
    absent = [name for name, count in zip(dataset.class_names, counts, strict=True) if count == 0]
    if absent:
        raise DataError(
            f"{len(absent)} class(es) have no training image.",
            expected="at least one image of each class to train on",
            received=f"none of {', '.join(absent[:10])}",
            fix="Add images of them, or take the classes out.",
        )
