"""The photos of a folder before they are resized: sizes, formats, and what is lost."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from eyetune.data.resize import placement
from eyetune.data.sources.image_file import FORMATS, ORIENTATION, allow_large_images
from eyetune.inputs.limits import IMAGE_FILE_BYTES, IMAGE_PIXELS
from eyetune.inputs.regular_file import open_file
from eyetune.recipe import Resize
from eyetune.values.progress import OnProgress

_SIDEWAYS = range(5, 9)  # marks of pictures whose width is their height
_GRAY_MODES = ("1", "L", "LA", "I", "F")


@dataclass(frozen=True)
class PhotoFacts:
    """The photos of a folder, from their headers.

    Attributes:
        num_photos: Number of photos whose headers can be read.
        num_unreadable: Number of image files whose headers cannot be read.
        formats: Number of photos by format, such as "JPEG", the most frequent first.
        sizes: Number of photos by width and height in pixels, upright, the most frequent first.
        num_rotated: Photos that a camera's mark (EXIF) rotates or mirrors.
        num_grayscale: Photos without color, by their format.
        num_enlarged: Photos of which fewer pixels are used than the image has, along a side.
        used_share: Mean share of a photo that the network sees, 0 to 1.
        filled_share: Mean share of an image that a photo fills, 0 to 1; the rest are borders.
    """

    num_photos: int
    num_unreadable: int
    formats: dict[str, int]
    sizes: dict[tuple[int, int], int]
    num_rotated: int
    num_grayscale: int
    num_enlarged: int
    used_share: float
    filled_share: float

    def to_json(self) -> dict[str, Any]:
        """Return the facts as JSON values, with all sizes."""
        sizes = [
            {"width": width, "height": height, "count": count}
            for (width, height), count in self.sizes.items()
        ]
        return {
            "count": self.num_photos,
            "unreadable": self.num_unreadable,
            "formats": self.formats,
            "sizes": sizes,
            "rotated": self.num_rotated,
            "grayscale": self.num_grayscale,
            "enlarged": self.num_enlarged,
            "used_share": round(self.used_share, 4),
            "filled_share": round(self.filled_share, 4),
        }


@dataclass(frozen=True)
class _Header:
    format: str
    size: tuple[int, int]
    is_rotated: bool
    is_gray: bool


def photo_facts(
    paths: Iterable[Path],
    image_size: int,
    resize: Resize,
    *,
    on_progress: OnProgress | None = None,
) -> PhotoFacts:
    """Return the facts about photos from their headers; pixels are not decoded.

    Args:
        paths: Image files.
        image_size: Side length in pixels of the images that they become.
        resize: How they become square.
        on_progress: Called with the number of files that were read and of all files.
    """
    files = list(paths)
    headers = []
    for number, path in enumerate(files, start=1):
        header = _header(path)
        if header is not None:
            headers.append(header)
        if on_progress is not None:
            on_progress(number, len(files))
    used, filled, num_enlarged = 0.0, 0.0, 0
    for header in headers:
        place = placement(header.size, (image_size, image_size), resize)
        source, target = place.source, place.target
        used += source.width * source.height / (header.size[0] * header.size[1])
        filled += target.width * target.height / image_size**2
        num_enlarged += source.width < target.width or source.height < target.height
    return PhotoFacts(
        num_photos=len(headers),
        num_unreadable=len(files) - len(headers),
        formats=dict(Counter(header.format for header in headers).most_common()),
        sizes=dict(Counter(header.size for header in headers).most_common()),
        num_rotated=sum(header.is_rotated for header in headers),
        num_grayscale=sum(header.is_gray for header in headers),
        num_enlarged=num_enlarged,
        used_share=used / max(len(headers), 1),
        filled_share=filled / max(len(headers), 1),
    )


def _header(path: Path) -> _Header | None:
    """Return the header of an image file; None if it cannot be read."""
    try:
        with open_file(path) as file:
            IMAGE_FILE_BYTES.check(os.fstat(file.fileno()).st_size, "a file")
            allow_large_images()
            with Image.open(file, formats=FORMATS) as image:
                IMAGE_PIXELS.check(image.width * image.height, "too many pixels: an image")
                mark = _mark(image)
                size = image.size[::-1] if mark in _SIDEWAYS else image.size
                is_gray = image.mode.split(";")[0] in _GRAY_MODES
                return _Header(str(image.format), size, mark != 1, is_gray)
    except Exception:  # Pillow's readers have many errors for damaged files
        return None


def _mark(image: Image.Image) -> int:
    """Return the rotation mark of a camera, 1 for an upright picture."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # Pillow would decode the whole picture to look for a mark behind it
    try:
        mark = image.getexif().get(ORIENTATION, 1)
    except Exception:  # Pillow's parser has many errors for damaged marks
        return 1
    return mark if mark in range(2, 9) else 1
