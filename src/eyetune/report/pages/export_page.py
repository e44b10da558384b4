"""The page of an export: what the network reaches, what it takes of the board, how that was proven,
what to do next.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eyetune.report.pages.page import render
from eyetune.report.pages.tables import Cell, Row

CONTENTS = (
    ("reaches", "What it reaches"),
    ("takes", "What it takes"),
    ("proof", "The proof"),
    ("next", "What to do next"),
)
FOLDERS = {"esp-idf": "an ESP-IDF project", "arduino": "an Arduino sketch", "c": "a bare C array"}


def export_page(manifest: Mapping[str, Any], verification: Mapping[str, Any] | None = None) -> str:
    """Return the report of an export as one HTML page that needs nothing else.

    Args:
        manifest: What the export is, as JSON values.
        verification: What `eyetune verify` found, as JSON values (None: it has not been run).
    """
    board = manifest["board"]
    return render(
        "export",
        {
            "title": f"{manifest['label']} on {board['title']}",
            "subtitle": f"run {manifest['run']}, {len(manifest['class_names'])} classes, "
            f"{' x '.join(map(str, manifest['image_shape']))} pixels",
            "contents": CONTENTS,
            "steps": manifest["steps"],
            "accuracy_headings": ("images", "float", "int8", "points"),
            "accuracy_rows": _accuracies(manifest, verification),
            "bars": _bars(manifest),
            "facts": _facts(manifest),
            "verification": verification,
            "proof_rows": _proof(verification) if verification else [],
            "folders": [(name, FOLDERS[name]) for name in manifest["formats"]],
            "operators": ", ".join(manifest["operators"]),
            "quirks": board["quirks"],
            "versions": list(manifest["versions"].items()),
        },
    )


def _accuracies(manifest: Mapping[str, Any], verification: Mapping[str, Any] | None) -> list[Row]:
    rows = [
        _accuracy(
            f"{manifest['validation_images']:,} validation images",
            manifest["float_validation_accuracy"],
            manifest["int8_validation_accuracy"],
        )
    ]
    if verification:
        words = f"{verification['num_images']:,} {verification['split']} images, in {verification['interpreter']}"
        rows.append(_accuracy(words, verification["float_accuracy"], verification["int8_accuracy"]))
    return rows


def _accuracy(words: str, in_float: float | None, in_int8: float) -> Row:
    if in_float is None:
        return Row([Cell(words), Cell("not known"), Cell(f"{in_int8:.2%}"), Cell("")])
    return Row(
        [
            Cell(words),
            Cell(f"{in_float:.2%}"),
            Cell(f"{in_int8:.2%}"),
            Cell(f"{100 * (in_int8 - in_float):+.2f}"),
        ]
    )


def _bars(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what is needed and what there is room for, of flash and of RAM."""
    board = manifest["board"]
    flash = board["partition_bytes"] - board["firmware_bytes"]
    internal = manifest["arena_bytes"] <= board["arena_bytes"]
    room, where = (
        (board["arena_bytes"], "internal RAM")
        if internal
        else (board["psram_bytes"], "external RAM")
    )
    return [
        _bar("model, in flash", manifest["flash_bytes"], flash),
        _bar(f"tensor arena, in {where}", manifest["arena_bytes"], room),
    ]


def _bar(words: str, needed: int, room: int) -> dict[str, Any]:
    return {
        "words": words,
        "needed": needed,
        "room": room,
        "share": min(1.0, needed / room) if room else 1.0,
    }


def _facts(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [("multiply-adds an image", f"{manifest['macs']:,}")]
    if manifest["latency_ms"] is not None:
        words = f"{manifest['latency_ms']:,.0f} ± {manifest['latency_error_ms']:,.0f} ms"
        facts.append(("an image, predicted", words))
    facts.append(("training images to measure ranges on", f"{manifest['calibration_images']:,}"))
    return facts


def _proof(verification: Mapping[str, Any]) -> list[Row]:
    agreement, arena = verification["agreement"], verification["arena"]
    rows = {
        "interpreter that decides": verification["interpreter"],
        "compared with": verification["reference"] if agreement is not None else "nothing",
        "the same class": "not compared" if agreement is None else f"{agreement:.2%} of the images",
        "tensor arena": "predicted"
        if arena is None
        else f"{arena['bytes']:,} bytes "
        f"({arena['head_bytes']:,} for tensors, {arena['tail_bytes']:,} for the interpreter)",
        "set aside for it": f"{verification['arena_limit_bytes']:,} bytes",
    }
    return [Row([Cell(name), Cell(value)]) for name, value in rows.items()]
