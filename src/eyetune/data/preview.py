"""What a dataset looks like: its figures as plain values, and a picture with samples of every class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from eyetune.data.dataset import Dataset, Split, one_hot
from eyetune.errors import UsageError, WorkspaceError

PREVIEWED_LABELS = 10
CLASSES_AT_MOST = 100
MARGIN = 4
FONT_PIXELS = 13


def describe(dataset: Dataset) -> dict[str, Any]:
    """Return shapes, dtypes, value ranges, class counts and the first labels, as plain JSON values."""
    first = dataset.train.labels[:PREVIEWED_LABELS]
    return {
        "name": dataset.name,
        "source": dataset.source,
        "fingerprint": dataset.fingerprint,
        "classes": list(dataset.class_names),
        "splits": {name: _describe(split, dataset.num_classes) for name, split in dataset.splits()},
        "first_labels": first.tolist(),
        "first_names": [dataset.class_names[label] for label in first],
        "first_one_hot": one_hot(first, dataset.num_classes).astype(int).tolist(),
        "notes": list(dataset.notes),
    }


def _describe(split: Split, num_classes: int) -> dict[str, Any]:
    return {
        "images": list(split.images.shape),
        "images_dtype": str(split.images.dtype),
        "labels": list(split.labels.shape),
        "labels_dtype": str(split.labels.dtype),
        "smallest_value": int(split.images.min()),
        "largest_value": int(split.images.max()),
        "mean_value": round(float(split.images.mean(dtype=np.float64)), 2),
        "class_counts": split.class_counts(num_classes).tolist(),
    }


def sample_grid(dataset: Dataset, *, per_class: int = 10, scale: int | None = None) -> Image.Image:
    """Draw the first training images of each class, a row a class with its name.

    Args:
        dataset: What to draw from.
        per_class: Images in a row; a class with fewer has a shorter row.
        scale: Screen pixels for each image pixel; by default as many as make images about 48 pixels wide.
    """
    height, width, _ = dataset.image_shape
    scale = scale or max(1, round(48 / width))
    names = dataset.class_names[:CLASSES_AT_MOST]
    font = ImageFont.load_default(FONT_PIXELS)
    text_width = int(max(font.getlength(name) for name in names)) + 3 * MARGIN
    cell_width, cell_height = width * scale + MARGIN, height * scale + MARGIN
    canvas = Image.new("RGB", (text_width + per_class * cell_width, len(names) * cell_height + MARGIN), "white")
    draw = ImageDraw.Draw(canvas)
    for row, name in enumerate(names):
        top = MARGIN + row * cell_height
        draw.text((MARGIN, top + cell_height / 2), name, fill="black", font=font, anchor="lm")
        members = np.flatnonzero(dataset.train.labels == row)[:per_class]
        for column, index in enumerate(members):
            tile = to_picture(dataset.train.images[index], scale)
            canvas.paste(tile, (text_width + column * cell_width, top))
    return canvas


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture, in the format that its name says.

    Raises:
        WorkspaceError: The file cannot be written.
        UsageError: The name has no known ending.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    except OSError as error:
        raise WorkspaceError(f"The picture {path} cannot be written.", received=error.strerror or error) from None
    except ValueError:
        raise UsageError(
            "The picture has no known format.", expected="a name ending in .png", received=path.name
        ) from None


def to_picture(image: np.ndarray[Any, np.dtype[np.uint8]], scale: int = 1) -> Image.Image:
    """Turn one uint8 image of shape (height, width, 1 or 3) into a picture, each pixel `scale` screen pixels."""
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert("RGB")
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
