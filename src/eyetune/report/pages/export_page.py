"""The page of an export: what the network reaches, what it needs, and its verification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eyetune.report.pages.page import render
from eyetune.report.pages.tables import Cell, Row
from eyetune.values.firmware_formats import FIRMWARE_FORMATS

_CONTENTS = (
    ("reaches", "Accuracy"),
    ("takes", "Memory and time"),
    ("proof", "Verification"),
    ("next", "Next steps"),
)
_CONVERSION_HEADINGS = ("conversion", "training images", "int8", "same class", "error", "")


def export_page(manifest: Mapping[str, Any], verification: Mapping[str, Any] | None = None) -> str:
    """Return the report of an export as one self-contained HTML page.

    Args:
        manifest: The manifest of the export, as JSON values.
        verification: The result of `eyetune verify`, as JSON values. Default: not verified yet.
    """
    board = manifest["board"]
    shape = " x ".join(map(str, manifest["image_shape"]))
    num_classes = len(manifest["class_names"])
    return render(
        "export",
        {
            "title": f"{manifest['label']} on {board['title']}",
            "subtitle": f"run {manifest['run']}, {num_classes} classes, images of {shape}",
            "contents": _CONTENTS,
            "steps": manifest["steps"],
            "accuracy_headings": ("images", "float", "int8", "points"),
            "accuracy_rows": _accuracy_rows(manifest, verification),
            "validation_images": f"{manifest['validation_images']:,}",
            "conversion_headings": _CONVERSION_HEADINGS,
            "conversion_rows": _conversion_rows(manifest),
            "remedies_left_out": manifest.get("remedies_left_out", ""),
            "bars": _bars(manifest),
            "facts": _facts(manifest),
            "verification": verification,
            "verification_rows": _verification_rows(verification) if verification else [],
            "folders": [(name, FIRMWARE_FORMATS[name]) for name in manifest["formats"]],
            "operators": ", ".join(manifest["operators"]),
            "quirks": board["quirks"],
            "versions": list(manifest["versions"].items()),
        },
    )


def _accuracy_rows(
    manifest: Mapping[str, Any], verification: Mapping[str, Any] | None
) -> list[Row]:
    rows = [
        _accuracy_row(
            f"{manifest['validation_images']:,} validation images",
            manifest["float_validation_accuracy"],
            manifest["int8_validation_accuracy"],
        )
    ]
    if verification:
        label = (
            f"{verification['num_images']:,} {verification['split']} images, "
            f"in {verification['interpreter']}"
        )
        row = _accuracy_row(label, verification["float_accuracy"], verification["int8_accuracy"])
        rows.append(row)
    return rows


def _accuracy_row(label: str, float_accuracy: float | None, int8_accuracy: float) -> Row:
    if float_accuracy is None:
        return Row([Cell(label), Cell("unknown"), Cell(f"{int8_accuracy:.2%}"), Cell("")])
    difference = 100 * (int8_accuracy - float_accuracy)
    return Row(
        [
            Cell(label),
            Cell(f"{float_accuracy:.2%}"),
            Cell(f"{int8_accuracy:.2%}"),
            Cell(f"{difference:+.2f}"),
        ]
    )


def _conversion_rows(manifest: Mapping[str, Any]) -> list[Row]:
    """Return a row for each conversion to int8; none if there was only one."""
    conversions = manifest.get("conversions", ())
    if len(conversions) < 2:
        return []
    return [
        Row(
            [
                Cell(conversion["method"]),
                Cell(f"{conversion['training_images']:,}"),
                Cell(f"{conversion['int8_accuracy']:.2%}"),
                Cell(f"{conversion['agreement']:.2%}"),
                Cell(f"{conversion['error']:.4f}"),
                Cell("chosen" if conversion["chosen"] else ""),
            ]
        )
        for conversion in conversions
    ]


def _bars(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what the network needs and what is available, for flash and RAM."""
    board = manifest["board"]
    arena_bytes = manifest["arena_bytes"]
    max_model_bytes = board["partition_bytes"] - board["firmware_bytes"]
    model = _bar("model, in flash", manifest["flash_bytes"], max_model_bytes)
    if arena_bytes <= board["arena_bytes"]:
        arena = _bar("tensor arena, in internal RAM", arena_bytes, board["arena_bytes"])
    else:
        arena = _bar("tensor arena, in external RAM", arena_bytes, board["psram_bytes"])
    return [model, arena]


def _bar(label: str, needed: int, available: int) -> dict[str, Any]:
    share = min(1.0, needed / available) if available else 1.0
    return {"label": label, "needed": needed, "available": available, "share": share}


def _facts(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [
        ("tensor arena without scratch memory", _arena_text(manifest)),
        ("multiply-accumulates (MACs) per image", f"{manifest['macs']:,}"),
    ]
    if manifest["arena_scratch_bytes"]:
        text = f"{manifest['arena_scratch_bytes']:,} bytes, computed by ESP-NN's formulas"
        facts.insert(1, ("scratch memory of the board's kernels", text))
    if manifest["latency_ms"] is not None:
        time = f"{manifest['latency_ms']:,.0f} ± {manifest['latency_error_ms']:,.0f} ms"
        facts.append(("time per image, predicted", time))
    facts.append(("training images for calibration", f"{manifest['calibration_images']:,}"))
    return facts


def _arena_text(manifest: Mapping[str, Any]) -> str:
    how = "measured in" if manifest["arena_is_measured"] else "computed as by"
    rest = manifest["arena_bytes"] - manifest["arena_scratch_bytes"]
    return f"{rest:,} bytes, {how} TensorFlow Lite Micro"


def _verification_rows(verification: Mapping[str, Any]) -> list[Row]:
    agreement, arena = verification["agreement"], verification["arena"]
    rows = {"interpreter": verification["interpreter"]}
    if agreement is None:
        rows["compared with"] = "nothing"
    else:
        rows["compared with"] = verification["reference"]
        rows["same class"] = f"{agreement:.2%} of the images"
    if arena is None:
        rows["tensor arena"] = "predicted"
    else:
        rows["tensor arena"] = (
            f"{arena['bytes']:,} bytes ({arena['head_bytes']:,} for tensors, "
            f"{arena['tail_bytes']:,} for the interpreter)"
        )
    rows["set aside for it"] = f"{verification['arena_limit_bytes']:,} bytes"
    return [Row([Cell(name), Cell(value)]) for name, value in rows.items()]
