"""Load data: `load(source)` recognizes a source, reads it through the cache and splits it."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from eyetune.data import cache
from eyetune.data.cache import Decoded
from eyetune.data.dataset import Dataset, Split
from eyetune.data.resize import grayscale as without_color
from eyetune.data.sources import cifar, digits, folder, keras_download, npz
from eyetune.data.split import cut, stratified_order
from eyetune.errors import DataError, SourceError, UsageError, nearest
from eyetune.inputs.regular_file import check_file
from eyetune.recipe import DataSection, Resize
from eyetune.values.progress import OnProgress

KNOWN_SOURCES = {
    "cifar10": "60,000 photographs in 10 classes, 32x32 pixels, color (Krizhevsky, 2009)",
    "cifar100": "60,000 photographs in 100 classes, 32x32 pixels, color (Krizhevsky, 2009)",
    "digits": "1,797 handwritten digits, part of scikit-learn: no download needed",
}
ARCHIVE_ENDINGS = (".tar", ".tar.gz", ".tgz")
PATH_ENDINGS = (".npz", ".gz", ".tgz", ".tar", ".zip")

# A source: the plain values that identify its state, and the function that decodes it.
_Source = tuple[dict[str, Any], Callable[[], Decoded]]


def load(
    source: str | Path = "cifar10",
    *,
    validation: float = 0.2,
    test: float = 0.2,
    subset: int = 0,
    image_size: int = 32,
    resize: Resize = "crop",
    grayscale: bool = False,
    seed: int = 0,
    skip_unreadable: bool = False,
    train_on_validation: bool = False,
    on_progress: OnProgress | None = None,
    on_note: Callable[[str], None] = lambda _: None,
) -> Dataset:
    """Load images and labels in three splits.

    Args:
        source: "cifar10", "cifar100" or "digits"; or the path of a CIFAR archive or its folder, of
            a folder of images (one folder per class, or train, validation and test folders of
            those) or of an .npz file.
        validation: Share of the training images used for validation, above 0 and below 1. CIFAR-10
            keeps its order, so that 0.2 gives the lab's split: the first 40,000 images train.
            Other sources are split at random and stratified.
        test: Share of the images held out for testing if the source has no test split, above 0
            and below 1.
        subset: Use only the first N training images: four fifths train, the rest validates
            (0: all).
        image_size: Side length in pixels of the square images made from image files and digits.
        resize: How photos of a folder become square. "crop" takes the largest part in the center,
            as the firmware of an export does with the camera's picture, "pad" all of the photo with
            black borders, and "squash" all of it, distorted.
        grayscale: Whether to convert the images to one channel.
        seed: Random seed of the splits that are made here.
        skip_unreadable: Skip image files that cannot be read, and count them in the notes.
        train_on_validation: Include the validation images in the training split, for the final
            training after all choices are made. Validation accuracy is not meaningful then.
        on_progress: Called with the number of decoded files and of all files of a folder.
        on_note: Called with a line of text before a step that may take more than a second.

    Returns:
        The dataset. Its images are views of a memory-mapped cache.

    Raises:
        UsageError: A share or a size is out of range.
        SourceError: The source does not exist.
        DataError: The source cannot be used.

    Example:
        >>> load("digits").train.class_counts(10).tolist()
        [114, 116, 113, 117, 116, 117, 116, 115, 111, 115]
    """
    _check_ranges(validation, test, image_size, resize)
    name, path = _locate(str(source))

    def build() -> Decoded:
        if name != "digits":  # which takes a fraction of a second
            on_note(f"Decoding {path or name} (only once: later runs read the cache) ...")
        decoded = _without_color(decode()) if grayscale else decode()
        return _reordered(decoded, seed)

    try:
        key, decode = _source(name, path, image_size, resize, skip_unreadable, on_progress)
        colors = {"grayscale": True} if grayscale else {}
        decoded = cache.fetch({**key, **colors, "seed": seed}, build)
    except OSError as error:
        raise DataError(f"{path or name} cannot be read.", received=error) from None
    dataset = _with_splits(decoded, recorded_source(str(source)), validation, test)
    _check_usable(dataset)
    dataset = dataset.subset(subset) if subset else dataset
    return _with_validation(dataset, decoded) if train_on_validation else dataset


def shape_of(section: DataSection) -> tuple[tuple[int, int, int], int]:
    """Return the shape of a recipe's images and their number of classes, without a download.

    Args:
        section: The data section of the recipe.

    Returns:
        Height and width in pixels and the number of channels; and the number of classes.
    """
    known = {
        "cifar10": (32, 10),
        "cifar100": (32, 100),
        "digits": (section.image_size, 10),
    }
    if section.source in known:
        side, num_classes = known[section.source]
        return (side, side, 1 if section.grayscale else 3), num_classes
    dataset = load(
        section.source,
        image_size=section.image_size,
        resize=section.resize,
        grayscale=section.grayscale,
        skip_unreadable=section.skip_unreadable,
    )
    return dataset.image_shape, dataset.num_classes


def folder_of(source: str) -> Path | None:
    """Return the folder of image files that a source is; None for a source of another kind.

    Raises:
        SourceError: The source does not exist.
    """
    kind, path = _locate(source)
    return path if kind == "folder" else None


def recorded_source(source: str) -> str:
    """Return what records call a source: a known name, which other machines have too, or its path.

    Raises:
        SourceError: The source does not exist.
    """
    _, path = _locate(source)
    return source if source in KNOWN_SOURCES or path is None else str(path)


def recorded_source_or_name(source: str) -> str:
    """Return what records call a source; one that does not exist as it is named."""
    try:
        return recorded_source(source)
    except SourceError:
        return source


def read_in_order(source: str) -> Decoded:
    """Return the images of arrays or an archive in their own order, and in its own splits.

    They do not go through the cache.

    Raises:
        SourceError: The source does not exist.
        DataError: It cannot be read.
    """
    name, path = _locate(source)
    try:
        _, decode = _source(name, path, 32, "crop", skip_unreadable=False, on_progress=None)
        return decode()
    except OSError as error:
        raise DataError(f"{path or name} cannot be read.", received=error) from None


def _check_ranges(validation: float, test: float, image_size: int, resize: str) -> None:
    for name, share in (("validation", validation), ("test", test)):
        if not 0 < share < 1:
            raise UsageError(
                f"The {name} share is out of range.", expected="above 0, below 1", received=share
            )
    if image_size < 1:
        raise UsageError(
            "The image size is out of range.", expected="at least 1 pixel", received=image_size
        )
    if resize not in get_args(Resize):
        raise UsageError(
            "There is no such way to resize photos.",
            expected=" or ".join(get_args(Resize)),
            received=resize,
        )


def _locate(source: str) -> tuple[str, Path | None]:
    """Return the kind of a source, for known sources their name, and its path on disk."""
    if source in ("cifar10", "cifar100"):
        return source, _in_data_folder(source)
    if source in KNOWN_SOURCES:
        return source, None
    path = Path(source)
    exists = False
    # The text may be too long for a path, hold a null byte, or name an unknown user's home.
    with suppress(OSError, ValueError, RuntimeError):
        path = path.expanduser()
        exists = bool(source.strip()) and path.exists()
    if exists:
        return _kind_of(path), path.resolve()
    looks_like_path = os.sep in source or path.suffix in PATH_ENDINGS
    raise SourceError(
        f"There is no data source {source}.",
        expected="a known name, or the path of an archive, a folder of images or an .npz file",
        received=f"{path.absolute()}, which does not exist" if looks_like_path else source,
        fix=nearest(source, [*KNOWN_SOURCES, *_similar_paths(source)]),
    )


def _similar_paths(source: str) -> list[str]:
    """Return the paths beside a missing one that could be sources and have similar names."""
    path = Path(source)
    paths = {}
    with suppress(OSError, ValueError, RuntimeError):
        for neighbor in path.expanduser().parent.iterdir():
            is_source = neighbor.is_dir() or neighbor.name.endswith((".npz", *ARCHIVE_ENDINGS))
            if is_source and not neighbor.name.startswith("."):
                paths[neighbor.name.lower()] = str(path.with_name(neighbor.name))
    names = difflib.get_close_matches(path.name.lower(), paths)
    return [paths[name] for name in names]


def _in_data_folder(name: str) -> Path | None:
    """Return where EYETUNE_DATA has a known source; None if it has not."""
    directory = os.environ.get("EYETUNE_DATA")
    if not directory:
        return None
    path = Path(directory).expanduser()
    if path.name in (*cifar.ARCHIVES[name], *cifar.FOLDERS[name]) and path.exists():
        return path.resolve()
    located = cifar.find(path, name)
    return None if located is None else located.resolve()


def _kind_of(path: Path) -> str:
    if path.is_dir():
        return "cifar" if cifar.looks_like_folder(path) else "folder"
    try:
        check_file(path)
    except OSError as error:
        raise SourceError(
            f"{path} cannot be loaded.",
            expected="a folder of images, a CIFAR .tar.gz or an .npz file",
            received=error.strerror,
        ) from None
    if path.suffix == ".npz":
        return "npz"
    if path.name.endswith(ARCHIVE_ENDINGS):
        return "cifar"
    raise SourceError(
        f"{path} is not a kind of file that can be loaded.",
        expected="a folder of images, a CIFAR .tar.gz or an .npz file",
        received=path.suffix or "a file name without an extension",
    )


def _source(
    name: str,
    path: Path | None,
    image_size: int,
    resize: Resize,
    skip_unreadable: bool,
    on_progress: OnProgress | None,
) -> _Source:
    if path is None:
        if name == "digits":
            key = {"kind": "digits", "source": "digits", "image_size": image_size}
            return key, lambda: digits.read(image_size)
        return {"kind": name, "source": name}, lambda: keras_download.read(name)
    if name == "folder":
        listing = folder.survey(path)
        key = {
            "kind": "folder",
            "source": str(path),
            "state": listing.state,
            "image_size": image_size,
            "skip": skip_unreadable,
        }
        if resize != "squash":  # entries from before there was a choice are squashed
            key["resize"] = resize
        return key, lambda: folder.read(
            listing, image_size, resize, skip_unreadable=skip_unreadable, on_progress=on_progress
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
        raise DataError(f"{path} holds another data set.", expected=expected, received=name)
    return Decoded(name, class_names, {"train": train, "test": test})


def _without_color(decoded: Decoded) -> Decoded:
    """Convert the images of all splits to one channel."""
    splits = {
        name: Split(without_color(split.images), split.labels)
        for name, split in decoded.splits.items()
    }
    return replace(decoded, splits=splits)


def _reordered(decoded: Decoded, seed: int) -> Decoded:
    """Put the images of each split in stratified order; CIFAR-10 keeps its order.

    The lab's split is cut from CIFAR-10's order. Validation and test are never cut, but a subset
    takes their first images.
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
            f"the source has no test split: {len(splits['test']):,} images are held out for testing"
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
    """Return the dataset with the validation images added to the training split."""
    if "validation" in decoded.splits:
        train, validation = dataset.train, dataset.validation
        images = np.concatenate([train.images, validation.images])
        whole = Split(images, np.concatenate([train.labels, validation.labels]))
    else:  # both were cut from one split, so no copy is needed
        whole = decoded.splits["train"].take(0, len(dataset.train) + len(dataset.validation))
    return replace(
        dataset, train=whole, fingerprint=f"{dataset.fingerprint}-whole", validation_is_seen=True
    )


def _check_usable(dataset: Dataset) -> None:
    if dataset.num_classes < 2:
        raise DataError(
            f"{dataset.source} has only one class.",
            expected="two classes or more",
            received=", ".join(dataset.class_names),
        )
    required = ["train", "validation"]
    if not dataset.source.endswith(".npz"):  # the test images may be kept elsewhere
        required.append("test")
    empty = [name for name in required if not len(dataset.split(name))]
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
            expected="at least one training image of each class",
            received=f"no image of {', '.join(absent[:10])}",
            fix="Add images of these classes, or remove the classes.",
        )
