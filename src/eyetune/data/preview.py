"""Look at a dataset: its properties as plain values, and a picture with sample images."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from eyetune._files import replaced_file
from eyetune.data.dataset import Dataset, Images, Split, one_hot
from eyetune.errors import UsageError, WorkspaceError
from eyetune.values.display import one_line

PREVIEWED_LABELS = 10
MAX_CLASSES_SHOWN = 100
MARGIN = 4
FONT_PIXELS = 13


def describe(dataset: Dataset) -> dict[str, Any]:
    """Return shapes, dtypes, value ranges, class counts and first labels, as JSON values."""
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


def sample_grid(
    dataset: Dataset,
    *,
    per_class: int = 10,
    scale: int | None = None,
    classes: int = MAX_CLASSES_SHOWN,
) -> Image.Image:
    """Draw the first training images of each class, in a row with the name of the class.

    Args:
        dataset: The dataset.
        per_class: Images in a row; a class with fewer has a shorter row.
        scale: Screen pixels for each image pixel; by default, images are about 48 pixels wide.
        classes: Largest number of rows.
    """
    labels = range(min(dataset.num_classes, classes))
    rows = [dataset.train.images[_members(dataset, label, per_class)] for label in labels]
    return _grid(dataset.class_names, rows, scale)


def variation_grid(
    dataset: Dataset,
    vary: Callable[[Images], Images],
    *,
    per_class: int = 10,
    scale: int | None = None,
    classes: int = MAX_CLASSES_SHOWN,
) -> Image.Image:
    """Draw the first training image of each class unchanged, and beside it augmented copies.

    Args:
        dataset: The dataset.
        vary: Augments uint8 images of shape (N, height, width, channels).
        per_class: Images in a row, the unchanged one included.
        scale: Screen pixels for each image pixel; by default, images are about 48 pixels wide.
        classes: Largest number of rows.
    """
    # A subset may have no image of a class.
    first = np.concatenate(
        [_members(dataset, label, 1) for label in range(min(dataset.num_classes, classes))]
    )
    names = [dataset.class_names[label] for label in dataset.train.labels[first]]
    originals = np.asarray(dataset.train.images[first])
    times = max(per_class - 1, 1)
    varied = vary(np.concatenate([originals] * times)).reshape(times, *originals.shape)
    return _grid(names, list(np.stack([originals, *varied], axis=1)), scale)


def as_html(dataset: Dataset) -> str:
    """Return HTML for a notebook: a table of the splits, and some images of each class."""
    titles = ("split", "images", "type", "values", "labels")
    head = "".join(f"<th>{title}</th>" for title in titles)
    rows = "".join(_html_row(name, split) for name, split in dataset.splits())
    notes = "".join(f"<p>{html.escape(one_line(note))}</p>" for note in dataset.notes)
    stream = io.BytesIO()
    dataset.preview().save(stream, format="png")
    picture = base64.b64encode(stream.getvalue()).decode()
    return (
        f"<p><b>{html.escape(one_line(dataset.name))}</b>, {dataset.num_classes} classes</p>"
        f"<table><tr>{head}</tr>{rows}</table>{notes}"
        "<img alt='images of each class' style='max-width:100%' "
        f"src='data:image/png;base64,{picture}'>"
    )


def _html_row(name: str, split: Split) -> str:
    shape = " x ".join(str(size) for size in split.images.shape)
    cells = (
        shape,
        split.images.dtype,
        f"{split.images.min()} to {split.images.max()}",
        len(split.labels),
    )
    return f"<tr><th>{name}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def picture_font() -> ImageFont.FreeTypeFont:
    """Return matplotlib's font, which has letters of more languages than Pillow's."""
    import matplotlib

    return ImageFont.truetype(
        Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", FONT_PIXELS
    )


def _members(dataset: Dataset, label: int, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.flatnonzero(dataset.train.labels == label)[:count]


def _grid(names: Sequence[str], rows: Sequence[Images], scale: int | None) -> Image.Image:
    """Draw rows of images, each after its name."""
    names = [one_line(name) for name in names]
    height, width = rows[0].shape[1:3]
    scale = scale or max(1, round(48 / width))
    font = picture_font()
    text_width = int(max(font.getlength(name) for name in names[: len(rows)])) + 3 * MARGIN
    cell_width, cell_height = width * scale + MARGIN, height * scale + MARGIN
    size = (text_width + max(map(len, rows)) * cell_width, len(rows) * cell_height + MARGIN)
    canvas = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)
    for number, (name, images) in enumerate(zip(names, rows, strict=False)):
        top = MARGIN + number * cell_height
        draw.text((MARGIN, top + cell_height / 2), name, fill="black", font=font, anchor="lm")
        for column, image in enumerate(images):
            canvas.paste(to_picture(image, scale), (text_width + column * cell_width, top))
    return canvas


def check_picture_path(path: Path) -> None:
    """Check that a picture's name has the extension of a known format.

    Raises:
        UsageError: It has not.
    """
    if path.suffix.lower() not in Image.registered_extensions():
        raise UsageError(
            "The picture's name has no known extension.",
            expected="a name ending in .png",
            received=path.name,
        )


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture, in the format of its name's extension.

    Raises:
        WorkspaceError: The file cannot be written.
        UsageError: The name has no known extension.
    """
    check_picture_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced_file(path) as partial:  # a link of that name is not followed
            picture.save(partial)
    except OSError as error:
        raise WorkspaceError(
            f"The picture {path} cannot be written.", received=error.strerror or error
        ) from None


def to_picture(image: np.ndarray[Any, np.dtype[np.uint8]], scale: int = 1) -> Image.Image:
    """Return an image as a picture.

    Args:
        image: uint8, shape (height, width, 1 or 3).
        scale: Screen pixels for each image pixel.
    """
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert("RGB")
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
