"""Images in folders: one folder per class, optionally inside train, validation and test folders."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eyetune.data.cache import Decoded
from eyetune.data.dataset import Split, readable
from eyetune.data.sources.image_file import (
    SUFFIXES,
    UNSUPPORTED_SUFFIXES,
    listed,
    try_decode,
)
from eyetune.errors import DataError
from eyetune.inputs.limits import FOLDER_DEPTH, IMAGES, LimitExceededError
from eyetune.recipe import Resize
from eyetune.values.progress import OnProgress

SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid"),
    "test": ("test", "testing"),
}
MAX_CLASSES = 10_000


@dataclass(frozen=True)
class Listing:
    """The image files of a folder, before they are decoded.

    Attributes:
        root: The folder.
        class_names: Names of the class folders, sorted.
        files: Pairs (file, label) of each split; only "train" if there are no split folders.
        notes: Remarks for the user.
        unsupported: The same of photos in formats that are not read.
    """

    root: Path
    class_names: tuple[str, ...]
    files: Mapping[str, tuple[tuple[Path, int], ...]]
    notes: tuple[str, ...]
    unsupported: Mapping[str, tuple[tuple[Path, int], ...]]

    @property
    def all_files(self) -> list[tuple[str, Path, int]]:
        """Split, path and label of all files, then of the photos that are not read."""
        return [
            (split, path, label)
            for group in (self.files, self.unsupported)
            for split, pairs in group.items()
            for path, label in pairs
        ]

    def paths(self) -> list[Path]:
        """Return the files of all splits."""
        return [path for files in self.files.values() for path, _ in files]

    @property
    def state(self) -> str:
        """A hash of the names, sizes and times of all files."""
        digest = hashlib.sha256()
        for split, files in self.files.items():
            for path, label in files:
                status = path.stat()
                name = path.relative_to(self.root)
                fields = (split, name, label, status.st_size, status.st_mtime_ns)
                line = "\0".join(str(field) for field in fields) + "\n"
                digest.update(line.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()[:20]


def survey(root: Path, *, for_training: bool = True) -> Listing:
    """List the images of a folder by split and class.

    Args:
        root: The folder.
        for_training: Whether to refuse a folder that no network can be trained on: with fewer than
            two classes, or an empty one.

    Raises:
        DataError: No network can be trained on it, the splits have different classes, or there are
            too many files.
    """
    tops = {
        split: next((root / name for name in names if (root / name).is_dir()), None)
        for split, names in SPLIT_FOLDERS.items()
    }
    train = tops["train"]
    splits = (
        {split: top for split, top in tops.items() if top is not None} if train else {"train": root}
    )
    classes = {split: _class_folders(top) for split, top in splits.items()}
    class_names = tuple(classes["train"])
    _check_classes(splits, classes, min_classes=2 if for_training else 1)
    supported: dict[str, tuple[tuple[Path, int], ...]] = {}
    unsupported: dict[str, tuple[tuple[Path, int], ...]] = {}
    empty, ignored, num_files = [], 0, 0
    for split, folders in classes.items():
        pairs: list[tuple[Path, int]] = []
        unsupported_pairs: list[tuple[Path, int]] = []
        for label, folder in enumerate(folders.values()):
            files = sorted(_files(folder, num_files))
            num_files += len(files)
            images = [path for path in files if path.suffix.lower() in SUFFIXES]
            photos = [path for path in files if path.suffix.lower() in UNSUPPORTED_SUFFIXES]
            ignored += len(files) - len(images) - len(photos)
            pairs += [(path, label) for path in images]
            unsupported_pairs += [(path, label) for path in photos]
            if not images:
                empty.append(folder)
        supported[split], unsupported[split] = tuple(pairs), tuple(unsupported_pairs)
    in_empty = [
        path
        for found in unsupported.values()
        for path, _ in found
        if any(path.is_relative_to(folder) for folder in empty)
    ]
    if empty and for_training:
        raise DataError(
            f"{len(empty)} class folder{'s hold' if len(empty) > 1 else ' holds'} no images.",
            expected=f"files ending in {', '.join(SUFFIXES)}",
            received="no images in " + listed(str(path) for path in empty),
            fix=f"Convert {_counted(in_empty)} to JPEG or PNG."
            if in_empty
            else "Add images or remove the folder.",
        )
    notes = (f"{ignored} file(s) that are not images were skipped",) if ignored else ()
    return Listing(root, tuple(map(readable, class_names)), supported, notes, unsupported)


def image_files(folder: Path, suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """Return the image files in a folder and its subfolders, sorted, without hidden ones.

    Args:
        folder: The folder.
        suffixes: Extensions of image files, in lower case. Default: those that can be read.

    Raises:
        DataError: There are too many files, or folders are nested too deeply.
    """
    return sorted(path for path in _files(folder, 0) if path.suffix.lower() in suffixes)


def read(
    listing: Listing,
    image_size: int,
    resize: Resize,
    *,
    skip_unreadable: bool,
    on_progress: OnProgress | None = None,
) -> Decoded:
    """Decode all images to square RGB images.

    Args:
        listing: From `survey`.
        image_size: Side length in pixels.
        resize: What happens to images that are not square; see `load`.
        skip_unreadable: Skip files that cannot be decoded, and count them in the notes.
        on_progress: Called with the number of decoded files and of all files.

    Raises:
        DataError: Some images cannot be read; all of them are named.
    """
    total = sum(len(files) for files in listing.files.values())
    done = 0
    image_shape = (image_size, image_size, 3)
    splits, unreadable = {}, []
    with ThreadPoolExecutor() as threads:
        for split, files in listing.files.items():
            images = np.empty((len(files), *image_shape), np.uint8)
            good = np.ones(len(files), bool)
            decoded = threads.map(
                lambda path: try_decode(path, image_shape, resize), (path for path, _ in files)
            )
            for index, result in enumerate(decoded):
                if isinstance(result, str):
                    unreadable.append(f"{files[index][0].relative_to(listing.root)} ({result})")
                    good[index] = False
                else:
                    images[index] = result
                done += 1
                if on_progress is not None:
                    on_progress(done, total)
            labels = np.array([label for _, label in files], np.int64)
            if not good.all():
                images, labels = images[good], labels[good]
            splits[split] = Split(images, labels)
    if unreadable and not skip_unreadable:
        raise DataError(
            f"{len(unreadable)} of {total} images in {listing.root} cannot be read.",
            received=listed(unreadable),
            fix="Repair or remove them, for which `eyetune data check` helps, or use "
            "--skip-unreadable.",
        )
    notes = listing.notes
    if others := [path for pairs in listing.unsupported.values() for path, _ in pairs]:
        skipped = f"{_counted(others)} skipped: photos in formats that are not read"
        notes = (*notes, f"{skipped}; convert them to JPEG or PNG")
    if unreadable:
        notes = (
            *notes,
            f"{len(unreadable)} unreadable image(s) were skipped: {listed(unreadable)}",
        )
    return Decoded(readable(listing.root.name), listing.class_names, splits, notes)


def _class_folders(top: Path) -> dict[str, Path]:
    folders = sorted(
        path for path in top.iterdir() if path.is_dir() and not path.name.startswith(".")
    )
    return {path.name: path for path in folders}


def _check_classes(
    splits: Mapping[str, Path], classes: Mapping[str, Mapping[str, Path]], *, min_classes: int
) -> None:
    names = list(classes["train"])
    if len(names) < min_classes:
        raise DataError(
            f"{splits['train']} has {'only one class' if names else 'no class folders'}.",
            expected="two or more classes, each a folder of images",
            received=", ".join(names) or "no folders",
            fix="Put the images of each class into a folder with the name of the class.",
        )
    if len(names) > MAX_CLASSES:
        raise DataError(
            f"{splits['train']} has too many classes.",
            expected=f"at most {MAX_CLASSES:,} folders",
            received=f"{len(names):,}",
        )
    for split, folders in classes.items():
        if list(folders) != names:
            raise DataError(
                f"The {split} images and the training images have different classes.",
                expected=", ".join(names),
                received=", ".join(folders) or "no folders",
            )


def _files(folder: Path, num_files: int) -> Iterator[Path]:
    """Yield the files in a folder and its subfolders, without hidden ones.

    Links to files are followed, links to folders are not.

    Args:
        folder: The folder of a class.
        num_files: Number of files in the folders before it.

    Raises:
        DataError: There are too many files, or folders are nested too deeply.
    """
    remaining = [(folder, 0)]
    try:
        while remaining:
            current, depth = remaining.pop()
            FOLDER_DEPTH.check(depth, "a folder")
            with os.scandir(current) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        remaining.append((Path(entry.path), depth + 1))
                    elif _is_file(entry):
                        num_files += 1
                        IMAGES.check(num_files, "a folder")
                        yield Path(entry.path)
    except LimitExceededError as error:
        raise DataError(
            f"The folder {folder} cannot be read.", received=error, fix=error.fix
        ) from None


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads to itself
        return False


def _counted(paths: Sequence[Path]) -> str:
    """Return the number of files by extension.

    Example:
        >>> _counted([Path("a.HEIC"), Path("b.heic"), Path("c.tif")])
        '2 .heic, 1 .tif'
    """
    numbers = Counter(path.suffix.lower() for path in paths)
    return ", ".join(f"{number:,} {extension}" for extension, number in numbers.most_common())
