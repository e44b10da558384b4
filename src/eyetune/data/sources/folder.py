"""Images in folders: one folder per class, optionally inside train, validation and test folders."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError, _imaging

from eyetune.data.cache import Decoded
from eyetune.data.dataset import Images, Split, readable
from eyetune.data.resize import Placement, grayscale, placed, placement
from eyetune.data.sources.color_modes import to_rgb
from eyetune.data.sources.pixel_budget import PixelBudget
from eyetune.errors import DataError
from eyetune.inputs.limits import (
    FOLDER_DEPTH,
    IMAGE_FILE_BYTES,
    IMAGE_PIXELS,
    IMAGES,
    LimitExceededError,
)
from eyetune.inputs.regular_file import NotAFileError, open_file
from eyetune.recipe import Resize

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
# Photos of phones, scanners and cameras in formats that are not read: they are never left out
# without a word.
UNSUPPORTED_SUFFIXES = (
    *(".heic", ".heif", ".avif", ".tif", ".tiff", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf"),
    *(".orf", ".rw2"),
)
# By content. Files of some phones with the extension .jpg are MPO, which Pillow opens as JPEG.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid"),
    "test": ("test", "testing"),
}
MAX_LISTED = 20
MAX_CLASSES = 10_000
PILLOW_BLOCK_BYTES = 2**26
ORIENTATION = 0x0112  # the tag of a camera's rotation mark
OnProgress = Callable[[int, int], None]


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
    listed: dict[str, tuple[tuple[Path, int], ...]] = {}
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
        listed[split], unsupported[split] = tuple(pairs), tuple(unsupported_pairs)
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
            received="no images in " + _listed(str(path) for path in empty),
            fix=f"Convert {_counted(in_empty)} to JPEG or PNG."
            if in_empty
            else "Add images or remove the folder.",
        )
    notes = (f"{ignored} file(s) that are not images were skipped",) if ignored else ()
    return Listing(root, tuple(map(readable, class_names)), listed, notes, unsupported)


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
                lambda path: _try_decode(path, image_shape, resize), (path for path, _ in files)
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
            received=_listed(unreadable),
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
            f"{len(unreadable)} unreadable image(s) were skipped: {_listed(unreadable)}",
        )
    return Decoded(readable(listing.root.name), listing.class_names, splits, notes)


def decode(path: Path, image_shape: tuple[int, int, int], resize: Resize) -> Images:
    """Decode an image file of any size and mode.

    A camera's rotation mark is applied, transparency becomes white, the first frame of an animation
    is used, and 16-bit and floating-point values are scaled to 0 to 255.

    Args:
        path: The file.
        image_shape: Height and width in pixels, and 1 or 3 channels.
        resize: What happens to an image with another aspect ratio; see `load`.

    Returns:
        uint8, of this shape.

    Raises:
        DataError: It cannot be read.
    """
    result = _try_decode(path, image_shape, resize)
    if isinstance(result, str):
        raise DataError(
            f"The image {path} cannot be read.",
            expected="a file in PNG, JPEG, WebP, BMP or GIF",
            received=result,
        )
    return result


def decode_readable(
    paths: Sequence[Path],
    image_shape: tuple[int, int, int],
    resize: Resize,
    *,
    on_note: Callable[[str], None],
    on_progress: OnProgress | None = None,
) -> tuple[Images, list[int]]:
    """Decode those of some image files that can be read.

    Args:
        paths: The files.
        image_shape: Height and width in pixels, and 1 or 3 channels.
        resize: What happens to an image with another aspect ratio; see `load`.
        on_note: Called with a line that names the files that cannot be read, if there are any.
        on_progress: Called with the number of files that are done and of all files.

    Returns:
        The images, uint8, shape (N, height, width, channels), and the positions of their files.

    Raises:
        DataError: None of the files can be read.
    """
    images, positions, unreadable = [], [], []
    for position, path in enumerate(paths):
        result = _try_decode(path, image_shape, resize)
        if isinstance(result, str):
            unreadable.append(f"{path} ({result})")
        else:
            images.append(result)
            positions.append(position)
        if on_progress is not None:
            on_progress(position + 1, len(paths))
    if not images:
        raise DataError(
            f"None of the {len(paths):,} pictures can be read.",
            expected="files in PNG, JPEG, WebP, BMP or GIF",
            received=_listed(unreadable),
        )
    if unreadable:
        on_note(
            f"{len(unreadable):,} of {len(paths):,} pictures are left out, since they cannot "
            f"be read: {_listed(unreadable)}"
        )
    return np.stack(images), positions


def _try_decode(
    path: Path, image_shape: tuple[int, int, int], resize: Resize
) -> NDArray[np.uint8] | str:
    """Return the pixels, or the reason why they cannot be decoded."""
    height, width, channels = image_shape
    try:
        with open_file(path) as file:
            IMAGE_FILE_BYTES.check(os.fstat(file.fileno()).st_size, "a file")
            allow_large_images()
            with Image.open(file, formats=FORMATS) as image:
                num_pixels = image.width * image.height
                IMAGE_PIXELS.check(num_pixels, "too many pixels: an image")
                if resize == "squash":
                    # A large JPEG is decoded at a fraction of its size, as in earlier versions.
                    # That saves memory, but values differ from those of the whole picture.
                    image.draft("RGB", (2 * width, 2 * height))
                if "progressive" not in image.info:  # these need memory for all of it
                    num_pixels = image.width * image.height
                with _BUDGET.reserved(num_pixels):
                    colors = _resized(to_rgb(_upright(image)), (width, height), resize)
    except Exception as error:  # Pillow's decoders have many errors for damaged files
        return _reason(error, path)
    return colors if channels == 3 else grayscale(colors)


def _resized(image: Image.Image, size: tuple[int, int], resize: Resize) -> NDArray[np.uint8]:
    """Return an RGB image in another size, as an array.

    Squashed images are interpolated by Pillow, as in earlier versions: recorded runs are checked
    against their images. The others have the mean of each area, in strips of a few rows.
    """
    if resize == "squash":
        return np.asarray(image.resize(size, Image.Resampling.BILINEAR))
    place = placement(image.size, size, resize)
    return placed(place, size, 3, lambda first, last: _rows(image, place, first, last))


def _rows(image: Image.Image, place: Placement, first: int, last: int) -> NDArray[np.uint8]:
    """Return rows of the part of an RGB image that is used."""
    left, top, width = place.source.left, place.source.top, place.source.width
    strip = image.crop((left, top + first, left + width, top + last))
    return np.asarray(strip).reshape(last - first, -1)


def _reason(error: Exception, path: Path) -> str:
    """Return why an image cannot be decoded."""
    match error:
        case UnidentifiedImageError():
            return _unknown_format(path)
        case NotAFileError():
            return (error.strerror or "").removesuffix(", not a file")
        case FileNotFoundError():
            return "no such file"
        case LimitExceededError():
            return f"{error} ({error.limit.variable})"
        case Image.DecompressionBombError():
            return f"too many pixels; the limit is {IMAGE_PIXELS.value:,} ({IMAGE_PIXELS.variable})"
    return str(error) or type(error).__name__


def _unknown_format(path: Path) -> str:
    if path.stat().st_size == 0:
        return "0 bytes"
    suffix = path.suffix.lower()
    if suffix in UNSUPPORTED_SUFFIXES:
        return f"{suffix} is not read; convert it to JPEG"
    return "not an image"


_BUDGET = PixelBudget(IMAGE_PIXELS)


def allow_large_images() -> None:
    """Let Pillow open what the limit allows, and allocate large images in large blocks.

    The C library gives memory of such blocks back to the system; smaller ones stay with the thread
    that used them, so that memory would grow with the number of threads.
    """
    _imaging.set_block_size(PILLOW_BLOCK_BYTES)  # a private part of Pillow
    allowed = Image.MAX_IMAGE_PIXELS  # it has a limit of its own, and warns below it
    if allowed is not None and allowed < IMAGE_PIXELS.value:
        Image.MAX_IMAGE_PIXELS = IMAGE_PIXELS.value


def _upright(image: Image.Image) -> Image.Image:
    """Apply a camera's rotation mark, if it can be read."""
    try:
        is_upright = image.getexif().get(ORIENTATION, 1) == 1
    except Exception:  # Pillow's parser has many errors for damaged marks
        is_upright = True
    return image if is_upright else ImageOps.exif_transpose(image)


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


def _listed(items: Iterable[str]) -> str:
    names = [readable(item) for item in items]
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(names[:MAX_LISTED]) + more
