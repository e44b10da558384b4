"""How data, techniques and lists look in a terminal, and parts that all tables share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eyetune.techniques import Technique

BARS = "▁▂▃▄▅▆▇█"
MAX_MATRIX_CLASSES = 20


def sparkline(values: Sequence[float]) -> str:
    """Draw a curve in one line, from the lowest value to the highest.

    Example:
        >>> sparkline([0.1, 0.2, 0.4, 0.8])
        '▁▂▄█'
    """
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(BARS[round((value - low) / span * (len(BARS) - 1))] for value in values)


def percent(share: float | None) -> str:
    """Return a share of 0 to 1 as a percentage, or "not evaluated"."""
    return "not evaluated" if share is None else f"{share:.2%}"


def key_value_table(rows: Mapping[str, str]) -> Table:
    """Return a table of two columns, names and values."""
    table = Table(show_header=False, box=box.SIMPLE)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, escape(value))
    return table


def shape_text(shape: Iterable[int]) -> str:
    """Return a shape as text.

    Example:
        >>> shape_text((1200, 32, 32, 3))
        '1,200 x 32 x 32 x 3'
    """
    return " x ".join(f"{size:,}" for size in shape)


def techniques_table(techniques: Sequence[Technique]) -> list[RenderableType]:
    """Show techniques, one a line, by group."""
    table = Table("technique", "values worth trying", "in short", box=box.SIMPLE)
    group = None
    for one in techniques:
        if one.group != group:
            table.add_row(f"[bold]{escape(one.group)}[/bold]", "", "")
            group = one.group
        short = one.why.partition(". ")[0].rstrip(".")
        table.add_row(
            f"  {escape(one.name)}", escape(", ".join(map(_word, one.values))), escape(short)
        )
    return [
        table,
        "One in full: eyetune techniques NAME   Try one: eyetune train --technique NAME=VALUE",
    ]


def technique_text(one: Technique) -> list[RenderableType]:
    """Explain one technique."""
    commands = [f"  eyetune train --technique {one.name}={_word(value)}" for value in one.values]
    lines = [f"[bold]{escape(one.name)}[/bold] ({escape(one.group)})", "", escape(one.why), ""]
    lines += [f"[bold]When it hurts:[/bold] {escape(one.hurts)}", ""]
    lines += [f"[bold]It needs:[/bold] {escape(one.needs)}", ""] if one.needs else []
    lines += ["[bold]Try:[/bold]", *commands]
    return [*lines, *(["", escape(one.link)] if one.link else [])]


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def dataset_tables(facts: Mapping[str, Any], picture: Path) -> list[RenderableType]:
    """Show what a dataset is made of."""
    shown: list[RenderableType] = [
        f"[bold]{escape(facts['name'])}[/bold] from {escape(facts['source'])}"
    ]
    shown += [f"note: {escape(note)}" for note in facts["notes"]]
    splits = Table("split", "images", "type", "values", "mean", "labels", "type", box=box.SIMPLE)
    for name, split in facts["splits"].items():
        values = f"{split['smallest_value']} to {split['largest_value']}"
        splits.add_row(
            name,
            shape_text(split["images"]),
            split["images_dtype"],
            values,
            f"{split['mean_value']:.1f}",
            shape_text(split["labels"]),
            split["labels_dtype"],
        )
    classes = Table(
        "label", "class", *facts["splits"], box=box.SIMPLE, title="images of each class"
    )
    for label, name in enumerate(facts["classes"]):
        counts = [f"{split['class_counts'][label]:,}" for split in facts["splits"].values()]
        classes.add_row(str(label), escape(name), *counts)
    first = Table(
        "label", "class", "one-hot row", box=box.SIMPLE, title="the first training labels"
    )
    for label, name, row in zip(
        facts["first_labels"], facts["first_names"], facts["first_one_hot"], strict=True
    ):
        shortened = row if len(row) <= MAX_MATRIX_CLASSES else [*row[:8], "...", *row[-2:]]
        first.add_row(str(label), escape(name), escape(" ".join(str(value) for value in shortened)))
    return [*shown, splits, classes, first, f"Samples of each class: {escape(str(picture))}"]


def sources_tables(value: Mapping[str, Any]) -> list[RenderableType]:
    """Return tables of the known data sets and of the entries of the cache."""
    known = Table("name", "content", box=box.SIMPLE, title="known by name", title_justify="left")
    for name, description in value["known"].items():
        known.add_row(name, description)
    paths = (
        "A source can also be the path of a CIFAR archive, of a folder of images (one folder per "
        "class) or of an .npz file."
    )
    if not value["cached"]:
        return [known, paths]
    title = escape(f"decoded in {value['cache']}")
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
    return [known, paths, cached]


def _megabytes(size_bytes: int) -> str:
    megabytes = size_bytes / 1e6
    return f"{megabytes:,.0f} MB" if megabytes >= 10 else f"{megabytes:.1f} MB"
