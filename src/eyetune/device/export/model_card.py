"""The model card of an export: what the network is, what it reaches and what it is not for.

See Mitchell et al., 2019, Model Cards for Model Reporting (arXiv:1810.03993).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from eyetune.analysis.class_metrics import (
    ClassMetrics,
    balanced_accuracy,
    class_metrics,
)
from eyetune.device.export.export_folder import Manifest
from eyetune.device.export.export_text import accuracy_rows, footprint_rows
from eyetune.device.export.unknown import UnknownReport
from eyetune.device.export.unknown_text import guarantee_text, refused
from eyetune.device.export.verify import Verification
from eyetune.device.firmware.escaping import markdown
from eyetune.values.numbers import count_text


def model_card(manifest: Manifest, verification: Verification | None = None) -> str:
    """Return the model card of an export in Markdown.

    Args:
        manifest: The manifest of the export.
        verification: The result of `eyetune verify`. Default: not verified yet.
    """
    classes = ", ".join(markdown(name) for name in manifest.class_names)
    sections = [
        f"# {markdown(manifest.label)} for {markdown(manifest.board.title)}",
        f"An image classifier in int8 for TensorFlow Lite Micro: `model.tflite`, "
        f"{manifest.flash_bytes:,} bytes. `report.html` beside this file has the pictures.",
        "## Use",
        f"The network classifies images of {' x '.join(map(str, manifest.image_shape))} (height, "
        f"width, channels) into {len(manifest.class_names)} classes: {classes}.",
        f"{_on_other_images(manifest)} Its figures hold for images like those that it was trained "
        "on: the same cameras, light, distances and backgrounds. Measure it on images of your own "
        "device before you rely on it.",
        "## Accuracy",
        *_accuracy(manifest, verification),
        *_unknown(manifest.unknown),
        "## Memory and time",
        _table(("", ""), footprint_rows(manifest).items()),
        "## Training",
        *_training(manifest),
        "## Versions",
        _table(("package", "version"), [(k, v) for k, v in manifest.versions.items()]),
    ]
    return "\n\n".join(sections) + "\n"


def _on_other_images(manifest: Manifest) -> str:
    """Return what the network does with an image that shows none of its classes."""
    if manifest.unknown is None:
        return (
            "It names one of these classes for every image, also for one that shows none of them."
        )
    return (
        "It answers an image that it is not sure about with unknown, but not every one that "
        "shows none of these classes."
    )


def _unknown(report: UnknownReport | None) -> list[str]:
    if report is None:
        return []
    rows = [(each.name, f"{each.images:,}", each.share.text()) for each in refused(report)]
    return [
        "## Unknown pictures",
        guarantee_text(report),
        _table(("pictures", "number", "answered with unknown"), rows),
    ]


def _accuracy(manifest: Manifest, verification: Verification | None) -> list[str]:
    if verification is None:
        num_images = manifest.validation_images
        rows = accuracy_rows(
            manifest.float_validation_accuracy, manifest.int8_validation_accuracy, num_images
        )
        use = "on which choices were based"
        if manifest.validation_is_seen:
            use = "on which the network was trained, too, so that it is too high"
        elif manifest.source_file is not None:
            use = "on some of which the network may have been trained"
        return [
            f"On {num_images:,} validation images, {use}, with 95% intervals. Not verified yet: "
            "`eyetune verify FOLDER` measures it on test images.",
            _table(("", ""), rows.items()),
        ]
    confusion = np.array(verification.confusion)
    balanced = balanced_accuracy(confusion).text()
    sections = [
        f"**{verification.conclusion}** {verification.judgement.text}",
        f"Balanced accuracy: {balanced}. Measured in {verification.interpreter}, with 95% "
        "intervals in parentheses:",
        _table(
            ("class", "images", "recall", "precision", "F1"),
            _class_rows(manifest.class_names, class_metrics(confusion)),
        ),
    ]
    sections += [f"- {markdown(text)}" for text in verification.remarks]
    return sections


def _class_rows(names: Sequence[str], metrics: Sequence[ClassMetrics]) -> list[tuple[str, ...]]:
    rows = []
    for name, each in zip(names, metrics, strict=True):
        shares = (each.recall, each.precision, each.f1)
        rows.append((name, f"{each.num_images:,}", *(share.text() for share in shares)))
    return rows


def _training(manifest: Manifest) -> list[str]:
    data = f"{markdown(manifest.data.source)} (fingerprint {manifest.data_fingerprint})"
    if manifest.source_file is None:
        count = manifest.training_images
        images = data if count is None else f"{count:,} images of {data}"
        sentences = [f"Trained on {images} in run {manifest.run} of eyetune."]
    else:
        sentences = [
            f"The network is from the file {markdown(manifest.label)} (SHA-256 "
            f"{manifest.source_file.sha256}), which does not say how it was trained. It was "
            f"measured on images of {data}."
        ]
    if manifest.calibration_images is not None:
        sentences.append(
            "Ranges of int8 values were measured on "
            f"{manifest.calibration_images:,} training images."
        )
    if len(manifest.tried) > 1:
        sentences.append(f"{len(manifest.tried):,} networks were trained on these images.")
    if manifest.num_infeasible:
        trials = count_text(manifest.num_infeasible, "trial")
        sentences.append(f"Limits ruled out {trials} before any training.")
    return [*sentences, *(f"- {markdown(step)}" for step in manifest.steps)]


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings)]
    lines += [[markdown(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
