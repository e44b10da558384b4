"""Export a trained run for a board: an int8 network, firmware around it, and a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis.guessing import guessing_accuracy
from eyetune.api.export_report import draw_training, write_report
from eyetune.api.preparing import note, start
from eyetune.api.run import Run, open_run
from eyetune.api.tried_networks import tried_networks
from eyetune.data import Dataset
from eyetune.device import firmware
from eyetune.device.boards.profiles import Board, load_board
from eyetune.device.export import export_folder
from eyetune.device.export.conversions import Method
from eyetune.device.export.export_folder import LABELS, MODEL, Manifest
from eyetune.device.export.verify import MAX_ACCURACY_DROP
from eyetune.errors import BoardError, UsageError, nearest
from eyetune.records import Workspace
from eyetune.records.predictions import require_predictions
from eyetune.report.progress.training_progress import counting_bar
from eyetune.tuning.recording import versions
from eyetune.values.firmware_formats import DEFAULT_FORMATS, FIRMWARE_FORMATS, FirmwareFormat
from eyetune.values.renamed_attributes import renamed_to
from eyetune.values.run_files import RANGES_FILE

if TYPE_CHECKING:
    from eyetune.device.estimate.footprint import Footprint
    from eyetune.device.estimate.tflite import TfliteModel
    from eyetune.device.export.calibration import CalibratedModel

MAX_VALIDATION_IMAGES = 2000  # on which float and int8 are compared
NUM_EXPECTED = 3  # images whose answers the firmware's README shows


@dataclass(frozen=True)
class Export:
    """An export.

    Attributes:
        folder: Its folder.
        manifest: Its description: sizes, accuracies, board, formats.
        notes: What a user should know, as sentences.
    """

    folder: Path
    manifest: Manifest
    notes: tuple[str, ...] = ()

    @property
    def accuracy_drop(self) -> float:
        """Validation accuracy that int8 costs, 0 to 1; negative for a gain."""
        return self.manifest.accuracy_drop

    lost = renamed_to("accuracy_drop")

    def to_json(self) -> dict[str, Any]:
        """Return the export as JSON values."""
        return {
            "folder": str(self.folder),
            **export_folder.as_values(self.manifest),
            "notes": list(self.notes),
        }


def export(
    run: Run | str = "latest",
    output: str | Path | None = None,
    *,
    board: str | Path | Board = "esp-eye",
    formats: Sequence[str] = DEFAULT_FORMATS,
    overwrite: bool = False,
    steps: Sequence[str] = (),
    workspace: str | Path | Workspace | None = None,
    progress: bool = True,
) -> Export:
    """Export a trained run for a board: the int8 network, firmware around it and a report.

    Ranges are measured on training images. int8 is compared with float on validation images. Where
    it loses accuracy, remedies are tried: more training images, cross-layer equalization, ranges of
    least error and bias correction. The manifest lists them. Test images are not used: that is the
    task of `verify`.

    Args:
        run: A completed run, or its id, the beginning of the id, its name, or "latest".
        output: Folder for the export. Default: `exports/ID` in the workspace.
        board: A board, the name of a built-in one, or the path of a .toml file that describes one.
        formats: Formats of the firmware: "esp-idf", "arduino" and "c", one or more.
        overwrite: Whether to replace an existing export. Other files are never replaced.
        steps: How the network was found, as sentences for the report.
        workspace: The workspace that the run is recorded in.
        progress: Whether to show the progress.

    Raises:
        UsageError: The run is not complete, the folder cannot be used, or there is no such board
            or format.
        BoardError: The network does not fit the board, or cannot be converted.
        DataError: The images have changed since the training.

    Example:
        >>> import eyetune as et
        >>> et.export("latest", "firmware").manifest.flash_bytes  # doctest: +SKIP
        174496
    """
    selected = run if isinstance(run, Run) else open_run(run, workspace=workspace)
    _ = selected.results  # raises an error if the run is not complete
    target = board if isinstance(board, Board) else load_board(board)
    chosen_formats = checked_formats(formats)
    folder = export_target(output, selected.workspace, selected.id)
    export_folder.check_target(folder, overwrite=overwrite)
    firmware.check_board(target, chosen_formats, selected.record.data.image_shape)
    start(0, progress=progress)
    from eyetune.device.estimate.footprint import footprint

    note("Loading the network and its images ...", progress=progress)
    network = selected.model()
    _check_fits(footprint(network), target)
    dataset = selected.dataset()
    model = _calibrated(selected, network, dataset, target, progress=progress)
    note("Measuring the tensor arena and writing the firmware ...", progress=progress)
    manifest, file = _described(selected, model, dataset, target, chosen_formats, tuple(steps))
    images = dataset.validation.images[:NUM_EXPECTED]
    expected = _expected_output(manifest, file, model.content, images)
    with export_folder.replaced_export(folder) as partial:
        manifest = _write(partial, manifest, file, model.content, expected)
        draw_training(partial, selected, manifest, dataset)
        write_report(partial, manifest, validation=selected.evaluation("validation"))
    return Export(folder, manifest, _notes(manifest, target))


def open_export(folder: str | Path) -> Export:
    """Return an existing export.

    Args:
        folder: Its folder.

    Raises:
        UsageError: The folder is not an export.

    Example:
        >>> import eyetune as et
        >>> export = et.open_export("firmware")  # doctest: +SKIP
    """
    path = Path(folder).expanduser().absolute()
    manifest = export_folder.read_manifest(path)
    return Export(path, manifest, _notes(manifest, manifest.board))


def checked_formats(names: Sequence[str]) -> tuple[FirmwareFormat, ...]:
    """Return formats of firmware in their usual order, each once.

    Raises:
        UsageError: There is no such format, or none is given.
    """
    if not names:
        raise UsageError(
            "At least one format of firmware is needed.",
            expected=f"one or more of {', '.join(FIRMWARE_FORMATS)}",
            received="none",
        )
    for name in names:
        if name not in FIRMWARE_FORMATS:
            raise UsageError(
                f"There is no format of firmware named {name}.",
                expected=f"one or more of {', '.join(FIRMWARE_FORMATS)}",
                received=name,
                fix=nearest(name, FIRMWARE_FORMATS),
            )
    return tuple(name for name in FIRMWARE_FORMATS if name in names)


def export_target(output: str | Path | None, workspace: Workspace, name: str) -> Path:
    """Return the absolute path of the folder for an export, by default in the workspace."""
    folder = workspace.folder / "exports" / name if output is None else Path(output)
    return folder.expanduser().absolute()


def float_accuracy(run: Run, split: str, num_images: int) -> float:
    """Return the float network's accuracy on the first images of a split, 0 to 1.

    It is that of the recorded predictions.
    """
    return float(run.right(split)[:num_images].mean())


def _check_fits(needs: Footprint, board: Board) -> None:
    violations = needs.violations(board)
    if violations:
        raise BoardError(
            f"The network does not fit {board.title}.",
            received=" ".join(violation.text for violation in violations),
            fix=f"eyetune fit-check RUN --board {board.name} shows what takes most; "
            f"eyetune tune --board {board.name} searches among networks that fit.",
        )


def _calibrated(
    run: Run, network: Any, dataset: Dataset, board: Board, *, progress: bool
) -> CalibratedModel:
    """Return the int8 version of a run's network."""
    from eyetune.device.export.calibration import calibrate
    from eyetune.models.int8.range_file import read_ranges

    validation = dataset.validation.take(0, MAX_VALIDATION_IMAGES)
    probabilities, _ = require_predictions(run.workspace, run.record, "validation")
    with shown_steps(progress=progress) as on_step:
        return calibrate(
            network,
            dataset.train,
            validation,
            float_probabilities=probabilities[: len(validation)],
            per_channel_dense=board.per_channel_dense,
            on_step=on_step,
            learned=read_ranges(run.folder / RANGES_FILE, network),
        )


