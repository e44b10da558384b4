"""Accuracies, sizes and time of an export as rows of a table."""

from __future__ import annotations

from eyetune.analysis.class_metrics import accuracy_share
from eyetune.analysis.trial_results import latency_text
from eyetune.device.export.export_folder import Manifest
from eyetune.device.export.unknown_text import refused
from eyetune.values.pixels import pixels_text


def export_rows(manifest: Manifest) -> dict[str, str]:
    """Return the accuracies, sizes and time of an export as texts, by name."""
    rows = {
        **accuracy_rows(
            manifest.float_validation_accuracy,
            manifest.int8_validation_accuracy,
            manifest.validation_images,
        ),
        **footprint_rows(manifest),
    }
    if manifest.source_file is not None:
        rows["pixels"] = f"from {pixels_text(manifest.source_file.pixels)}"
    return rows | _unknown_rows(manifest)


def footprint_rows(manifest: Manifest) -> dict[str, str]:
    """Return the sizes, the work and the time of an export as texts, by name."""
    board = manifest.board
    is_internal = manifest.arena_bytes <= board.arena_bytes
    available = board.arena_bytes if is_internal else board.psram_bytes
    arena = f"{manifest.arena_bytes:,} of {available:,} bytes"
    rows = {
        "flash": f"{manifest.flash_bytes:,} of {board.max_model_bytes:,} bytes",
        "tensor arena": f"{arena}, {_arena_source(manifest)}",
        "multiply-accumulates": f"{manifest.macs:,} MACs",
        "operators": ", ".join(manifest.operators),
    }
    if manifest.latency_ms is not None and manifest.latency_error_ms is not None:
        time = latency_text(manifest.latency_ms, manifest.latency_error_ms)
        rows["time per image"] = f"{time}, predicted"
    return rows


def accuracy_rows(
    float_accuracy: float | None, int8_accuracy: float, num_images: int, split: str = "validation"
) -> dict[str, str]:
    """Return accuracies on the images of a split with their 95% intervals.

    Args:
        float_accuracy: 0 to 1; None if there is no network in float.
        int8_accuracy: 0 to 1.
        num_images: Number of images.
        split: The split that they are from.

    Example:
        >>> accuracy_rows(None, 0.5, 100)
        {'images': '100 of the validation split', 'accuracy in int8': '50.00% (40.38% to 59.62%)'}
    """
    rows = {"images": f"{num_images:,} of the {split} split"}
    for name, accuracy in (("float", float_accuracy), ("int8", int8_accuracy)):
        if accuracy is not None:
            share = accuracy_share(accuracy, num_images)
            rows[f"accuracy in {name}"] = share.text(digits=2)
    return rows


def _arena_source(manifest: Manifest) -> str:
    """Return which part of the tensor arena was measured, and which one was computed."""
    scratch_bytes = manifest.arena_scratch_bytes
    how = "measured" if manifest.arena_is_measured else "predicted"
    if not scratch_bytes:
        return how
    return f"{scratch_bytes:,} computed for ESP-NN's kernels, the rest {how}, in whole KiB"


def _unknown_rows(manifest: Manifest) -> dict[str, str]:
    """Return how many known and unknown pictures are refused."""
    report = manifest.unknown
    if report is None:
        return {}
    rows = {"unknown": f"below {report.confidence:.2%} confidence"}
    for each in refused(report):
        rows[f"refused {each.name}"] = f"{each.share.text()} of {each.images:,}"
    return rows
