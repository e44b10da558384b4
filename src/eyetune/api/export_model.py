"""Export a network as model files, without a board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyetune._files import replaced_file
from eyetune.api.export import export_target
from eyetune.api.export_source import (
    ExportSource,
    SourceImages,
    find_source,
    load_images,
    load_network,
)
from eyetune.api.int8_network import int8_network
from eyetune.api.preparing import note, start
from eyetune.api.run import Run
from eyetune.device.boards.profiles import Board, load_board
from eyetune.device.export.export_folder import LABELS, labels_text
from eyetune.device.export.export_text import accuracy_rows
from eyetune.device.export.onnx_file import check_onnx, write_onnx
from eyetune.errors import UsageError, nearest
from eyetune.records import Workspace
from eyetune.report.output import output_errors, write_output
from eyetune.values.model_formats import MODEL_FORMATS, ModelFormat
from eyetune.values.pixels import PixelRange, Pixels, pixels_text
from eyetune.values.summary import Summarized, Summary


@dataclass(frozen=True, repr=False)
class ModelExport(Summarized):
    """Model files that were written.

    Attributes:
        folder: Their folder.
        files: Their names, and labels.txt where the classes are known.
        pixels: The range of pixels that the float networks take.
        num_validation_images: Number of images on which the int8 network was compared; None if
            there is none.
        float_accuracy: Accuracy of the float network on these images, 0 to 1.
        int8_accuracy: Accuracy of the int8 network on these images, 0 to 1.
    """

    folder: Path
    files: tuple[str, ...]
    pixels: PixelRange = "0-1"
    num_validation_images: int | None = None
    float_accuracy: float | None = None
    int8_accuracy: float | None = None

    @property
    def headline(self) -> str:
        """What it is, and the outcome, in one line."""
        return f"{', '.join(self.files)} in {self.folder}"

    @property
    def summary(self) -> Summary:
        """What a notebook shows below the headline."""
        rows = {}
        if self.int8_accuracy is not None and self.num_validation_images is not None:
            num_images = self.num_validation_images
            rows = accuracy_rows(self.float_accuracy, self.int8_accuracy, num_images)
        sentences = []
        if self.pixels != "0-1":
            sentences.append(f"The float network takes pixels from {pixels_text(self.pixels)}.")
        return Summary(rows, sentences)

    def to_json(self) -> dict[str, Any]:
        """Return the export as JSON values."""
        return {
            "folder": str(self.folder),
            "files": list(self.files),
            "pixels": self.pixels,
            "validation_images": self.num_validation_images,
            "float_validation_accuracy": self.float_accuracy,
            "int8_validation_accuracy": self.int8_accuracy,
        }


def export_model(
    model: Run | str | Path = "latest",
    output: str | Path | None = None,
    *,
    formats: Sequence[str] = ("tflite",),
    board: str | Path | Board | None = None,
    data: str | Path | None = None,
    pixels: Pixels = "auto",
    unsafe: bool = False,
    overwrite: bool = False,
    workspace: str | Path | Workspace | None = None,
    progress: bool = True,
) -> ModelExport:
    """Export a network as model files, without a board: .tflite in int8, .keras and .onnx in float.

    The float networks of a run take pixels from 0 to 1, and those of a file take what it takes; the
    int8 network takes bytes less 128. Ranges of the int8 network are measured on training images,
    and it is compared with float on validation images.

    Args:
        model: A completed run, its id, name or "latest", or a .keras file.
        output: Folder for the files. Default: `exports/ID` or `exports/NAME` in the workspace.
        formats: "tflite", "keras" and "onnx", one or more. ONNX needs eyetune[onnx].
        board: A board, the name of a built-in one, or the path of a .toml file that describes one,
            if the .tflite file is for its kernels: on the ESP32-S3, they take one scale for each
            dense layer. Default: a scale for each output, which all other boards compute correctly.
        data: The images for the int8 version of a .keras file. Runs use their own.
        pixels: The range of pixels that the network in a .keras file takes: "0-1", "0-255" or
            "-1-1". Default: inferred from a Rescaling layer, otherwise "0-1".
        unsafe: Whether code inside a .keras file may run. It can do anything that you can.
        overwrite: Whether to replace existing files.
        workspace: The workspace that the run is recorded in.
        progress: Whether to show the progress.

    Raises:
        UsageError: The run is not complete, the file cannot be loaded, a file exists, there is no
            such board, a board is named for formats that do not depend on it, or a package is
            missing.
        BoardError: The network cannot be converted.
        DataError: The images do not match the network.

    Example:
        >>> import eyetune as et
        >>> et.export_model("latest", "files", formats=["tflite", "onnx"])  # doctest: +SKIP
    """
    chosen = checked_model_formats(formats)
    per_channel_dense = _per_channel_dense(board, chosen)
    if "onnx" in chosen:
        check_onnx()
    source = find_source(model, data=data, pixels=pixels, unsafe=unsafe, workspace=workspace)
    _check_source(source, chosen)
    folder = export_target(output, source.workspace, source.name)
    _check_files(folder, chosen, overwrite=overwrite)
    start(0, progress=progress)
    note("Loading the network ...", progress=progress)
    network = load_network(source)
    images = None
    if "tflite" in chosen or source.data is not None:
        images = load_images(source, network, progress=progress)
    int8 = None
    if "tflite" in chosen and images is not None:
        int8 = int8_network(
            source, network, images, per_channel_dense=per_channel_dense, progress=progress
        )
    contents = {} if int8 is None else {"model.tflite": int8.content}
    class_names = _class_names(source, images)
    if class_names:
        contents[LABELS] = labels_text(class_names).encode()
    files = _write(folder, network.keras_model, chosen, contents)
    return ModelExport(
        folder,
        files,
        network.pixels,
        num_validation_images=int8.num_validation_images if int8 else None,
        float_accuracy=int8.float_accuracy if int8 else None,
        int8_accuracy=int8.int8_accuracy if int8 else None,
    )


def checked_model_formats(names: Sequence[str]) -> tuple[ModelFormat, ...]:
    """Return formats of model files in their usual order, each once.

    Raises:
        UsageError: There is no such format, or none is given.
    """
    for name in names or ("",):
        if name not in MODEL_FORMATS:
            raise UsageError(
                f"There is no format of model files named {name}.",
                expected=f"one or more of {', '.join(MODEL_FORMATS)}",
                received=name or "none",
                fix=nearest(name, MODEL_FORMATS),
            )
    return tuple(name for name in MODEL_FORMATS if name in names)


def _per_channel_dense(board: str | Path | Board | None, formats: tuple[ModelFormat, ...]) -> bool:
    """Return whether each output of a dense layer may have its own scale on a board."""
    if board is None:
        return True
    if "tflite" not in formats:
        raise UsageError(
            f"A file of the format {' or '.join(formats)} is the same for all boards.",
            expected="--format tflite with --board, or no board",
            received=f"the board {board if isinstance(board, str | Path) else board.name}",
            fix="Leave --board out.",
        )
    profile = board if isinstance(board, Board) else load_board(board)
    return profile.per_channel_dense


def _check_source(source: ExportSource, formats: tuple[ModelFormat, ...]) -> None:
    """Check that a source can be written in some formats."""
    if source.is_tflite:
        raise UsageError(
            "A .tflite file cannot be converted.",
            expected="a run or a .keras file",
            received=source.origin,
            fix="Export the run or the .keras file that it was made from.",
        )
    if "tflite" in formats and source.run is None and source.data is None:
        raise UsageError(
            "The int8 network needs training images to measure its ranges on.",
            expected="--data with the images that the network was trained on",
            received=source.origin,
            fix=f"eyetune export {source.origin} --format tflite --data NAME|PATH",
        )


def _class_names(source: ExportSource, images: SourceImages | None) -> tuple[str, ...]:
    """Return the classes of a network; none where nothing names them."""
    if source.run is not None:
        return tuple(source.run.record.data.class_names)
    return () if images is None else images.dataset.class_names


def _check_files(folder: Path, formats: tuple[ModelFormat, ...], *, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder.", fix="Name another folder with --output.")
    existing = [f"model.{name}" for name in formats if (folder / f"model.{name}").exists()]
    if (folder / LABELS).exists():
        existing.append(LABELS)
    if existing and not overwrite:
        raise UsageError(
            f"The folder {folder} already contains model files; nothing was written.",
            expected="a folder without them",
            received=", ".join(existing),
            fix="Name another folder with --output, or add --overwrite to replace them.",
        )


def _write(
    folder: Path, network: Any, formats: tuple[ModelFormat, ...], contents: dict[str, bytes]
) -> tuple[str, ...]:
    """Write all files, each completely or not at all, and return their names."""
    for name, content in contents.items():
        write_output(content, folder / name)
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if "keras" in formats:
            with replaced_file(folder / "model.keras") as partial:
                network.save(partial)
        if "onnx" in formats:
            with replaced_file(folder / "model.onnx") as partial:
                write_onnx(network, partial)
    return (*(f"model.{name}" for name in formats), *(set(contents) & {LABELS}))
