"""A network in float and in int8, of a run, an export or a file, to classify single pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from eyetune.api.export_source import ExportSource, find_source, load_network, open_unchanged
from eyetune.api.file_images import images_for, refuse_file_options
from eyetune.api.preparing import note, workspace_of
from eyetune.api.run import Run
from eyetune.data.dataset import Floats, Images
from eyetune.device.export import export_folder
from eyetune.device.export.export_folder import MANIFEST, Manifest
from eyetune.device.export.model_file import (
    ModelFile,
    with_probabilities,
)
from eyetune.device.firmware import UnknownRule
from eyetune.errors import (
    BoardError,
    DataError,
    RunNotFoundError,
    TrainingError,
    UsageError,
)
from eyetune.models.int8.images import evenly_spaced
from eyetune.recipe import Resize
from eyetune.records import Workspace
from eyetune.records.run import require_images
from eyetune.values.pixels import Pixels
from eyetune.values.run_files import RANGES_FILE

_NUM_CALIBRATION_IMAGES = 200
_NUM_OUTPUTS = 128  # from which logits are told from probabilities


@dataclass(frozen=True)
class Int8Side:
    """The int8 network of a pair.

    Attributes:
        content: The content of its .tflite file.
        rule: When a picture is unknown; None if every picture gets a class.
        vote_frames: Number of frames that vote in the firmware.
        is_trusted: Whether it was converted here, so that it may run in this process.
    """

    content: bytes
    rule: UnknownRule | None = None
    vote_frames: int = 1
    is_trusted: bool = False


@dataclass(frozen=True)
class NetworkPair:
    """A network in float and in int8.

    Attributes:
        label: Name of the run, the folder or the file.
        class_names: In the order of the outputs.
        image_shape: Height, width and channels of its images.
        resize: How a frame of the camera becomes such an image.
        run: Id of the run; None for a network from a file.
        float_side: Returns class probabilities of images, uint8 of shape (N, height, width,
            channels); None if there is no network in float.
        int8_side: The int8 network; None if there is none.
        notes: What is missing, as sentences.
    """

    label: str
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    resize: Resize
    run: str | None = None
    float_side: Callable[[Images], Floats] | None = None
    int8_side: Int8Side | None = None
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class ExportFolder:
    """The folder of an export; nothing but its manifest is loaded yet.

    Attributes:
        folder: The folder.
        manifest: Its manifest.
        workspace: The workspace that its run is looked up in.
    """

    folder: Path
    manifest: Manifest
    workspace: Workspace


def is_export(name: str) -> bool:
    """Return whether an argument names the folder of an export."""
    return (Path(name).expanduser() / MANIFEST).is_file()


def find_network(
    model: Run | str | Path,
    *,
    data: str | Path | None,
    pixels: Pixels,
    unsafe: bool,
    workspace: str | Path | Workspace | None,
) -> ExportSource | ExportFolder:
    """Return what an argument refers to; errors are raised before Keras is loaded.

    Args:
        model: A completed run or a reference to it; the folder of an export; or the path of a
            .keras or .tflite file.
        data: The images for a file.
        pixels: The range of pixels that the network in a file takes.
        unsafe: Whether code inside a .keras file may run.
        workspace: The workspace that the run is recorded in.

    Raises:
        UsageError: There is no such export or file, or the run is not complete.
        RunNotFoundError: There is no such run.
    """
    if not isinstance(model, Run) and is_export(str(model)):
        folder = Path(model).expanduser()
        manifest = export_folder.read_manifest(folder)
        refuse_file_options(folder, data=data, pixels=pixels, unsafe=unsafe)
        return ExportFolder(folder, manifest, workspace_of(workspace))
    source = find_source(model, data=data, pixels=pixels, unsafe=unsafe, workspace=workspace)
    if source.run is not None:
        require_images(source.run.record)
    return source


def load_pair(found: ExportSource | ExportFolder, *, progress: bool = True) -> NetworkPair:
    """Load a network in float and in int8, which is converted if there is none.

    Raises:
        UsageError: A file cannot be loaded, or is no classifier of images.
        DataError: The images that are named for a file do not match it.
        BoardError: The int8 network is missing, or cannot be made.
    """
    if isinstance(found, ExportFolder):
        return _exported(found)
    if found.run is not None:
        return _of_run(found.run, progress=progress)
    return _of_file(found, progress=progress)


def _exported(found: ExportFolder) -> NetworkPair:
    manifest = found.manifest
    float_side = _float_of_export(found)
    notes = () if float_side else ("The network in float of this export is no longer there.",)
    return NetworkPair(
        label=manifest.label,
        class_names=manifest.class_names,
        image_shape=manifest.image_shape,
        resize=manifest.resize,
        run=manifest.run,
        float_side=float_side,
        int8_side=_int8_of_export(found.folder, manifest),
        notes=notes,
    )


def _int8_of_export(folder: Path, manifest: Manifest) -> Int8Side:
    from eyetune.device.estimate.tflite import read
    from eyetune.device.export.int8_values import check_ports

    content = export_folder.read_model(folder)
    file, report = read(content), manifest.unknown
    check_ports(file, manifest.source_file.pixels if manifest.source_file else "0-1")
    shapes = (file.input.shape, file.output.shape)
    if shapes != (manifest.image_shape, (len(manifest.class_names),)):
        raise BoardError(
            "The model file does not match the manifest of the export.",
            expected=f"images of {manifest.image_shape} and {len(manifest.class_names)} classes",
            received=f"images of {shapes[0]} and outputs of {shapes[1]}",
            fix="Export the network again.",
        )
    if report is None:
        return Int8Side(content)
    return Int8Side(content, report.rule(file.output), report.vote_frames)


def _float_of_export(found: ExportFolder) -> Callable[[Images], Floats] | None:
    """Return the float network of an export, if its run or its file is still there."""
    source = found.manifest.source_file
    if source is None:
        try:
            return _float_of_run(Run(found.workspace, found.workspace.runs.find(_run_of(found))))
        except (RunNotFoundError, TrainingError):
            return None
    network = open_unchanged(source)
    if network is None or network.num_classes != len(found.manifest.class_names):
        return None
    return network.probabilities


def _run_of(found: ExportFolder) -> str:
    assert found.manifest.run is not None
    return found.manifest.run


def _float_of_run(run: Run) -> Callable[[Images], Floats]:
    from eyetune.training.evaluate import classify

    model = run.classifier()
    return lambda images: classify(model, images)


def _of_run(run: Run, *, progress: bool) -> NetworkPair:
    record = run.record
    int8, notes = _int8_of_run(run, progress=progress)
    return NetworkPair(
        label=record.label,
        class_names=record.data.class_names,
        image_shape=require_images(record),
        resize=record.resize,
        run=run.id,
        float_side=_float_of_run(run),
        int8_side=int8,
        notes=notes,
    )


def _int8_of_run(run: Run, *, progress: bool) -> tuple[Int8Side | None, tuple[str, ...]]:
    """Return the int8 network of a run's export in the workspace; otherwise, it is converted."""
    folder = run.workspace.path("exports", run.id)
    if is_export(str(folder)):
        manifest = export_folder.read_manifest(folder)
        if manifest.run == run.id:
            return _int8_of_export(folder, manifest), ()
    from eyetune.device.export.measured_footprint import check_converts
    from eyetune.device.export.quantize import quantize, quantize_with_ranges
    from eyetune.models.int8.folding import fold
    from eyetune.models.int8.range_file import read_ranges

    note("Converting the network to int8 ...", progress=progress)
    try:
        images = evenly_spaced(run.dataset().train.images, _NUM_CALIBRATION_IMAGES)
        model = run.classifier()
        check_converts(model)
        learned = read_ranges(run.folder / RANGES_FILE, model)
        if learned is None:
            content = quantize(model, images)
        else:
            content = quantize_with_ranges(fold(model), learned, images)
    except (DataError, BoardError, UsageError) as error:
        return None, (f"There is no int8 network: {error.message}",)
    return Int8Side(content, is_trusted=True), ()


