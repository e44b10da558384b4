"""Images in folders: one folder per class, optionally inside train, validation and test folders."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from eyetune.data.cache import Decoded
from eyetune.data.dataset import Images, Split, readable
from eyetune.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
# By content; files of some phones with the extension .jpg are MPO.
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "BMP", "GIF")
SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid"),
    "test": ("test", "testing"),
}
MAX_LISTED = 20
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Listing:
    """The image files of a folder, before they are decoded.

    Attributes:
        root: The folder.
        class_names: Names of the class folders, sorted.
        files: Pairs (file, label) of each split; only "train" if there are no split folders.
        notes: Remarks for the user.
    """

    root: Path
    class_names: tuple[str, ...]
    files: Mapping[str, tuple[tuple[Path, int], ...]]
    notes: tuple[str, ...]

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


def survey(root: Path) -> Listing:
    """List the images of a folder by split and class.

    Raises:
        DataError: There are fewer than two classes, a class is empty, or the splits have different
            classes.
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
    _check_classes(splits, classes)
    listed: dict[str, tuple[tuple[Path, int], ...]] = {}
    empty, ignored = [], 0
    for split, folders in classes.items():
        pairs: list[tuple[Path, int]] = []
        for name, folder in folders.items():
            files = sorted(
                path for path in folder.rglob("*") if path.is_file() and not _hidden(path, folder)
            )
            images = [path for path in files if path.suffix.lower() in SUFFIXES]
            ignored += len(files) - len(images)
            pairs += [(path, class_names.index(name)) for path in images]
            if not images:
                empty.append(folder)
        listed[split] = tuple(pairs)
    if empty:
        raise DataError(
            f"{len(empty)} class folder{'s hold' if len(empty) > 1 else ' holds'} no images.",
            expected=f"files ending in {', '.join(SUFFIXES)}",
            received="no images in " + _listed(str(path) for path in empty),
            fix="Add images or remove the folder.",
        )
    notes = (f"{ignored} file(s) that are not images were skipped",) if ignored else ()
    return Listing(root, tuple(map(readable, class_names)), listed, notes)


def read(
    listing: Listing,
    image_size: int,
    *,
    skip_unreadable: bool,
    on_progress: OnProgress | None = None,
) -> Decoded:
    """Decode all images to square RGB images.

    Args:
        listing: From `survey`.
        image_size: Side length in pixels; images that are not square are stretched.
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
                lambda path: _try_decode(path, image_shape), (path for path, _ in files)
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
            fix="Repair or remove them, or use --skip-unreadable.",
        )
    notes = listing.notes
    if unreadable:
        notes = (
            *notes,
            f"{len(unreadable)} unreadable image(s) were skipped: {_listed(unreadable)}",
        )
    return Decoded(readable(listing.root.name), listing.class_names, splits, notes)


def decode(path: Path, image_shape: tuple[int, int, int]) -> Images:
    """Decode an image file of any size and mode.

    A camera's rotation mark is applied, transparency becomes white, the first frame of an animation
    is used, and 16-bit and floating-point values are scaled to 0 to 255.

    Args:
        path: The file.
        image_shape: Height and width in pixels, and 1 or 3 channels.

    Returns:
        uint8, of this shape.

    Raises:
        DataError: It cannot be read.
    """
    result = _try_decode(path, image_shape)
    if isinstance(result, str):
        raise DataError(
            f"The image {path} cannot be read.",
            expected="a file in PNG, JPEG, WebP, BMP or GIF",
            received=result,
        )
    return result


def _try_decode(path: Path, image_shape: tuple[int, int, int]) -> NDArray[np.uint8] | str:
    """Return the pixels, or the reason why they cannot be decoded."""
    height, width, channels = image_shape
    try:
        with Image.open(path) as image:
            if image.format not in FORMATS:
                return f"{image.format}, which is not supported"
            # Large JPEGs are decoded at a fraction of their size, several times faster.
            image.draft("RGB", (2 * width, 2 * height))
            resized = _to_rgb(_upright(image)).resize((width, height), Image.Resampling.BILINEAR)
    except UnidentifiedImageError:
        return "0 bytes" if path.stat().st_size == 0 else "not an image"
    except tuple(_REASONS) as error:
        return _REASONS[type(error)]
    except Exception as error:  # Pillow's decoders have many errors for damaged files
        return str(error) or type(error).__name__
    pixels = np.asarray(resized if channels == 3 else resized.convert("L"))
    return pixels.reshape(image_shape)


_REASONS: dict[type[Exception], str] = {
    FileNotFoundError: "no such file",
    IsADirectoryError: "a folder",
    Image.DecompressionBombError: "too many pixels",
}


def _upright(image: Image.Image) -> Image.Image:
    """Apply a camera's rotation mark, if it can be read."""
    try:
        image.getexif()
    except Exception:  # Pillow's parser has many errors for damaged marks
        return image
    return ImageOps.exif_transpose(image)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):  # 16 or 32 bits, which Pillow would clip at 255
        values = np.asarray(image, np.float64)
        top = 65535.0 if image.mode.startswith("I") else max(float(values.max()), 1.0)
        return Image.fromarray((np.clip(values / top, 0, 1) * 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in image.info:
        layered = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert(
            "RGB"
        )
    return image.convert("RGB")


def _class_folders(top: Path) -> dict[str, Path]:
    folders = sorted(
        path for path in top.iterdir() if path.is_dir() and not path.name.startswith(".")
    )
    return {path.name: path for path in folders}


def _check_classes(splits: Mapping[str, Path], classes: Mapping[str, Mapping[str, Path]]) -> None:
    names = list(classes["train"])
    if len(names) < 2:
        raise DataError(
            f"{splits['train']} has {'only one class' if names else 'no class folders'}.",
            expected="two or more classes, each a folder of images",
            received=", ".join(names) or "no folders",
            fix="Put the images of each class into a folder with the name of the class.",
        )
    for split, folders in classes.items():
        if list(folders) != names:
            raise DataError(
                f"The {split} images and the training images have different classes.",
                expected=", ".join(names),
                received=", ".join(folders) or "no folders",
            )


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _listed(items: Iterable[str]) -> str:
    names = [readable(item) for item in items]
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(names[:MAX_LISTED]) + more
