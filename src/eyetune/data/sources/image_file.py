"""Image files (PNG, JPEG, WebP, BMP, GIF) of any size and mode, decoded to arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError, _imaging

from eyetune.data.dataset import Images, readable
from eyetune.data.resize import Placement, grayscale, placed, placement
from eyetune.data.sources.color_modes import to_rgb
from eyetune.data.sources.pixel_budget import PixelBudget
from eyetune.errors import DataError
from eyetune.inputs.limits import IMAGE_FILE_BYTES, IMAGE_PIXELS, LimitExceededError
from eyetune.inputs.regular_file import NotAFileError, open_file
from eyetune.recipe import Resize
from eyetune.values.progress import OnProgress

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
# Photos of phones, scanners and cameras in formats that are not read: they are never left out
# silently.
UNSUPPORTED_SUFFIXES = (
    *(".heic", ".heif", ".avif", ".tif", ".tiff", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf"),
    *(".orf", ".rw2"),
)
# By content. Files of some phones with the extension .jpg are MPO, which Pillow opens as JPEG.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
MAX_LISTED = 20
PILLOW_BLOCK_BYTES = 2**26
ORIENTATION = 0x0112  # the tag of a camera's rotation mark
_BUDGET = PixelBudget(IMAGE_PIXELS)


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
    result = try_decode(path, image_shape, resize)
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
        result = try_decode(path, image_shape, resize)
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
            received=listed(unreadable),
        )
    if unreadable:
        on_note(
            f"{len(unreadable):,} of {len(paths):,} pictures are left out, since they cannot "
            f"be read: {listed(unreadable)}"
        )
    return np.stack(images), positions


def try_decode(
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


def listed(items: Iterable[str], max_names: int = MAX_LISTED) -> str:
    """Return the first names of files or classes as text, and how many others there are."""
    names = [readable(item) for item in items]
    more = f" and {len(names) - max_names} more" if len(names) > max_names else ""
    return ", ".join(names[:max_names]) + more
