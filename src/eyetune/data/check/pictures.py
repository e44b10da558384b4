"""All pictures of a source as a check of data needs them: small, with hashes, and by name.

Pictures keep the names of their files or, in arrays and archives, their place in their split. What
cannot be read is listed, and nothing is refused for it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from eyetune.data.dataset import Images, Labels, readable
from eyetune.data.load import folder_of, read_in_order
from eyetune.data.sources.folder import survey
from eyetune.data.sources.image_file import FORMATS, ORIENTATION, decode
from eyetune.errors import DataError
from eyetune.inputs.limits import IMAGE_FILE_BYTES
from eyetune.inputs.regular_file import read_bytes
from eyetune.values.progress import OnProgress

SIDE = 32  # pixels, of the pictures that are compared and classified
DECODED_SIDE = 64  # pixels, of the pictures of which hashes are made
MAX_NAMED = 10  # files in an error
ORIENTATIONS_ON_THEIR_SIDE = (5, 6, 7, 8)  # of the EXIF tag: width and height are exchanged


@dataclass(frozen=True)
class Picture:
    """A picture of a source.

    Attributes:
        name: Path of its file below the source, or its split with its index, such as "train[7]".
        split: "train", "validation" or "test"; "train" where the source has no splits.
        label: Its class.
        width: Width in pixels, upright.
        height: Height in pixels, upright.
        file: Its file; None in arrays and archives.
    """

    name: str
    split: str
    label: int
    width: int
    height: int
    file: Path | None


@dataclass(frozen=True)
class Unreadable:
    """A file of a source that cannot be decoded.

    Attributes:
        name: Path of the file below the source.
        split: Its split.
        label: The class of its folder.
        file: The file.
        reason: Why it cannot be decoded.
    """

    name: str
    split: str
    label: int
    file: Path
    reason: str


@dataclass(frozen=True)
class Pictures:
    """All pictures of a source.

    Attributes:
        name: Short name of the source.
        root: The folder; None for arrays and archives.
        class_names: Name of each class.
        items: The pictures that can be read.
        images: The same, uint8, shape (N, 32, 32, 1 or 3).
        digests: SHA-256 of each file, or of the pixels in arrays.
        hashes: Perceptual hash of each picture, shape (N,).
        mirrored_hashes: The same of the mirrored picture.
        unreadable: The files that cannot be read.
        notes: Remarks for the user.
        arrays: The splits of arrays and archives; empty for a folder.
    """

    name: str
    root: Path | None
    class_names: tuple[str, ...]
    items: tuple[Picture, ...]
    images: Images
    digests: tuple[bytes, ...]
    hashes: NDArray[np.uint64]
    mirrored_hashes: NDArray[np.uint64]
    unreadable: tuple[Unreadable, ...]
    notes: tuple[str, ...]
    arrays: tuple[Images, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def labels(self) -> Labels:
        """The class of each picture, int64, shape (N,)."""
        return np.array([item.label for item in self.items], np.int64)

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """The splits that the source has."""
        return tuple(dict.fromkeys(item.split for item in self.items))

    def pixels(self, index: int, side: int) -> Images:
        """Return a picture whose longer side has a number of pixels, uint8, in RGB.

        Raises:
            DataError: Its file cannot be read any more.
        """
        item = self.items[index]
        scale = side / max(item.width, item.height)
        height, width = (max(1, round(size * scale)) for size in (item.height, item.width))
        if item.file is not None:
            return decode(item.file, (height, width, 3), "squash")
        image = _as_image(self._original(index)).convert("RGB")
        return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))

    def _original(self, index: int) -> Images:
        for images in self.arrays:
            if index < len(images):
                image: Images = images[index]
                return image
            index -= len(images)
        raise IndexError(index)


@dataclass(frozen=True)
class _Seen:
    """What is kept of a picture that was read."""

    image: Images
    digest: bytes
    hash: int
    mirrored_hash: int
    width: int
    height: int


def read_pictures(source: str, on_progress: OnProgress = lambda *_: None) -> Pictures:
    """Read all pictures of a source.

    Args:
        source: A source of images, see `load`.
        on_progress: Called with the number of pictures that were read and of all.

    Raises:
        SourceError: The source does not exist.
        DataError: It is not a data set: for example, a folder without class folders.
    """
    root = folder_of(source)
    return _of_arrays(source, on_progress) if root is None else _of_folder(root, on_progress)


def _of_folder(root: Path, on_progress: OnProgress) -> Pictures:
    listing = survey(root, for_training=False)
    files = listing.all_files
    seen: list[_Seen] = []
    items: list[Picture] = []
    unreadable: list[Unreadable] = []
    with ThreadPoolExecutor() as threads:
        results = threads.map(_read_file, (path for _, path, _ in files))
        for number, ((split, path, label), result) in enumerate(zip(files, results, strict=True)):
            name = readable(path.relative_to(root).as_posix())
            if isinstance(result, str):
                unreadable.append(Unreadable(name, split, label, path, result))
            else:
                seen.append(result)
                items.append(Picture(name, split, label, result.width, result.height, path))
            on_progress(number + 1, len(files))
    if not any(item.split == "train" for item in items):
        reasons = [f"{each.name} ({each.reason})" for each in unreadable[:MAX_NAMED]]
        raise DataError(
            f"{root} has no training picture that can be read.",
            expected="at least one",
            received=", ".join(reasons) or "no image files",
            fix="Convert them to JPEG or PNG." if unreadable else None,
        )
    return _pictures(
        readable(root.name), root, listing.class_names, items, seen, unreadable, listing.notes
    )


def _of_arrays(source: str, on_progress: OnProgress) -> Pictures:
    decoded = read_in_order(source)
    total = sum(len(split) for split in decoded.splits.values())
    items: list[Picture] = []
    seen: list[_Seen] = []
    with ThreadPoolExecutor() as threads:
        for name, split in decoded.splits.items():
            height, width = split.images.shape[1:3]
            for index, result in enumerate(threads.map(_see_array, split.images)):
                label = int(split.labels[index])
                items.append(Picture(f"{name}[{index}]", name, label, width, height, None))
                seen.append(result)
                on_progress(len(items), total)
    if not items:
        raise DataError(f"{decoded.name} has no pictures.", expected="at least one")
    arrays = tuple(split.images for split in decoded.splits.values())
    return _pictures(
        decoded.name, None, decoded.class_names, items, seen, (), decoded.notes, arrays
    )


def _pictures(
    name: str,
    root: Path | None,
    class_names: tuple[str, ...],
    items: Sequence[Picture],
    seen: Sequence[_Seen],
    unreadable: Iterable[Unreadable],
    notes: tuple[str, ...],
    arrays: tuple[Images, ...] = (),
) -> Pictures:
    return Pictures(
        name,
        root,
        class_names,
        tuple(items),
        np.stack([one.image for one in seen]),
        tuple(one.digest for one in seen),
        np.array([one.hash for one in seen], np.uint64),
        np.array([one.mirrored_hash for one in seen], np.uint64),
        tuple(unreadable),
        notes,
        arrays,
    )


def _read_file(path: Path) -> _Seen | str:
    """Return what is kept of a picture's file, or why it cannot be read."""
    try:
        # Whole and squashed, so that a copy of another aspect ratio is alike.
        pixels = decode(path, (DECODED_SIDE, DECODED_SIDE, 3), "squash")
        content = read_bytes(path, IMAGE_FILE_BYTES)
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            if _is_on_its_side(image):
                width, height = height, width
    except DataError as error:
        return error.received or error.message
    except OSError as error:
        return error.strerror or str(error)
    return _seen(Image.fromarray(pixels), hashlib.sha256(content).digest(), width, height)


