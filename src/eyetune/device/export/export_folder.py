"""The folder of an export: what it contains, its manifest, and how it is written.

FOLDER/eyetune-export.json    the manifest: see `Manifest`
FOLDER/model.tflite           the int8 network
FOLDER/labels.txt             the classes, one per line, in the order of the network's outputs
FOLDER/report.html            what the network reaches and what it needs
FOLDER/MODEL_CARD.md          the same in short, as text
FOLDER/plots/                 the pictures of the report
FOLDER/esp-idf/, arduino/, c/ the firmware, in the formats that the user chose
FOLDER/verification.json      the result of `eyetune verify`, after it has been run
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from eyetune._files import OutsideError, path_inside, replaced_folder
from eyetune.device.boards.profiles import Board
from eyetune.device.export import unknown_text
from eyetune.device.export.conversions import Conversion
from eyetune.device.export.tried import TriedNetwork
from eyetune.device.export.unknown import UnknownReport
from eyetune.errors import BoardError, UsageError
from eyetune.inputs.damage import explaining_damage
from eyetune.inputs.limits import JSON_BYTES, WEIGHTS_BYTES
from eyetune.inputs.regular_file import read_bytes
from eyetune.recipe import RecordedData, Resize
from eyetune.report.output import output_errors
from eyetune.values.firmware_formats import FirmwareFormat
from eyetune.values.json_model import JsonModel
from eyetune.values.json_text import json_value
from eyetune.values.pixels import PixelRange
from eyetune.values.renamed_attributes import renamed_to
from eyetune.values.renamed_keys import with_earlier_names

MANIFEST = "eyetune-export.json"
MODEL = "model.tflite"
LABELS = "labels.txt"
REPORT = "report.html"
MODEL_CARD = "MODEL_CARD.md"
PLOTS = "plots"
VERIFICATION = "verification.json"
_NUM_SHOWN = 5  # names of files in an error


class SourceFile(JsonModel):
    """The file that a network was exported from."""

    path: str = Field(description="absolute path of the .keras or .tflite file")
    sha256: str = Field(description="its SHA-256")
    pixels: PixelRange = Field(description="the range of pixels that the network takes")
    input_type: str = Field("int8", description="type of the input of a .tflite file")
    output_type: str = Field("int8", description="type of the output of a .tflite file")


class Manifest(JsonModel):
    """The description of an export, which is stored in its folder."""

    model_config = ConfigDict(validate_by_name=True)

    format: Literal[1] = Field(1, description="version of this file's format")
    run: str | None = Field(description="id of the run; null for a network from a file")
    source_file: SourceFile | None = Field(
        None, description="the file that the network is from; null for a run"
    )
    label: str = Field(description="name of the run or of the file")
    data: RecordedData = Field(
        description="the images: of a run, those that it was trained on; otherwise those that the "
        "user named"
    )
    data_fingerprint: str = Field(description="fingerprint of these images")
    class_names: tuple[str, ...] = Field(description="in the order of the network's outputs")
    image_shape: tuple[int, int, int] = Field(
        description="height and width in pixels, and channels"
    )
    resize: Resize = Field(
        "crop", description="how the firmware makes these images out of the camera's frames"
    )
    board: Board
    formats: tuple[FirmwareFormat, ...] = Field(description="formats of the firmware")
    operators: tuple[str, ...] = Field(description="operators of the network, each once")
    flash_bytes: int = Field(gt=0, description="size of the .tflite file")
    arena_bytes: int = Field(gt=0, description="size of the tensor arena in the firmware")
    arena_is_measured: bool = Field(
        description="whether it was measured in TensorFlow Lite Micro; otherwise it is predicted"
    )
    arena_scratch_bytes: int = Field(
        0,
        ge=0,
        description="part of the arena for scratch memory of the board's kernels, always computed",
    )
    # The file keeps the earlier name multiply_adds.
    macs: int = Field(ge=0, alias="multiply_adds", description="multiply-accumulates per image")
    latency_ms: float | None = Field(None, description="predicted time per image")
    latency_error_ms: float | None = Field(
        None, description="half the width of the range of the predicted time"
    )
    returns_probabilities: bool = Field(
        True, description="whether the outputs are probabilities; otherwise only their order counts"
    )
    calibration_images: int | None = Field(
        gt=0,
        description="number of training images on which ranges were measured; null if unknown",
    )
    validation_images: int = Field(
        gt=0, description="number of images on which the two accuracies below were measured"
    )
    float_validation_accuracy: float | None = Field(
        ge=0, le=1, description="null if there is no network in float"
    )
    int8_validation_accuracy: float = Field(ge=0, le=1)
    validation_guess: float | None = Field(
        None, description="accuracy of guessing on these images", ge=0, le=1
    )
    training_images: int | None = Field(
        None, description="number of training images; null if unknown"
    )
    parameters: int | None = Field(None, description="number of weights of the float network")
    tried: tuple[TriedNetwork, ...] = Field(
        (), description="networks that were trained on the same images, the most accurate first"
    )
    num_infeasible: int = Field(
        0, ge=0, description="trials that were ruled out before any training"
    )
    search_limits: dict[str, float] = Field(
        {},
        description="limits of the search on flash_bytes, arena_bytes and latency_ms that are "
        "tighter than those of the board",
    )
    conversions: tuple[Conversion, ...] = Field(
        (), description="the conversions to int8 that were tried, in order"
    )
    remedies_left_out: str = Field(
        "", description="why some conversions were not possible; empty if all were"
    )
    unknown: UnknownReport | None = Field(
        None, description="how unknown pictures are refused; null if every picture gets a class"
    )
    steps: tuple[str, ...] = Field((), description="how the network was found, as sentences")
    versions: dict[str, str] = Field(description="versions of the libraries")
    files: dict[str, str] = Field(description="SHA-256 of each file that contains the network")

    @model_validator(mode="after")
    def _check_time(self) -> Self:
        if (self.latency_ms is None) is not (self.latency_error_ms is None):
            raise ValueError("latency_ms and latency_error_ms belong together")
        return self

    @property
    def validation_is_seen(self) -> bool:
        """Whether the network was trained on the validation images, too."""
        return self.data.train_on_validation

    @property
    def accuracy_drop(self) -> float | None:
        """Validation accuracy that int8 costs, 0 to 1; negative for a gain; None if unknown."""
        if self.float_validation_accuracy is None:
            return None
        return self.float_validation_accuracy - self.int8_validation_accuracy

    lost: ClassVar[property] = renamed_to("accuracy_drop")
    multiply_adds: ClassVar[property] = renamed_to("macs")


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of an export.

    Raises:
        UsageError: The folder is not an export, or its manifest cannot be read.
    """
    path = folder / MANIFEST
    try:
        content = read_bytes(path, JSON_BYTES)
    except (OSError, ValueError) as error:  # a path with a NUL character is a ValueError
        raise UsageError(
            f"{folder} is not an export.",
            expected=f"a folder with {MANIFEST} in it, as written by eyetune export",
            received=getattr(error, "strerror", None) or error,
            fix="Make one first: eyetune export RUN|FILE --output FOLDER",
        ) from None

    def damaged(reason: str) -> UsageError:
        return UsageError(
            f"Cannot read {path}.",
            expected="a file as written by eyetune export",
            received=reason[:200],
            fix="Export the run again.",
        )

    with explaining_damage(damaged):
        text = content.decode("utf-8")
        json_value(text)  # refuses whole numbers of more than 64 bits
        return Manifest.model_validate_json(text)


