"""Export a network for a board: int8, firmware around it, and a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis.class_metrics import accuracy_share
from eyetune.analysis.guessing import guessing_accuracy
from eyetune.analysis.metrics import evaluate
from eyetune.api.export_notes import export_notes
from eyetune.api.export_report import draw_training, write_report
from eyetune.api.export_source import (
    ExportSource,
    SourceImages,
    SourceNetwork,
    find_source,
    load_images,
    load_network,
)
from eyetune.api.file_images import require_data
from eyetune.api.int8_network import Int8Network, int8_network
from eyetune.api.preparing import note, start
from eyetune.api.run import Run
from eyetune.api.tried_networks import tried_networks
from eyetune.api.unknown import (
    RefusingNetwork,
    UnknownOptions,
    check_enough_images,
    known_pictures,
    refusing_network,
    unknown_options,
)
from eyetune.data import Dataset
from eyetune.device import firmware
from eyetune.device.boards.profiles import Board, load_board
from eyetune.device.estimate.dense_scales import incorrect_dense_layer, one_scale_advice
from eyetune.device.export import export_folder
from eyetune.device.export.export_folder import LABELS, MODEL, Manifest, SourceFile
from eyetune.device.export.export_text import export_rows
from eyetune.device.export.int8_values import check_ports, returns_probabilities
from eyetune.errors import BoardError, UsageError, nearest
from eyetune.records import Workspace
from eyetune.records.run import require_images
from eyetune.tuning.recording import versions
from eyetune.values.firmware_formats import DEFAULT_FORMATS, FIRMWARE_FORMATS, FirmwareFormat
from eyetune.values.pixels import Pixels
from eyetune.values.renamed_attributes import accept_earlier_names, renamed_to
from eyetune.values.summary import Summarized, Summary

if TYPE_CHECKING:
    from eyetune.device.estimate.footprint import Footprint
    from eyetune.device.estimate.tflite import TfliteModel
    from eyetune.device.export.arena_size import ArenaSize

NUM_EXPECTED = 3  # images whose answers the firmware's README shows


@dataclass(frozen=True, repr=False)
class Export(Summarized):
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
    def accuracy_drop(self) -> float | None:
        """Validation accuracy that int8 costs, 0 to 1; negative for a gain; None if unknown."""
        return self.manifest.accuracy_drop

    lost = renamed_to("accuracy_drop")

    @property
    def headline(self) -> str:
        """What it is, and the outcome, in one line."""
        return f"{self.manifest.label} for {self.manifest.board.title}, in {self.folder}"

    @property
    def summary(self) -> Summary:
        """What a notebook shows below the headline."""
        return Summary(export_rows(self.manifest), self.notes)

    def to_json(self) -> dict[str, Any]:
        """Return the export as JSON values."""
        manifest, num_images = self.manifest, self.manifest.validation_images
        accuracies = {
            "float_validation_accuracy": manifest.float_validation_accuracy,
            "int8_validation_accuracy": manifest.int8_validation_accuracy,
        }
        intervals = {
            f"{name}_interval": accuracy_share(accuracy, num_images).to_json()["interval"]
            for name, accuracy in accuracies.items()
            if accuracy is not None
        }
        return {
            "folder": str(self.folder),
            **export_folder.as_values(manifest),
            **intervals,
            "notes": list(self.notes),
        }


@accept_earlier_names(run="model")
def export(
    model: Run | str | Path = "latest",
    output: str | Path | None = None,
    *,
    board: str | Path | Board = "esp-eye",
    formats: Sequence[str] = DEFAULT_FORMATS,
    data: str | Path | None = None,
    pixels: Pixels = "auto",
    unsafe: bool = False,
    overwrite: bool = False,
    steps: Sequence[str] = (),
    unknown: float | UnknownOptions | None = None,
    workspace: str | Path | Workspace | None = None,
    progress: bool = True,
) -> Export:
    """Export a network for a board: the int8 network, firmware around it and a report.

    Ranges are measured on training images. int8 is compared with float on validation images. Where
    it loses accuracy, remedies are tried: more training images, cross-layer equalization, ranges of
    least error and bias correction. The manifest lists them. Test images are not used: that is the
    task of `verify`. The int8 network in a .tflite file is exported as it is, without the operators
    that convert its input and output from and to int8.

    Args:
        model: A completed run, or its id, the beginning of the id, its name, or "latest"; or the
            path of a .keras file, or of a .tflite file of an int8 network.
        output: Folder for the export. Default: `exports/ID` or `exports/NAME` in the workspace.
        board: A board, the name of a built-in one, or the path of a .toml file that describes one.
        formats: Formats of the firmware: "esp-idf", "arduino" and "c", one or more.
        data: The images for a network from a file: cifar10, cifar100, digits, or a path. Their
            classes must be in the order of the network's outputs. Runs use their own images.
        pixels: The range of pixels that a network from a file takes: "0-1", "0-255" or "-1-1".
            Default: inferred from the scale of a quantized input or from a Rescaling layer,
            otherwise "0-1" ("0-255" for integers without a scale).
        unsafe: Whether code inside a .keras file may run. It can do anything that you can.
        overwrite: Whether to replace an existing export. Other files are never replaced.
        steps: How the network was found, as sentences for the report.
        unknown: The largest share of known pictures that the firmware may answer with "unknown",
            for example 0.05, so that it can refuse pictures of something else; or options with
            such a share. Then test images are used to report the share. Default: every picture
            gets a class.
        workspace: The workspace that the run is recorded in.
        progress: Whether to show the progress.

    Raises:
        UsageError: The run is not complete, the file cannot be loaded, the folder cannot be used,
            or there is no such board or format.
        BoardError: The network does not fit the board, or cannot be converted.
        DataError: The images have changed since the training, do not match the network, or are too
            few for the share of `unknown`.

    Example:
        >>> import eyetune as et
        >>> et.export("latest", "firmware").manifest.flash_bytes  # doctest: +SKIP
        174496
    """
    source = find_source(model, data=data, pixels=pixels, unsafe=unsafe, workspace=workspace)
    target = board if isinstance(board, Board) else load_board(board)
    chosen_formats = checked_formats(formats)
    options = unknown_options(unknown)
    folder = export_target(output, source.workspace, source.name)
    export_folder.check_target(folder, overwrite=overwrite)
    _check_source(source, target, chosen_formats)
    if options is not None and source.run is not None and not source.run.recipe.data.calibration:
        check_enough_images(source.run.record.data.num_validation, options.rate)
    start(0, progress=progress)
    note("Loading the network and its images ...", progress=progress)
    network = load_network(source)
    firmware.check_board(target, chosen_formats, network.image_shape, source.resize)
    if network.keras_model is not None:
        from eyetune.device.estimate.footprint import footprint

        _check_fits(footprint(network.keras_model), target)
    images = load_images(source, network, progress=progress)
    known = None if options is None else known_pictures(source, images, options)
    compared = images if known is None else known.compared
    int8 = int8_network(
        source, network, compared, per_channel_dense=target.per_channel_dense, progress=progress
    )
    refusing = None
    if options is not None and known is not None:
        refusing = refusing_network(source, int8, known, options, progress=progress)
        int8 = refusing.int8
    note("Measuring the tensor arena and writing the firmware ...", progress=progress)
    manifest, file = _described(
        source, network, compared, int8, target, chosen_formats, tuple(steps), refusing
    )
    some = images.validation.images[:NUM_EXPECTED]
    scores = _some_scores(source, int8.content, some)
    expected = _expected_output(manifest, file, scores, refusing)
    golden = firmware.golden_picture(
        images.dataset.train.images,
        source.resize,
        lambda pixels: _some_scores(source, int8.content, pixels),
    )
    with export_folder.replaced_export(folder) as partial:
        manifest = _write(partial, manifest, file, int8.content, expected, golden, refusing)
        draw_training(partial, source, images, manifest)
        validation = evaluate(images.probabilities, images.validation.labels)
        write_report(partial, manifest, validation=validation)
    return Export(folder, manifest, export_notes(manifest, target))


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
    return Export(path, manifest, export_notes(manifest, manifest.board))


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
    folder = workspace.path("exports", name) if output is None else Path(output)
    return folder.expanduser().absolute()


def _check_source(source: ExportSource, board: Board, formats: tuple[FirmwareFormat, ...]) -> None:
    """Check what can be checked before Keras and TensorFlow are loaded.

    Raises:
        UsageError: A file has no images, or the board cannot capture such images.
        BoardError: A .tflite file does not fit the board, or takes other inputs.
    """
    if isinstance(source.origin, Run):
        image_shape = require_images(source.origin.record)
        firmware.check_board(board, formats, image_shape, source.resize)
        return
    require_data(source.data, f"eyetune export {source.label}")
    if source.is_tflite:
        from eyetune.device.estimate.tflite import footprint_of
        from eyetune.device.export.int8_ports import read_as_firmware

        file, _ = read_as_firmware(source.origin)
        check_ports(file, source.pixels)
        needs = footprint_of(file)
        _check_fits(needs, board)
        _check_dense_scales(needs, board)


def _check_dense_scales(needs: Footprint, board: Board) -> None:
    """Refuse a .tflite file whose dense layers the kernels of a board compute incorrectly."""
    reason = incorrect_dense_layer(needs.graph, board)
    if reason:
        raise BoardError(
            reason,
            expected="one scale for each dense layer",
            fix=one_scale_advice(board),
        )


def _check_fits(needs: Footprint, board: Board) -> None:
    violations = needs.violations(board)
    if violations:
        raise BoardError(
            f"The network does not fit {board.title}.",
            received=" ".join(violation.text for violation in violations),
            fix=f"eyetune fit-check RUN --board {board.name} shows what takes most; "
            f"eyetune tune --board {board.name} searches among networks that fit.",
        )


def _check_arena(arena: ArenaSize, needs: Footprint, board: Board) -> None:
    """Refuse an arena that is too large as it is set aside, although the computed one fits."""
    if arena.bytes <= board.max_arena_bytes:
        return
    computed = needs.arena_bytes_on(board)
    smaller = computed * board.max_arena_bytes // arena.bytes
    raise BoardError(
        f"The network does not fit {board.title}.",
        expected=f"at most {board.max_arena_bytes:,} bytes of RAM for the tensor arena",
        received=f"{arena.bytes:,} that are set aside, {computed:,} as computed",
        fix=f"eyetune shrink RUN --arena {smaller} --board {board.name} makes the network of a run "
        "smaller.",
    )


def _described(
    source: ExportSource,
    network: SourceNetwork,
    images: SourceImages,
    int8: Int8Network,
    board: Board,
    formats: tuple[FirmwareFormat, ...],
    steps: tuple[str, ...],
    refusing: RefusingNetwork | None,
) -> tuple[Manifest, TfliteModel]:
    """Return the manifest of an export, and its network as read from the .tflite file."""
    from eyetune.device.estimate.latency import latency
    from eyetune.device.estimate.tflite import footprint_of, read
    from eyetune.device.export.arena_size import arena_to_set_aside

    file = read(int8.content)
    check_ports(file, network.pixels)
    needs = footprint_of(file)
    _check_fits(needs, board)
    dataset, run = images.dataset, source.run
    built_board = firmware.with_kernels_of(board, formats)
    arena = arena_to_set_aside(int8.content, needs, built_board, dataset.validation.images[:1])
    _check_arena(arena, needs, board)
    time = latency(file.graph, board, arena_in_psram=arena.bytes > board.arena_bytes)
    compared = images.validation.take(0, int8.num_validation_images)
    class_shares = compared.class_counts(dataset.num_classes) / len(compared)
    has_logits = refusing is not None and refusing.report.scores_are_logits
    manifest = Manifest(
        run=run.id if run else None,
        source_file=_source_file(source, network),
        label=source.label,
        data=images.section,
        data_fingerprint=dataset.fingerprint,
        class_names=dataset.class_names,
        image_shape=dataset.image_shape,
        resize=source.resize,
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
        returns_probabilities=not has_logits and returns_probabilities(file.output),
        calibration_images=int8.calibration_images,
        validation_images=int8.num_validation_images,
        float_validation_accuracy=int8.float_accuracy,
        int8_validation_accuracy=int8.int8_accuracy,
        validation_guess=guessing_accuracy(class_shares.tolist()),
        conversions=int8.conversions,
        remedies_left_out=int8.remedies_left_out,
        unknown=refusing.report if refusing else None,
        steps=steps,
        versions=versions(),
        files={},
    )
    if run is not None:
        manifest = manifest.model_copy(update=_training_of(run, manifest, dataset))
    elif network.keras_model is not None:
        manifest = manifest.model_copy(update={"parameters": network.keras_model.count_params()})
    return manifest, file


def _source_file(source: ExportSource, network: SourceNetwork) -> SourceFile | None:
    if isinstance(source.origin, Run):
        return None
    file = network.file
    types = {}
    if file is not None and file.content is not None:
        types = {"input_type": file.dtype, "output_type": file.output_dtype}
    return SourceFile(
        path=str(source.origin),
        sha256=export_folder.digest(source.origin),
        pixels=network.pixels,
        **types,
    )


def _training_of(run: Run, manifest: Manifest, dataset: Dataset) -> dict[str, Any]:
    """Return what the manifest says about the training of a run, and what else was tried."""
    tried = tried_networks(run, manifest)
    run_versions = {f"run {name}": version for name, version in run.record.versions.items()}
    return {
        "training_images": len(dataset.train),
        "parameters": run.record.network.parameters,
        "tried": tried.networks,
        "num_infeasible": tried.num_infeasible,
        "search_limits": tried.search_limits,
        "versions": manifest.versions | run_versions,
    }


def _some_scores(
    source: ExportSource, content: bytes, images: NDArray[np.uint8]
) -> NDArray[np.int8]:
    """Return the int8 scores of a few images; a model from a file is classified in a sandbox."""
    from eyetune.device.export.litert import litert_scores
    from eyetune.device.sandbox import client

    if source.is_tflite:
        return client.classify(content, images, ["litert"]).scores["litert"]
    return litert_scores(content, images)


def _expected_output(
    manifest: Manifest,
    file: TfliteModel,
    scores: NDArray[np.int8],
    refusing: RefusingNetwork | None,
) -> str:
    """Return what the firmware would print for a few images, with the predicted time."""
    time = "" if manifest.latency_ms is None else f" {manifest.latency_ms:.0f} ms"
    lines = []
    if refusing is None:
        output = file.output
        results = [firmware.read_result(row, output.scale, output.zero_point) for row in scores]
    else:
        answers = firmware.read_known_results(scores, refusing.rule)
        results = list(zip(*(values.tolist() for values in answers), strict=True))
    for index, per_mille in results:
        is_known = index != firmware.UNKNOWN_CLASS
        name = manifest.class_names[index] if is_known else firmware.UNKNOWN_LABEL
        lines.append(f"{name} {per_mille // 10}.{per_mille % 10}%{time}")
    return "\n".join(lines)


def _write(
    folder: Path,
    manifest: Manifest,
    file: TfliteModel,
    content: bytes,
    expected: str,
    golden: firmware.GoldenPicture,
    refusing: RefusingNetwork | None,
) -> Manifest:
    """Write all files of an export into an empty folder, and return the complete manifest."""
    (folder / MODEL).write_bytes(content)
    (folder / LABELS).write_text(export_folder.labels_text(manifest.class_names), encoding="utf-8")
    model = firmware.FirmwareModel(
        content=content,
        title=_title(manifest),
        image_shape=manifest.image_shape,
        class_names=manifest.class_names,
        operators=manifest.operators,
        arena_bytes=manifest.arena_bytes,
        output_scale=file.output.scale,
        output_zero_point=file.output.zero_point,
        golden=golden,
        resize=manifest.resize,
        expected=expected,
        unknown=refusing.rule if refusing else None,
        vote_frames=refusing.report.vote_frames if refusing else 1,
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


def _title(manifest: Manifest) -> str:
    """Return the title of the firmware."""
    return manifest.label if manifest.run is None else f"run {manifest.label} of eyetune"