def _converted(file: ModelFile, train: Images) -> Int8Side:
    """Return the int8 version of a Keras model in a file."""
    from eyetune.device.export.int8_values import no_progress
    from eyetune.device.export.measured_footprint import check_converts
    from eyetune.device.export.quantize import quantize

    check_converts(file.keras_model)
    images = evenly_spaced(train, _NUM_CALIBRATION_IMAGES)
    outputs = file.outputs(images[:_NUM_OUTPUTS], no_progress)
    model = with_probabilities(file.keras_model, outputs)
    return Int8Side(quantize(model, images, pixels=file.pixels), is_trusted=True)


def _of_file(source: ExportSource, *, progress: bool) -> NetworkPair:
    from eyetune.device.estimate.tflite import read
    from eyetune.device.export.int8_ports import conversions_text
    from eyetune.device.export.int8_values import check_ports

    network = load_network(source)
    file = network.file
    assert file is not None
    names = tuple(f"class {number}" for number in range(file.num_classes))
    train: Images | None = None
    if source.data is not None:
        dataset = images_for(file, source.data, "validation")
        names, train = dataset.class_names, dataset.train.images
    float_side: Callable[[Images], Floats] | None = file.probabilities
    int8, notes = None, []
    if network.content is not None:
        try:
            check_ports(read(network.content), network.pixels)
            float_side, int8 = None, Int8Side(network.content)
            if text := conversions_text(source.label, file.dtype, file.output_dtype):
                notes.append(text)
        except (BoardError, UsageError) as error:
            notes.append(f"No board can run this file as it is: {error.message}")
    elif train is not None:
        note("Converting the network to int8 ...", progress=progress)
        int8 = _converted(file, train)
    else:
        notes.append(
            "--data with the training images converts the network to int8, too, and names its "
            "classes."
        )
    if source.data is None and network.content is not None:
        notes.append("--data with the images that the network is for names its classes.")
    return NetworkPair(
        source.label,
        names,
        network.image_shape,
        source.resize,
        None,
        float_side,
        int8,
        tuple(notes),
    )
