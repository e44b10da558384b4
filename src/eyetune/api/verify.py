"""Verify an export on real images."""

from __future__ import annotations

import json
from pathlib import Path

from eyetune.analysis.metrics import evaluate
from eyetune.api.export_report import draw_verification, write_report
from eyetune.api.export_source import open_unchanged
from eyetune.api.preparing import check_evaluated_split, check_num_images, note, start, workspace_of
from eyetune.api.run import Run
from eyetune.data import Dataset, Split
from eyetune.device.export import export_folder
from eyetune.device.export.export_folder import VERIFICATION, Manifest, SourceFile
from eyetune.device.export.verify import Verification
from eyetune.errors import DataError, RunNotFoundError, TrainingError
from eyetune.inputs.limits import JSON_BYTES
from eyetune.inputs.regular_file import read_text
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.report.progress.training_progress import counting_bar
from eyetune.training.load_data import load_data
from eyetune.tuning.executors.machine import usable_cores
from eyetune.values.json_text import json_value

MIN_IMAGES_PER_PROCESS = 500  # a process needs some seconds to start


def verify(
    folder: str | Path,
    *,
    split: str = "test",
    num_images: int | None = None,
    workspace: str | Path | Workspace | None = None,
    progress: bool = True,
) -> Verification:
    """Verify an export: classify real images with TensorFlow Lite Micro's own interpreter.

    Its answers are compared with those of LiteRT. The result is written to `verification.json` and
    to the report of the export, unless an earlier verification there used more images of the split
    and this one passes, too.

    Args:
        folder: Folder of the export.
        split: "test", or "validation" if there is no test split or choices are still to be made.
        num_images: Number of images to use, the first ones of the split. Default: all.
        workspace: The workspace that the run is recorded in, for the accuracy of its float network
            on the same images.
        progress: Whether to show the progress.

    Raises:
        UsageError: The folder is not an export, or an argument is out of range.
        BoardError: The model file is missing, or the interpreter cannot run it.
        DataError: The images are not those of the run, or do not have the split.

    Example:
        >>> import eyetune as et
        >>> et.verify("firmware").passed  # doctest: +SKIP
        True
    """
    from eyetune.device.estimate.tflite import read
    from eyetune.device.export import verify as verification
    from eyetune.device.export.int8_values import check_ports

    path = Path(folder).expanduser()
    manifest = export_folder.read_manifest(path)
    check_evaluated_split(split)
    check_num_images(num_images)
    content = export_folder.read_model(path)
    check_ports(read(content), manifest.source_file.pixels if manifest.source_file else "0-1")
    verification.warm_up()
    start(0, progress=progress)
    note("Loading images ...", progress=progress)
    dataset = _dataset(manifest, split)
    images = dataset.split(split)
    images = images.take(0, num_images or len(images))
    note(f"Classifying {len(images):,} {split} images ...", progress=progress)
    float_result = _float_accuracy(manifest, dataset, split, len(images), workspace)
    total = verification.num_classifications(len(images))
    with counting_bar("classifying images", enabled=progress) as advance:
        result = verification.verify(
            content,
            images.images,
            images.labels,
            split=split,
            arena_limit_bytes=manifest.arena_bytes,
            arena_scratch_bytes=manifest.arena_scratch_bytes,
            float_accuracy=float_result,
            changed_files=export_folder.changed_files(path, manifest),
            was_trained_on=split == "validation" and manifest.validation_is_seen,
            num_processes=processes_for(len(images)),
            on_image=lambda number: advance(number, total),
        )
    earlier = _num_verified(path, split)
    if result.passed and earlier > result.num_images:
        note(
            f"The report keeps the verification on {earlier:,} images.",
            progress=progress,
        )
    else:
        _record(path, manifest, result, images)
    return result


def _num_verified(folder: Path, split: str) -> int:
    """Return on how many images of a split an export was verified before; 0 if it was not."""
    try:
        value = json_value(read_text(folder / VERIFICATION, JSON_BYTES))
        is_same = value["split"] == split and value["passed"]
        return int(value["num_images"]) if is_same else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def processes_for(num_images: int) -> int:
    """Return how many processes should classify images: one for each core, fewer for few images."""
    return max(1, min(usable_cores(), num_images // MIN_IMAGES_PER_PROCESS))


def _dataset(manifest: Manifest, split: str) -> Dataset:
    """Return the images that the network was trained on.

    Raises:
        DataError: They have changed, or do not have the split.
    """
    dataset = load_data(Recipe(data=manifest.data))
    if dataset.fingerprint != manifest.data_fingerprint:
        raise DataError(
            f"The images of {dataset.source} are not those that the network was trained on.",
            expected=f"fingerprint {manifest.data_fingerprint}",
            received=f"fingerprint {dataset.fingerprint}",
            fix="Restore the images, or export a new run.",
        )
    if not len(dataset.split(split)):
        raise DataError(
            f"The images of {dataset.source} have no {split} split.",
            expected=f"at least 1 {split} image",
            received="none",
            fix="--split validation",
        )
    return dataset


def _float_accuracy(
    manifest: Manifest,
    dataset: Dataset,
    split: str,
    num_images: int,
    workspace: str | Path | Workspace | None,
) -> float | None:
    """Return the float network's accuracy on the same images; None if there is no such network."""
    if manifest.source_file is not None:
        images = dataset.split(split).take(0, num_images)
        return _accuracy_in_file(manifest.source_file, images)
    assert manifest.run is not None
    records = workspace_of(workspace)
    try:
        run = Run(records, records.runs.find(manifest.run))
        if not records.predictions.has(run.id, split):
            run.evaluate(split, dataset=dataset)
        return float(run.right(split)[:num_images].mean())
    except (RunNotFoundError, TrainingError):  # its run, or its network, was deleted
        return None


def _accuracy_in_file(source: SourceFile, images: Split) -> float | None:
    """Return the accuracy of the network in a .keras file; None if the file was changed."""
    network = open_unchanged(source)
    if network is None:
        return None
    return evaluate(network.probabilities(images.images), images.labels).accuracy


def _record(folder: Path, manifest: Manifest, result: Verification, images: Split) -> None:
    """Write the result into the folder of the export and into its report."""
    from eyetune.report.output import write_output

    write_output(json.dumps(result.to_json(), indent=2), folder / VERIFICATION)
    draw_verification(folder, manifest, result, images)
    write_report(folder, manifest, verification=result)