@contextmanager
def shown_steps(*, progress: bool) -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """Yield a function that begins a step: it prints a line and shows a bar over its images."""
    with ExitStack() as bars:

        def on_step(text: str, num_images: int) -> Callable[[int], None]:
            bars.close()  # the bar of the step before
            note(text, progress=progress)
            advance = bars.enter_context(counting_bar("images", enabled=progress))
            return lambda number: advance(number, num_images)

        yield on_step


def _described(
    run: Run,
    model: CalibratedModel,
    dataset: Dataset,
    board: Board,
    formats: tuple[FirmwareFormat, ...],
    steps: tuple[str, ...],
) -> tuple[Manifest, TfliteModel]:
    """Return the manifest of an export, and its network as read from the .tflite file."""
    from eyetune.device.estimate.latency import latency
    from eyetune.device.estimate.tflite import footprint_of, read
    from eyetune.device.export.arena_size import arena_to_set_aside
    from eyetune.device.export.int8_values import check_input

    file = read(model.content)
    check_input(file.input.scale, file.input.zero_point)
    needs = footprint_of(file)
    _check_fits(needs, board)
    image = dataset.train.images[:1]
    built_board = firmware.with_kernels_of(board, formats)
    arena = arena_to_set_aside(model.content, needs, built_board, image)
    time = latency(file.graph, board, arena_in_psram=arena.bytes > board.arena_bytes)
    num_validation = min(MAX_VALIDATION_IMAGES, len(dataset.validation))
    validation = dataset.validation.take(0, num_validation)
    class_counts = validation.class_counts(dataset.num_classes)
    tried, num_infeasible = tried_networks(run, file.size_bytes, arena.bytes)
    run_versions = {f"run {name}": version for name, version in run.record.versions.items()}
    manifest = Manifest(
        run=run.id,
        label=run.record.label,
        data=run.recipe.data,
        data_fingerprint=run.record.data.fingerprint,
        class_names=tuple(run.record.data.class_names),
        image_shape=run.record.data.image_shape,
        board=board,
        formats=formats,
        operators=file.operators,
        flash_bytes=file.size_bytes,
        arena_bytes=arena.bytes,
        arena_scratch_bytes=arena.scratch_bytes,
        arena_is_measured=arena.is_measured,
        macs=file.macs,
        latency_ms=time.milliseconds if time else None,
        latency_error_ms=time.error_milliseconds if time else None,
        calibration_images=model.chosen.training_images,
        validation_images=num_validation,
        float_validation_accuracy=float_accuracy(run, "validation", num_validation),
        int8_validation_accuracy=model.chosen.int8_accuracy,
        validation_guess=guessing_accuracy((class_counts / num_validation).tolist()),
        training_images=len(dataset.train),
        parameters=run.record.network.parameters,
        tried=tried,
        num_infeasible=num_infeasible,
        conversions=model.conversions,
        remedies_left_out=model.left_out,
        steps=steps,
        versions=versions() | run_versions,
        files={},
    )
    return manifest, file


