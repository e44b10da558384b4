"""From a trained run to a folder for a board: int8 network, proof and firmware."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyetune.api.preparing import start, workspace_of
from eyetune.api.run import Run, open_run
from eyetune.data import Dataset, Split
from eyetune.device import firmware
from eyetune.device.boards.profiles import Board, load_board
from eyetune.device.export import export_folder
from eyetune.device.export.export_folder import (
    FORMATS,
    LABELS,
    MODEL,
    REPORT,
    VERIFICATION,
    Format,
    Manifest,
)
from eyetune.device.export.verify import MAX_LOST, Verification, accuracy
from eyetune.errors import (
    BoardError,
    DataError,
    RunNotFoundError,
    TrainingError,
    UsageError,
    nearest,
)
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.report.progress.training_progress import TrainingDisplay, counting_bar
from eyetune.training.load_data import load_data
from eyetune.tuning.recording import versions

if TYPE_CHECKING:
    from eyetune.device.estimate.footprint import Footprint
    from eyetune.device.estimate.tflite import TfliteModel

# Training images on which ranges are measured: more are tried where int8 costs more than a point.
CALIBRATION_IMAGES = (200, 1000, 3000)
VALIDATION_IMAGES = 2000  # on which float and int8 are compared, at most
EXPECTED_IMAGES = 3  # whose answers the firmware's README shows
_KIBIBYTE = 1024
_MARGIN = 1.05  # of an arena that was predicted and not measured: what the prediction may be off


@dataclass(frozen=True)
class Export:
    """An export and what is known of it.

    Attributes:
        folder: Where it lies.
        manifest: What it is.
        notes: What a user should know.
    """

    folder: Path
    manifest: Manifest
    notes: tuple[str, ...] = ()

    @property
    def lost(self) -> float:
        """Validation accuracy that int8 cost, in shares."""
        return self.manifest.lost

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "folder": str(self.folder),
            **export_folder.as_values(self.manifest),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class _Quantized:
    content: bytes
    num_images: int
    int8_accuracy: float


def export(
    run: Run | str = "latest",
    output: str | Path | None = None,
    *,
    board: str | Path | Board = "esp-eye",
    formats: Sequence[str] = ("esp-idf",),
    overwrite: bool = False,
    steps: Sequence[str] = (),
    workspace: str | Path | Workspace | None = None,
    progress: bool = True,
) -> Export:
    """Make of a trained run what a board needs: the int8 network, firmware around it and a report.

    Ranges are measured on training images. int8 is compared with float on validation images; where
    it costs more than a point, more training images are tried and the best network is kept. Test
    images are not touched: `verify` does.

    Args:
        run: A complete run, or its id, the beginning of that, its name, or "latest".
        output: The folder; by default `exports/ID` in the workspace.
        board: A name of `eyetune boards`, the path of a TOML file, or a board.
        formats: Of the firmware: "esp-idf", "arduino" and "c"; any of them.
        overwrite: Replace an export that is there. Anything else is never written over.
        steps: How the network was found, in sentences, for the report.
        workspace: Where the run is recorded.
        progress: Show what is done.

    Raises:
        UsageError: The run is not complete, the folder cannot be used, or a word is unknown.
        BoardError: The network does not fit the board, or cannot be converted.
        DataError: The images have changed since the training.

    Example:
        >>> import eyetune as et
        >>> et.export("latest", "firmware").manifest.flash_bytes  # doctest: +SKIP
        174496
    """
    chosen = run if isinstance(run, Run) else open_run(run, workspace=workspace)
    _ = chosen.results  # says what to do where it is not complete
    target = board if isinstance(board, Board) else load_board(board)
    wanted = checked_formats(formats)
    folder = Path(output) if output is not None else chosen.workspace.folder / "exports" / chosen.id
    folder = folder.expanduser().absolute()
    export_folder.check_place(folder, overwrite=overwrite)
    firmware.check_board(target, wanted, chosen.record.data.image_shape)
    start(0, progress=progress)
    from eyetune.device.estimate.footprint import footprint

    with TrainingDisplay(0, enabled=progress) as display:
        network = chosen.model()
        _check_fits(footprint(network), target)
        dataset = chosen.dataset()
        display.note("Converting to int8 ...")
        best = _quantized(chosen, network, dataset, target)
        manifest, model = _described(chosen, best, dataset, target, wanted, tuple(steps))
        expected = _expected(
            manifest, model, best.content, dataset.validation.images[:EXPECTED_IMAGES]
        )
        display.note("Writing ...")
        with export_folder.written_whole(folder) as place:
            _write(place, manifest, model, best.content, expected)
    return Export(folder, manifest, _notes(manifest, target))


def checked_formats(words: Sequence[str]) -> tuple[Format, ...]:
    """Return the formats of firmware that were asked for, each once.

    Raises:
        UsageError: There is no such format, or none was named.
    """
    unknown = next((word for word in words if word not in FORMATS), None)
    if unknown is not None or not words:
        raise UsageError(
            "There is no such format of firmware.",
            expected=f"one or more of {', '.join(FORMATS)}",
            received=repr(unknown) if words else "none",
            fix=nearest(str(unknown), FORMATS) if words else None,
        )
    return tuple(form for form in FORMATS if form in words)


def _check_fits(needs: Footprint, board: Board) -> None:
    reasons = [violation.text for violation in needs.violations(board)]
    if reasons:
        raise BoardError(
            f"The network does not fit {board.title}.",
            received=" ".join(reasons),
            fix=f"eyetune fit-check RUN --board {board.name} shows what takes most; "
            f"eyetune tune --board {board.name} searches among networks that fit.",
        )


def _quantized(run: Run, network: Any, dataset: Dataset, board: Board) -> _Quantized:
    """Convert with more and more images to measure ranges on, until int8 costs no more than a
    point.
    """
    from eyetune.device.export.interpreters import litert_scores
    from eyetune.device.export.quantize import quantize

    judged = dataset.validation.take(0, VALIDATION_IMAGES)
    least = _float_accuracy(run, len(judged)) - MAX_LOST
    tries: list[_Quantized] = []
    sizes = dict.fromkeys(min(size, len(dataset.train)) for size in CALIBRATION_IMAGES)
    for size in sizes:
        content = quantize(
            network, _spread(dataset.train, size), per_channel_dense=board.per_channel_dense
        )
        scores = litert_scores(content, judged.images, reference=False)
        tries.append(_Quantized(content, size, accuracy(scores, judged.labels)))
        if tries[-1].int8_accuracy >= least:
            break
    return max(tries, key=lambda one: one.int8_accuracy)


def _float_accuracy(run: Run, num_images: int) -> float:
    """Return the float network's accuracy on the first validation images, from its recorded
    predictions.
    """
    return float(run.right("validation")[:num_images].mean())


def _spread(split: Split, size: int) -> NDArray[np.uint8]:
    """Return so many images from all over a split: files may be sorted by class."""
    return np.asarray(split.images[np.linspace(0, len(split) - 1, size).astype(np.int64)])


def _described(
    run: Run,
    best: _Quantized,
    dataset: Dataset,
    board: Board,
    formats: tuple[Format, ...],
    steps: tuple[str, ...],
) -> tuple[Manifest, TfliteModel]:
    """Return what the export is, and its network as it is read back."""
    from eyetune.device.estimate.latency import latency
    from eyetune.device.estimate.tflite import footprint_of, read
    from eyetune.device.export.interpreters import Micro, has_micro
    from eyetune.device.export.quantize import check_input

    model = read(best.content)
    check_input(model.input.scale, model.input.zero_point)
    needs = footprint_of(model)
    _check_fits(needs, board)
    if has_micro():
        micro = Micro(best.content, needs.arena_bytes)
        micro.scores(dataset.train.images[:1])
        # What the board's own kernels take besides is not seen on this machine.
        set_aside = micro.arena().bytes + needs.arena_bytes_on(board) - needs.arena_bytes
    else:
        set_aside = round(_MARGIN * needs.arena_bytes_on(board))
    set_aside = -(-set_aside // _KIBIBYTE) * _KIBIBYTE
    time = latency(model.graph, board, arena_in_psram=set_aside > board.arena_bytes)
    num_judged = min(VALIDATION_IMAGES, len(dataset.validation))
    manifest = Manifest(
        run=run.id,
        label=run.record.label,
        data=run.recipe.data,
        data_fingerprint=run.record.data.fingerprint,
        class_names=tuple(run.record.data.class_names),
        image_shape=run.record.data.image_shape,
        board=board,
        formats=formats,
        operators=model.operators,
        flash_bytes=model.size_bytes,
        arena_bytes=set_aside,
        arena_is_measured=has_micro(),
        macs=model.macs,
        latency_ms=time.milliseconds if time else None,
        latency_error_ms=time.error_milliseconds if time else None,
        calibration_images=best.num_images,
        validation_images=num_judged,
        float_validation_accuracy=_float_accuracy(run, num_judged),
        int8_validation_accuracy=best.int8_accuracy,
        steps=steps,
        versions=versions()
        | {"run " + name: version for name, version in run.record.versions.items()},
        files={},
    )
    return manifest, model


def _expected(
    manifest: Manifest, model: TfliteModel, content: bytes, images: NDArray[np.uint8]
) -> str:
    """Return what the firmware would print of a few images, and the time that is predicted."""
    from eyetune.device.export.interpreters import litert_scores

    time = "" if manifest.latency_ms is None else f" {manifest.latency_ms:.0f} ms"
    lines = [f"arena: {manifest.arena_bytes} of {manifest.arena_bytes} bytes used"]
    for scores in litert_scores(content, images):
        best, per_mille = firmware.read_result(scores, model.output.scale, model.output.zero_point)
        lines.append(f"{manifest.class_names[best]} {per_mille // 10}.{per_mille % 10}%{time}")
    return "\n".join(lines)


def _write(
    folder: Path, manifest: Manifest, model: TfliteModel, content: bytes, expected: str
) -> None:
    """Write all files of an export into an empty folder."""
    from eyetune.report.pages.export_page import export_page

    (folder / MODEL).write_bytes(content)
    (folder / LABELS).write_text(export_folder.shown_labels(manifest.class_names), encoding="utf-8")
    given = firmware.FirmwareModel(
        content=content,
        title=f"run {manifest.label} of eyetune",
        image_shape=manifest.image_shape,
        class_names=manifest.class_names,
        operators=manifest.operators,
        arena_bytes=manifest.arena_bytes,
        output_scale=model.output.scale,
        output_zero_point=model.output.zero_point,
        expected=expected,
    )
    holding = [folder / MODEL]
    for form in manifest.formats:
        (folder / form).mkdir()
        paths = firmware.write(form, folder / form, given, manifest.board)
        holding += [path for path in paths if path.name.startswith("model_data.")]
    whole = manifest.model_copy(update={"files": export_folder.digests(folder, holding)})
    export_folder.write_manifest(folder, whole)
    (folder / REPORT).write_text(export_page(export_folder.as_values(whole)), encoding="utf-8")


def _notes(manifest: Manifest, board: Board) -> tuple[str, ...]:
    """Return what a user should know of an export."""
    notes = []
    if manifest.lost > MAX_LOST:
        notes.append(
            f"int8 costs {100 * manifest.lost:.1f} points of validation accuracy, whatever ranges were measured on. "
            "Batch normalization and relu6 in place of swish or elu often help: train such a network."
        )
    if manifest.arena_bytes > board.arena_bytes:
        notes.append(
            "The tensor arena lies in external RAM, which is slower: internal RAM has no room for it."
        )
    if not manifest.arena_is_measured:
        notes.append(
            "The tensor arena was predicted: TensorFlow Lite Micro has no wheel for this machine."
        )
    return (*notes, *board.quirks)


def verify(
    folder: str | Path,
    *,
    split: str = "test",
    num_images: int | None = None,
    workspace: str | Path | Workspace | None = None,
    progress: bool = True,
) -> Verification:
    """Prove an export: classify real images with TensorFlow Lite Micro's own interpreter, and
    compare with LiteRT.

    What is found goes into `verification.json` and the report of the export.

    Args:
        folder: Of the export.
        split: "test", or "validation" where there is no test split or choices are still to be made.
        num_images: The first so many of the split (None: all).
        workspace: Where the run is recorded: for the accuracy of its float network on the same
            images.
        progress: Show what is done.

    Raises:
        UsageError: The folder is no export, or a word cannot be used.
        BoardError: The network is missing, or the interpreter cannot run it.
        DataError: The images are not those of the run.

    Example:
        >>> import eyetune as et
        >>> et.verify("firmware").passed  # doctest: +SKIP
        True
    """
    from eyetune.device.estimate.tflite import read
    from eyetune.device.export import verify as proof
    from eyetune.device.export.interpreters import has_micro
    from eyetune.device.export.quantize import check_input

    place = Path(folder).expanduser()
    manifest = export_folder.read_manifest(place)
    if split not in ("test", "validation"):
        raise UsageError(
            "There is no such split to verify with.", expected="test or validation", received=split
        )
    if num_images is not None and num_images < 1:
        raise UsageError(
            "The number of images is too small.", expected="1 or more", received=num_images
        )
    content = export_folder.read_model(place)
    start(0, progress=progress)
    model = read(content)
    check_input(model.input.scale, model.input.zero_point)
    dataset = _dataset(manifest, split)
    images = dataset.split(split)
    images = images.take(0, num_images or len(images))
    with counting_bar("classifying images", enabled=progress) as tell:
        total = len(images) * (2 if has_micro() else 1)
        found = proof.verify(
            content,
            images.images,
            images.labels,
            split=split,
            arena_limit_bytes=manifest.arena_bytes,
            float_accuracy=_float_on(manifest, dataset, split, len(images), workspace),
            changed_files=export_folder.changed_files(place, manifest),
            on_image=lambda done: tell(done, total),
        )
    _record(place, manifest, found)
    return found


def _dataset(manifest: Manifest, split: str) -> Dataset:
    """Return the images that the network was trained on; they must be the same, and have the split."""
    dataset = load_data(Recipe(data=manifest.data))
    if dataset.fingerprint != manifest.data_fingerprint:
        raise DataError(
            f"The images of {dataset.source} are not those that the network was trained on.",
            expected=f"fingerprint {manifest.data_fingerprint}",
            received=f"fingerprint {dataset.fingerprint}",
            fix="Put them back as they were, or export a new run.",
        )
    if not len(dataset.split(split)):
        raise DataError(f"The images have no {split} split.", fix="--split validation")
    return dataset


def _float_on(
    manifest: Manifest,
    dataset: Dataset,
    split: str,
    num_images: int,
    workspace: str | Path | Workspace | None,
) -> float | None:
    """Return the float network's accuracy on the same images; None where its run is not recorded
    here any more.
    """
    try:
        run = Run(place := workspace_of(workspace), place.runs.find(manifest.run))
        if place.predictions.load(run.id, split) is None:
            run.evaluate(split, dataset=dataset)
        return float(run.right(split)[:num_images].mean())
    except (RunNotFoundError, TrainingError):  # its run, or its network, is gone
        return None


def _record(folder: Path, manifest: Manifest, found: Verification) -> None:
    """Write what was found beside the export and into its report."""
    from eyetune.report.pages.export_page import export_page
    from eyetune.report.pages.page import write_page

    values = found.to_json()
    write_page(json.dumps(values, indent=2), folder / VERIFICATION)
    write_page(export_page(export_folder.as_values(manifest), values), folder / REPORT)


def open_export(folder: str | Path) -> Export:
    """Return an export that was made before.

    Raises:
        UsageError: The folder is no export.

    Example:
        >>> import eyetune as et
        >>> export = et.open_export("firmware")  # doctest: +SKIP
    """
    place = Path(folder).expanduser().absolute()
    manifest = export_folder.read_manifest(place)
    return Export(place, manifest, _notes(manifest, manifest.board))
