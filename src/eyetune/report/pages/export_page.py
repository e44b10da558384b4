"""The page of an export: what the network reaches, what it needs, and its verification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eyetune.analysis.class_metrics import (
    Share,
    accuracy_share,
    balanced_accuracy,
    class_metrics,
)
from eyetune.analysis.guessing import judge
from eyetune.analysis.metrics import Evaluation
from eyetune.analysis.trial_results import latency_text
from eyetune.report.pages.class_table import INTERVAL_NOTE, class_headings, class_rows
from eyetune.report.pages.page import Drawing, render
from eyetune.report.pages.tables import Cell, Row
from eyetune.values.firmware_formats import FIRMWARE_FORMATS
from eyetune.values.numbers import count_text

_CONVERSION_HEADINGS = ("conversion", "training images", "int8", "same class", "error", "")
_TRIED_HEADINGS = (
    "network",
    "validation accuracy",
    "flash, bytes",
    "tensor arena, bytes",
    "time per image, ms",
    "",
)
_PICTURES = ("confusion", "mistakes", "curves", "tried")
_MAX_TRIED = 15  # in the table; the picture shows all
_SHOWN_DIGITS = 8  # of a SHA-256


def export_page(
    manifest: Mapping[str, Any],
    verification: Mapping[str, Any] | None = None,
    drawings: Mapping[str, Drawing] | None = None,
    validation: Evaluation | None = None,
) -> str:
    """Return the report of an export as one self-contained HTML page.

    Args:
        manifest: The manifest of the export, as JSON values.
        verification: The result of `eyetune verify`, as JSON values. Default: not verified yet.
        drawings: Pictures by name: confusion, mistakes, curves and tried. Default: none.
        validation: Metrics on validation images, shown until the export is verified: of the float
            network if there is one. Default: none.
    """
    board = manifest["board"]
    shown = drawings or {}
    by_class = _by_class(manifest, verification, validation)
    return render(
        "export",
        {
            "title": f"{manifest['label']} on {board['title']}",
            "subtitle": _subtitle(manifest),
            "contents": _contents(manifest, shown),
            "is_good": verification is not None and verification["conclusion"] == "passed",
            "statements": _statements(manifest, verification, validation),
            "steps": manifest["steps"],
            "accuracy_headings": ("images", "float", "int8", "points"),
            "accuracy_rows": _accuracy_rows(manifest, verification),
            "by_class": by_class,
            "class_headings": class_headings(),
            "interval_note": INTERVAL_NOTE,
            "drawings": {name: shown.get(name) for name in _PICTURES},
            "tried_headings": _TRIED_HEADINGS,
            "tried_rows": _tried_rows(manifest),
            "tried_text": _tried_text(manifest),
            "validation_images": f"{manifest['validation_images']:,}",
            "conversion_headings": _CONVERSION_HEADINGS,
            "conversion_rows": _conversion_rows(manifest),
            "unknown": manifest.get("unknown"),
            "unknown_headings": ("pictures", "number", "answered with unknown"),
            "unknown_rows": _unknown_rows(manifest),
            "remedies_left_out": manifest.get("remedies_left_out", ""),
            "bars": _bars(manifest),
            "facts": _facts(manifest),
            "verification": verification,
            "verification_rows": _verification_rows(verification) if verification else [],
            "folders": [(name, FIRMWARE_FORMATS[name]) for name in manifest["formats"]],
            "commands": _commands(manifest),
            "operators": ", ".join(manifest["operators"]),
            "quirks": board["quirks"],
            "versions": list(manifest["versions"].items()),
        },
    )


def _contents(
    manifest: Mapping[str, Any], drawings: Mapping[str, Drawing]
) -> list[tuple[str, str]]:
    contents = [("reaches", "Accuracy")]
    if manifest.get("unknown"):
        contents.append(("unknown", "Unknown pictures"))
    if "mistakes" in drawings:
        contents.append(("mistakes", "Mistakes"))
    if "curves" in drawings:
        contents.append(("training", "Training"))
    if _tried_rows(manifest):
        contents.append(("tried", "What else was tried"))
    contents += [("takes", "Memory and time"), ("proof", "Verification"), ("next", "Flashing")]
    return contents


def _subtitle(manifest: Mapping[str, Any]) -> str:
    origin = f"run {manifest['run']}"
    if source := manifest.get("source_file"):
        origin = f"SHA-256 of the file {source['sha256'][:_SHOWN_DIGITS]}"
    shape = " x ".join(map(str, manifest["image_shape"]))
    return f"{origin}, {len(manifest['class_names'])} classes, images of {shape}"


def _statements(
    manifest: Mapping[str, Any],
    verification: Mapping[str, Any] | None,
    validation: Evaluation | None,
) -> list[str]:
    """Return what the reader must know first, as sentences."""
    if verification is not None:
        return [verification["headline"], verification["text"]]
    sentences = ["Not verified yet."]
    if validation is not None:
        sentences.append(judge(validation.confusion, "validation").text)
        network = _validated_network(manifest)
        note = "choices were based on these images."
        if _is_seen(manifest):
            note = "it was trained on these images, too, so only test images count."
        elif manifest.get("source_file"):
            note = "whether it was trained on some of these images is not known."
        sentences.append(f"This is the {network} network; {note}")
    return sentences


def _is_seen(manifest: Mapping[str, Any]) -> bool:
    """Return whether the network was trained on the validation images, too."""
    return bool(manifest.get("data", {}).get("train_on_validation"))


def _validated_network(manifest: Mapping[str, Any]) -> str:
    """Return which network has metrics by class on validation images: float if there is one."""
    return "int8" if manifest["float_validation_accuracy"] is None else "float"


def _by_class(
    manifest: Mapping[str, Any],
    verification: Mapping[str, Any] | None,
    validation: Evaluation | None,
) -> dict[str, Any] | None:
    """Return the metrics by class: of the verification, or else of the validation images."""
    if verification is not None:
        confusion = np.array(verification["confusion"])
        text = f"The int8 network on {verification['num_images']:,} {verification['split']} images"
    elif validation is not None:
        confusion = validation.confusion
        network = _validated_network(manifest)
        text = f"The {network} network on {validation.num_images:,} validation images"
    else:
        return None
    balanced = balanced_accuracy(confusion).text(digits=2)
    rows = class_rows(manifest["class_names"], class_metrics(confusion))
    return {"text": f"{text}: balanced accuracy {balanced}.", "rows": rows}


def _tried_rows(manifest: Mapping[str, Any]) -> list[Row]:
    """Return a row for each of the best networks that were tried; none if there was only one."""
    tried = manifest.get("tried", ())
    if len(tried) < 2:
        return []
    shown = tried[:_MAX_TRIED]
    shown += [network for network in tried[_MAX_TRIED:] if network["exported"]]
    rows = []
    for network in shown:
        about = "about " if network["flash_is_estimated"] else ""
        arena, latency = network["arena_bytes"], network["latency_ms"]
        cells = [
            Cell(network["label"]),
            Cell(_share_of_tried(manifest, network)),
            Cell(f"{about}{network['flash_bytes']:,.0f}"),
            Cell("" if arena is None else f"{arena:,.0f}"),
            Cell("" if latency is None else f"{latency:,.0f}"),
            Cell("exported" if network["exported"] else ""),
        ]
        rows.append(Row(cells, "baseline" if network["exported"] else ""))
    return rows


def _tried_text(manifest: Mapping[str, Any]) -> str:
    num_tried = len(manifest.get("tried", ()))
    text = f"{num_tried:,} networks were trained on these images."
    if num_tried > _MAX_TRIED:
        text += f" The table shows the {_MAX_TRIED} most accurate ones."
    if num_infeasible := manifest.get("num_infeasible", 0):
        trials = count_text(num_infeasible, "trial")
        text += f" Limits ruled out {trials} before any training."
    return text


def _share_of_tried(manifest: Mapping[str, Any], network: Mapping[str, Any]) -> str:
    """Return the accuracy of a network that was tried; earlier exports lack its images."""
    num_images = network.get("validation_images") or manifest["validation_images"]
    return accuracy_share(network["accuracy"], num_images).text(digits=2)


def _share_on_validation(manifest: Mapping[str, Any], accuracy: float) -> str:
    num_images = manifest["validation_images"]
    return accuracy_share(accuracy, num_images).text(digits=2)


def _commands(manifest: Mapping[str, Any]) -> list[str]:
    """Return the commands that bring the firmware onto the board; none without ESP-IDF."""
    if "esp-idf" not in manifest["formats"]:
        return []
    return [
        "cd esp-idf",
        f"idf.py set-target {manifest['board'].get('chip', '')}",
        "idf.py build",
        "eyetune flash .",
        "idf.py monitor",
    ]


def _accuracy_rows(
    manifest: Mapping[str, Any], verification: Mapping[str, Any] | None
) -> list[Row]:
    rows = [
        _accuracy_row(
            f"{manifest['validation_images']:,} validation images"
            + (", which it was trained on" if _is_seen(manifest) else ""),
            manifest["float_validation_accuracy"],
            manifest["int8_validation_accuracy"],
            manifest["validation_images"],
        )
    ]
    if verification:
        num_images = verification["num_images"]
        label = f"{num_images:,} {verification['split']} images, in {verification['interpreter']}"
        accuracies = verification["float_accuracy"], verification["int8_accuracy"]
        rows.append(_accuracy_row(label, *accuracies, num_images))
    return rows


def _accuracy_row(
    label: str, float_accuracy: float | None, int8_accuracy: float, num_images: int
) -> Row:
    def text(accuracy: float) -> str:
        return accuracy_share(accuracy, num_images).text(digits=2)

    if float_accuracy is None:
        return Row([Cell(label), Cell("unknown"), Cell(text(int8_accuracy)), Cell("")])
    difference = 100 * (int8_accuracy - float_accuracy)
    cells = (label, text(float_accuracy), text(int8_accuracy), f"{difference:+.2f}")
    return Row([Cell(cell) for cell in cells])


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
                Cell(_share_on_validation(manifest, conversion["int8_accuracy"])),
                Cell(f"{conversion['agreement']:.2%}"),
                Cell(f"{conversion['error']:.4f}"),
                Cell("chosen" if conversion["chosen"] else ""),
            ]
        )
        for conversion in conversions
    ]


def _unknown_rows(manifest: Mapping[str, Any]) -> list[Row]:
    """Return a row for each kind of pictures, known or not, with the share that is refused."""
    unknown = manifest.get("unknown") or {}
    rows = []
    for each in unknown.get("refused", ()):
        share = Share(each["share"]["value"], *each["share"]["interval"])
        cells = (each["name"], f"{each['images']:,}", share.text())
        rows.append(Row([Cell(cell) for cell in cells]))
    return rows


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
        _arena_fact(manifest),
        ("multiply-accumulates (MACs) per image", f"{manifest['macs']:,}"),
    ]
    if manifest["arena_scratch_bytes"]:
        label = "scratch memory of the board's kernels, computed by ESP-NN's formulas"
        facts.insert(1, (label, f"{manifest['arena_scratch_bytes']:,} bytes"))
    if manifest["latency_ms"] is not None:
        time = latency_text(manifest["latency_ms"], manifest["latency_error_ms"])
        facts.append(("time per image, predicted", time))
    if manifest["calibration_images"] is not None:
        facts.append(("training images for calibration", f"{manifest['calibration_images']:,}"))
    return facts


def _arena_fact(manifest: Mapping[str, Any]) -> tuple[str, str]:
    how = "measured in" if manifest["arena_is_measured"] else "computed as by"
    label = f"tensor arena without scratch memory, {how} TensorFlow Lite Micro"
    return label, f"{manifest['arena_bytes'] - manifest['arena_scratch_bytes']:,} bytes"


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
    if verification.get("arena_scratch_bytes"):
        rows["scratch memory"] = f"{verification['arena_scratch_bytes']:,} bytes, computed"
    rows["set aside for it"] = f"{verification['arena_limit_bytes']:,} bytes"
    return [Row([Cell(name), Cell(value)]) for name, value in rows.items()]