def _expected_output(
    manifest: Manifest, file: TfliteModel, content: bytes, images: NDArray[np.uint8]
) -> str:
    """Return what the firmware would print for a few images, with the predicted time."""
    from eyetune.device.export.litert import litert_scores

    time = "" if manifest.latency_ms is None else f" {manifest.latency_ms:.0f} ms"
    lines = [f"arena: {manifest.arena_bytes} of {manifest.arena_bytes} bytes used"]
    for scores in litert_scores(content, images):
        result = firmware.read_result(scores, file.output.scale, file.output.zero_point)
        index, per_mille = result
        confidence = f"{per_mille // 10}.{per_mille % 10}%"
        lines.append(f"{manifest.class_names[index]} {confidence}{time}")
    return "\n".join(lines)


def _write(
    folder: Path, manifest: Manifest, file: TfliteModel, content: bytes, expected: str
) -> Manifest:
    """Write all files of an export into an empty folder, and return the complete manifest."""
    (folder / MODEL).write_bytes(content)
    (folder / LABELS).write_text(export_folder.labels_text(manifest.class_names), encoding="utf-8")
    model = firmware.FirmwareModel(
        content=content,
        title=f"run {manifest.label} of eyetune",
        image_shape=manifest.image_shape,
        class_names=manifest.class_names,
        operators=manifest.operators,
        arena_bytes=manifest.arena_bytes,
        output_scale=file.output.scale,
        output_zero_point=file.output.zero_point,
        expected=expected,
    )
    paths_with_network = [folder / MODEL]
    for format_name in manifest.formats:
        (folder / format_name).mkdir()
        paths = firmware.write(format_name, folder / format_name, model, manifest.board)
        paths_with_network += [path for path in paths if path.name.startswith("model_data.")]
    digests = export_folder.digests(folder, paths_with_network)
    complete = manifest.model_copy(update={"files": digests})
    export_folder.write_manifest(folder, complete)
    return complete


def _advice(manifest: Manifest) -> str:
    """Return what may help against loss in int8."""
    if any(conversion.method is Method.LEARNED for conversion in manifest.conversions):
        return "More epochs of the last stage may help: --set fit.quantize_epochs."
    return "Train it with the rounding of int8: --set fit.quantize=int8."


def _notes(manifest: Manifest, board: Board) -> tuple[str, ...]:
    """Return what a user should know about an export."""
    notes = []
    if manifest.accuracy_drop > MAX_ACCURACY_DROP:
        notes.append(
            f"int8 costs {100 * manifest.accuracy_drop:.1f} points of validation accuracy, also "
            f"after {len(manifest.conversions)} conversions. {_advice(manifest)}"
        )
    if manifest.remedies_left_out:
        notes.append(manifest.remedies_left_out)
    if manifest.arena_bytes > board.arena_bytes:
        notes.append(
            "The tensor arena lies in external RAM, which is slower, since internal RAM is too "
            "small for it."
        )
    if not manifest.arena_is_measured:
        notes.append(
            "The size of the tensor arena is predicted: TensorFlow Lite Micro is not available for "
            "this computer."
        )
    return (*notes, *board.quirks)
