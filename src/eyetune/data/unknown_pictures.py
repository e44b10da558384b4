"""Pictures that show none of the classes of a network: noise, digits, and those of a user."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from eyetune.data.dataset import Images
from eyetune.data.load import load
from eyetune.data.sources import digits
from eyetune.data.sources.folder import image_files
from eyetune.data.sources.image_file import SUFFIXES, UNSUPPORTED_SUFFIXES, decode_readable
from eyetune.errors import DataError, SourceError
from eyetune.recipe import Resize

NUM_PICTURES = 500  # of each kind; the 95% interval of a share is 9 points wide at most
MAX_OWN_PICTURES = 2000
_NUM_BLOTCHES = 4  # side of the grid that becomes blotches of color


def generated_pictures(shape: tuple[int, int, int], *, has_digits: bool) -> dict[str, Images]:
    """Return pictures that are unknown to a network, by what they show.

    Args:
        shape: Height and width in pixels, and 1 or 3 channels.
        has_digits: Whether handwritten digits are among them: not for a network that knows them.

    Returns:
        uint8 images of shape (N, height, width, channels).
    """
    generator = np.random.default_rng(0)
    height, width, channels = shape
    noise = generator.integers(0, 256, (NUM_PICTURES, *shape), dtype=np.uint8)
    size = (NUM_PICTURES, _NUM_BLOTCHES, _NUM_BLOTCHES, channels)
    grids = generator.integers(0, 256, size, dtype=np.uint8)
    blotches = np.stack([_resized(grid, height, width) for grid in grids])
    pictures = {"noise": noise, "blotches of color": blotches}
    if has_digits:
        images = digits.read(max(height, width)).splits["train"].images[:NUM_PICTURES]
        pictures["handwritten digits"] = np.stack(
            [_resized(image[..., :channels], height, width) for image in images]
        )
    return pictures


def own_pictures(
    source: str | Path,
    shape: tuple[int, int, int],
    resize: Resize = "crop",
    *,
    on_note: Callable[[str], None] = lambda _: None,
) -> Images:
    """Return up to 2,000 pictures that a user names, in the shape of a network's images.

    Args:
        source: A folder of image files, of any depth, or what `load` takes.
        shape: Height and width in pixels, and 1 or 3 channels.
        resize: What happens to image files with another aspect ratio; see `load`.
        on_note: Called with a line that names the files that cannot be read, if there are any.

    Raises:
        SourceError: There is no such source.
        DataError: It has no pictures, or none of them can be read.
    """
    folder = Path(source).expanduser()
    suffixes = (*SUFFIXES, *UNSUPPORTED_SUFFIXES)
    files = image_files(folder, suffixes) if folder.is_dir() else []
    if files:
        chosen_files = [files[position] for position in _spread(len(files))]
        return decode_readable(chosen_files, shape, resize, on_note=on_note)[0]
    height, width, channels = shape
    try:
        dataset = load(source, image_size=max(8, height, width))
    except SourceError as error:
        error.fix = "Name a folder of pictures that show something else, or cifar100 or digits."
        raise
    images = np.concatenate([split.images for _, split in dataset.splits()])
    if images.shape[-1] < channels:
        raise DataError(
            "The unknown pictures have fewer channels than the network takes.",
            expected=f"{channels} channels",
            received=f"{images.shape[-1]} in {dataset.source}",
        )
    chosen = (_with_channels(images[position], channels) for position in _spread(len(images)))
    return np.stack([_resized(image, height, width) for image in chosen])


def _spread(number: int) -> list[int]:
    """Return at most 2,000 positions, evenly spaced, since files may be sorted by class."""
    chosen = np.linspace(0, number - 1, min(number, MAX_OWN_PICTURES))
    return [int(position) for position in chosen]


def _with_channels(image: Images, channels: int) -> Images:
    if image.shape[-1] == channels:
        return image
    return np.asarray(Image.fromarray(image).convert("L"))[..., np.newaxis]


def _resized(image: Images, height: int, width: int) -> Images:
    channels = image.shape[-1]
    picture = Image.fromarray(image[..., 0] if channels == 1 else image)
    resized = picture.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized).reshape(height, width, channels)
