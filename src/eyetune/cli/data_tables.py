"""How data sets and sources look in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from eyetune.cli.tables import MAX_MATRIX_CLASSES, shape_text
from eyetune.report.console import escape, escape_lines

if TYPE_CHECKING:
    from rich.console import RenderableType


def dataset_tables(facts: Mapping[str, Any], picture: Path) -> list[RenderableType]:
    """Return the tables of a data set: splits, classes and the first labels."""
    title = f"[bold]{escape(facts['name'])}[/bold]"
    if facts["source"] != facts["name"]:
        title += f" from {escape(facts['source'])}"
    parts: list[RenderableType] = [title]
    parts += [f"note: {escape_lines(note)}" for note in facts["notes"]]
    parts += [_split_table(facts), _class_table(facts), _first_labels_table(facts)]
    return [*parts, f"Samples of each class: {escape(str(picture))}"]


def imbalance_lines(text: str) -> list[RenderableType]:
    """Return what an imbalance of the classes means and what can be done; nothing without one."""
    if not text:
        return []
    remedies = "`eyetune lab` then also tries the techniques class-weight and balanced-sampling."
    return [f"[yellow]Imbalance:[/yellow] {escape_lines(text)} {remedies}"]


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
