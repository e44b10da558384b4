"""The folder of an export: what lies in it, how it is known again, and how it gets into place
whole.

DIR/eyetune-export.json    what this folder is: see `Manifest`
DIR/model.tflite           the int8 network
DIR/labels.txt             the classes, a line each, in the order of the network's outputs
DIR/report.html            what it takes and what it reaches
DIR/esp-idf/, arduino/, c/ the firmware, in the formats that were asked for
DIR/verification.json      what `eyetune verify` found, once it has been run
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from eyetune._files import replaced_folder
from eyetune.device.boards.profiles import Board
from eyetune.errors import BoardError, UsageError, WorkspaceError
from eyetune.recipe import DataSection
from eyetune.values.renamed_keys import with_earlier_names

MANIFEST = "eyetune-export.json"
MODEL = "model.tflite"
LABELS = "labels.txt"
REPORT = "report.html"
VERIFICATION = "verification.json"

Format = Literal["esp-idf", "arduino", "c"]
FORMATS: tuple[Format, ...] = get_args(Format)


class Manifest(BaseModel):
    """What an export is, as its folder says."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True)

    format: Literal[1] = 1
    run: str = Field(description="id of the run")
    label: str = Field(description="what the run is called")
    data: DataSection = Field(description="the images that it was trained on")
    data_fingerprint: str
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int] = Field(
        description="height and width in pixels, and channels"
    )
    board: Board
    formats: tuple[Format, ...]
    operators: tuple[str, ...]
    flash_bytes: int = Field(gt=0, description="of the .tflite file")
    arena_bytes: int = Field(gt=0, description="what the firmware sets aside for the tensor arena")
    arena_is_measured: bool = Field(description="in TensorFlow Lite Micro; else predicted")
    macs: int = Field(ge=0, alias="multiply_adds")  # the file keeps the name of format 1
    latency_ms: float | None = Field(None, description="predicted")
    latency_error_ms: float | None = Field(
        None, description="half the width of the range that it is expected in"
    )
    calibration_images: int = Field(
        gt=0, description="training images on which ranges were measured"
    )
    validation_images: int = Field(
        gt=0, description="on which the two accuracies below were measured"
    )
    float_validation_accuracy: float = Field(ge=0, le=1)
    int8_validation_accuracy: float = Field(ge=0, le=1)
    steps: tuple[str, ...] = Field((), description="how the network was found, in sentences")
    versions: dict[str, str]
    files: dict[str, str] = Field(description="SHA-256 of each file that holds the network")

    @property
    def lost(self) -> float:
        """Validation accuracy that int8 cost, in shares."""
        return self.float_validation_accuracy - self.int8_validation_accuracy


def read_manifest(folder: Path) -> Manifest:
    """Return what an export's folder says of itself.

    Raises:
        UsageError: It is no export, or what it says cannot be read.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(
            f"{folder} is not an export.",
            expected=f"a folder with {MANIFEST} in it, as eyetune export makes it",
            received=error.strerror or error,
            fix="eyetune export RUN --output DIR",
        ) from None
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"{path} cannot be read.",
            expected="what eyetune export wrote",
            received=f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:200],
            fix="Export the run again.",
        ) from None


def read_model(folder: Path) -> bytes:
    """Return the int8 network of an export.

    Raises:
        BoardError: It is not there.
    """
    try:
        return (folder / MODEL).read_bytes()
    except OSError as error:
        raise BoardError(
            f"The export {folder} has lost its network.",
            received=f"{MODEL}: {error.strerror or error}",
            fix="Export the run again.",
        ) from None


def changed_files(folder: Path, manifest: Manifest) -> tuple[str, ...]:
    """Return which of the files that hold the network are not as they were exported."""
    return tuple(
        name for name, digest in manifest.files.items() if _digest(folder / name) != digest
    )


def digests(folder: Path, paths: list[Path]) -> dict[str, str]:
    """Return the SHA-256 of files, by their path in the folder."""
    return {path.relative_to(folder).as_posix(): _digest(path) for path in paths}


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "missing"


def check_place(folder: Path, *, overwrite: bool) -> None:
    """Refuse to write over what is there: only an export may be replaced, and only when that is
    asked for.

    Raises:
        UsageError: The folder cannot be used.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(
            f"{folder} is no folder.", expected="the path of a folder that is to be made"
        )
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / MANIFEST).is_file():
        raise UsageError(
            f"The folder {folder} holds something that is no export; nothing was written.",
            received=", ".join(sorted(path.name for path in folder.iterdir())[:5]),
            fix="Name another folder with --output.",
        )
    if not overwrite:
        raise UsageError(
            f"There is an export in {folder} already; nothing was written.",
            fix="Name another folder with --output, or replace it, and all changes made in it, with --overwrite.",
        )


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """Hand over an empty folder beside the one meant, and put it in its place once all is written.

    What fails or is interrupted leaves what was there before.

    Raises:
        WorkspaceError: The disk is full or the place cannot be written.
    """
    try:
        with replaced_folder(folder) as partial:
            yield partial
    except OSError as error:
        raise WorkspaceError(
            f"The export {folder} cannot be written.",
            received=error.strerror or error,
            fix="Make room, or name another folder with --output.",
        ) from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write what an export is into its folder."""
    (folder / MANIFEST).write_text(
        manifest.model_dump_json(indent=2, by_alias=True), encoding="utf-8"
    )


def shown_labels(class_names: tuple[str, ...]) -> str:
    """Return the classes as lines; what would break a line is a space."""
    return "".join(" ".join(name.split()) + "\n" for name in class_names)


def as_values(manifest: Manifest) -> dict[str, Any]:
    """Return what an export is as plain JSON values."""
    return with_earlier_names(manifest.model_dump(mode="json"))