def read_model(folder: Path) -> bytes:
    """Return the content of an export's .tflite file.

    Raises:
        BoardError: The file is missing or cannot be read.
    """
    try:
        return read_bytes(folder / MODEL, WEIGHTS_BYTES)
    except (OSError, ValueError) as error:
        raise BoardError(
            "The model file is missing from the export.",
            expected=str(folder / MODEL),
            received=getattr(error, "strerror", None) or error,
            fix="Export the run again.",
        ) from None


def changed_files(folder: Path, manifest: Manifest) -> tuple[str, ...]:
    """Return the files with the network that changed after the export was written."""
    return tuple(
        name for name, expected in manifest.files.items() if _digest_in(folder, name) != expected
    )


def _digest_in(folder: Path, name: str) -> str:
    """Return the SHA-256 of a file that a manifest names; "missing" if it is not in the folder."""
    try:
        return digest(path_inside(folder, name))
    except (OutsideError, OSError):
        return "missing"


def digests(folder: Path, paths: list[Path]) -> dict[str, str]:
    """Return the SHA-256 of files by their path in the folder."""
    return {path.relative_to(folder).as_posix(): digest(path) for path in paths}


def digest(path: Path) -> str:
    """Return the SHA-256 of a file; "missing" if it cannot be read or is no regular file."""
    try:
        return hashlib.sha256(read_bytes(path, WEIGHTS_BYTES)).hexdigest()
    except (OSError, ValueError):
        return "missing"


def check_target(folder: Path, *, overwrite: bool) -> None:
    """Check that an export may be written to a folder.

    Only an export may be replaced, and only if `overwrite` is set.

    Raises:
        UsageError: The path is not a folder, or the folder may not be overwritten.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(
            f"{folder} is not a folder.",
            expected="the path of a folder for the export, which is created",
            received="a symbolic link" if folder.is_symlink() else "a file",
            fix="Name another folder with --output.",
        )
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / MANIFEST).is_file():
        names = sorted(path.name for path in folder.iterdir())
        raise UsageError(
            f"The folder {folder} contains other files; nothing was written.",
            expected="a new or empty folder, or an export to replace",
            received=", ".join(names[:_NUM_SHOWN]),
            fix="Name another folder with --output.",
        )
    if not overwrite:
        raise UsageError(
            f"The folder {folder} already contains an export; nothing was written.",
            expected="a new or empty folder",
            received=folder,
            fix="Name another folder with --output, or add --overwrite to replace the export and "
            "all changes in it.",
        )


@contextmanager
def replaced_export(folder: Path) -> Iterator[Path]:
    """Yield an empty folder, which takes the name `folder` when the block succeeds.

    If the block fails or is interrupted, the former contents remain.

    Raises:
        WorkspaceError: The disk is full, or the folder cannot be written.
    """
    with output_errors(folder), replaced_folder(folder) as partial:
        yield partial


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of an export into its folder."""
    text = manifest.model_dump_json(indent=2, by_alias=True)
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def labels_text(class_names: tuple[str, ...]) -> str:
    """Return the classes as lines; line breaks and other white space in a name become one space.

    Example:
        >>> labels_text(("cat", "guide\\ndog"))
        'cat\\nguide dog\\n'
    """
    return "".join(" ".join(name.split()) + "\n" for name in class_names)


def as_values(manifest: Manifest) -> dict[str, Any]:
    """Return a manifest as JSON values, with the earlier names of renamed keys too."""
    values = manifest.model_dump(mode="json")
    if manifest.unknown is not None:
        values["unknown"] = unknown_text.as_values(manifest.unknown)
    return with_earlier_names(values)
