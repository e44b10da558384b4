"""How data sets and sources look in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from eyetune.cli.tables import MAX_MATRIX_CLASSES, shape_text
from eyetune.report.console import escape, escape_lines

if TYPE_CHECKING:
    from rich.console import RenderableType

MAX_SIZES = 5  # of photos that are listed


def dataset_tables(facts: Mapping[str, Any], picture: Path, resize: str) -> list[RenderableType]:
    """Return the tables of a data set: photos of a folder, splits, classes, the first labels."""
    title = f"[bold]{escape(facts['name'])}[/bold]"
    if facts["source"] != facts["name"]:
        title += f" from {escape(facts['source'])}"
    parts: list[RenderableType] = [title]
    parts += [f"note: {escape_lines(note)}" for note in facts["notes"]]
    if facts["photos"] is not None:
        parts.append(_photo_table(facts["photos"], resize))
    parts += [_split_table(facts), _class_table(facts), _first_labels_table(facts)]
    return [*parts, f"Samples of each class: {escape(str(picture))}"]


def imbalance_lines(text: str) -> list[RenderableType]:
    """Return what an imbalance of the classes means and what can be done; nothing without one."""
    if not text:
        return []
    remedies = "`eyetune lab` then also tries the techniques class-weight and balanced-sampling."
    return [f"[yellow]Imbalance:[/yellow] {escape_lines(text)} {remedies}"]


def _photo_table(photos: Mapping[str, Any], resize: str) -> Table:
    """Return what is known of photos before they are resized."""
    table = Table(box=box.SIMPLE, show_header=False, title="photos of the folder")
    formats = [f"{count:,} {name}" for name, count in photos["formats"].items()]
    table.add_row("format", escape(", ".join(formats)))
    sizes = [f"{_size_text(size)} ({size['count']:,})" for size in photos["sizes"][:MAX_SIZES]]
    if len(photos["sizes"]) > MAX_SIZES:
        smallest, largest = _extremes(photos["sizes"])
        others = len(photos["sizes"]) - MAX_SIZES
        sizes.append(f"{others:,} other sizes, from {smallest} to {largest}")
    table.add_row("size in pixels", ", ".join(sizes))
    if resize == "pad":
        table.add_row("pad", f"a photo fills {photos['filled_share']:.0%} of an image on average")
    else:
        table.add_row(resize, f"{photos['used_share']:.0%} of a photo is used on average")
    counted = {
        "rotated": "turned upright by the mark of their camera (EXIF)",
        "grayscale": "without color",
        "enlarged": "smaller than the image",
        "unreadable": "whose header cannot be read",
    }
    for name, text in counted.items():
        if photos[name]:
            table.add_row(name, f"{photos[name]:,} {text}")
    return table


def _size_text(size: Mapping[str, int]) -> str:
    return f"{size['width']}x{size['height']}"


def _extremes(sizes: Sequence[Mapping[str, int]]) -> tuple[str, str]:
    """Return the sizes with the fewest and with the most pixels."""
    ordered = sorted(sizes, key=lambda size: (size["width"] * size["height"], size["width"]))
    return _size_text(ordered[0]), _size_text(ordered[-1])


def _split_table(facts: Mapping[str, Any]) -> Table:
    table = Table("split", "images", "type", "values", "mean", "labels", "type", box=box.SIMPLE)
    for name, split in facts["splits"].items():
        table.add_row(
            name,
            shape_text(split["images"]),
            split["images_dtype"],
            f"{split['smallest_value']} to {split['largest_value']}",
            f"{split['mean_value']:.1f}",
            shape_text(split["labels"]),
            split["labels_dtype"],
        )
    return table


def _class_table(facts: Mapping[str, Any]) -> Table:
    title = "images of each class"
    table = Table("label", "class", *facts["splits"], box=box.SIMPLE, title=title)
    for label, name in enumerate(facts["classes"]):
        counts = [f"{split['class_counts'][label]:,}" for split in facts["splits"].values()]
        table.add_row(str(label), escape(name), *counts)
    return table


def _first_labels_table(facts: Mapping[str, Any]) -> Table:
    title = "the first training labels"
    table = Table("label", "class", "one-hot row", box=box.SIMPLE, title=title)
    rows = zip(facts["first_labels"], facts["first_names"], facts["first_one_hot"], strict=True)
    for label, name, row in rows:
        values = row if len(row) <= MAX_MATRIX_CLASSES else [*row[:8], "...", *row[-2:]]
        table.add_row(str(label), escape(name), escape(" ".join(str(value) for value in values)))
    return table


def sources_tables(value: Mapping[str, Any]) -> list[RenderableType]:
    """Return tables of the known data sets and of the entries of the cache."""
    sources = Table(
        "name", "content", box=box.SIMPLE, title="Data sets with a name", title_justify="left"
    )
    for name, description in value["known"].items():
        sources.add_row(name, description)
    paths = (
        "A source can also be the path of a CIFAR archive, of a folder of images (one folder per "
        "class) or of an .npz file."
    )
    if not value["cached"]:
        return [sources, paths]
    title = escape(f"Cached in {value['cache']}")
    cached = Table("name", "source", "details", box=box.SIMPLE, title=title, title_justify="left")
    cached.add_column("size", justify="right", no_wrap=True)
    cached.add_column("date", no_wrap=True)
    for entry in value["cached"]:
        cached.add_row(
            escape(entry["name"]),
            escape(entry["source"]),
            escape(", ".join(entry["details"])),
            _megabytes(entry["size_bytes"]),
            entry["created_at"][:10],
        )
    return [sources, paths, cached]


def _megabytes(size_bytes: int) -> str:
    megabytes = size_bytes / 1e6
    return f"{megabytes:,.0f} MB" if megabytes >= 10 else f"{megabytes:.1f} MB"