def _is_on_its_side(image: Image.Image) -> bool:
    try:
        return image.getexif().get(ORIENTATION, 1) in ORIENTATIONS_ON_THEIR_SIDE
    except Exception:  # Pillow's parser has many errors for damaged marks
        return False


def _see_array(image: Images) -> _Seen:
    digest = hashlib.sha256(np.ascontiguousarray(image).data).digest()
    height, width, channels = image.shape
    seen = _seen(_as_image(image), digest, width, height)
    return seen if channels == 3 else _gray(seen)


def _as_image(image: Images) -> Image.Image:
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def _gray(seen: _Seen) -> _Seen:
    return _Seen(
        seen.image.reshape(SIDE, SIDE, 1),
        seen.digest,
        seen.hash,
        seen.mirrored_hash,
        seen.width,
        seen.height,
    )


def _seen(image: Image.Image, digest: bytes, width: int, height: int) -> _Seen:
    small = image.resize((SIDE, SIDE), Image.Resampling.BOX)
    return _Seen(
        np.asarray(small),
        digest,
        _hash(image),
        _hash(ImageOps.mirror(image)),
        width,
        height,
    )


def _hash(image: Image.Image) -> int:
    """Return the perceptual hash of an image as a number of 64 bits."""
    import imagehash

    bits = imagehash.phash(image).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
