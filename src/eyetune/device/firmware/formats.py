"""The files of the three formats of firmware: ESP-IDF project, Arduino sketch and C array."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eyetune.device.boards.profiles import Board
from eyetune.device.estimate.arena import aligned
from eyetune.device.firmware.board_support import board_context
from eyetune.device.firmware.golden import checksums
from eyetune.device.firmware.model import FirmwareModel
from eyetune.device.firmware.rendering import render_all, write_all
from eyetune.device.firmware.resolver import add_methods
from eyetune.errors import UsageError, nearest
from eyetune.values.firmware_formats import FIRMWARE_FORMATS

_SKETCH = "eyetune_camera"
_NETWORK_FILES = ("model_data.h", "model_data.c.j2", "labels.h.j2", "settings.h.j2")
_RESULT_FILES = ("result.h", "result.c")
_CAMERA_FILES = (
    "board.h.j2",
    "camera.h",
    "camera.cpp",
    "classifier.h",
    "classifier.cpp.j2",
    "image.h",
    "image.c",
    "prediction.h",
    "prediction.cpp.j2",
    "self_test.h",
    "self_test.c",
    "golden.c.j2",
    *_RESULT_FILES,
)
_UNKNOWN_FILES = ("unknown.h.j2",)  # where the firmware refuses unknown pictures
_PROJECT_FILES = ("CMakeLists.txt", "partitions.csv.j2", "sdkconfig.defaults.j2", "README.md.j2")
_MAIN_FILES = ("main/CMakeLists.txt", "main/idf_component.yml", "main/main.cpp")


def write(format_name: str, folder: Path, model: FirmwareModel, board: Board) -> tuple[Path, ...]:
    """Write firmware in one of the formats, and return its files.

    Args:
        format_name: "esp-idf", "arduino" or "c".
        folder: An empty folder.
        model: The network.
        board: The board; ignored for the format "c".

    Raises:
        UsageError: There is no such format, the folder is not empty, the board has no ESP-IDF chip
            or camera, or TensorFlow Lite Micro lacks an operator.
        BoardError: The network does not fit the board.
    """
    if format_name == "esp-idf":
        return write_esp_idf(folder, model, board)
    if format_name == "arduino":
        return write_arduino(folder, model, board)
    if format_name == "c":
        return write_c_array(folder, model)
    raise UsageError(
        f"There is no format of firmware named {format_name}.",
        expected=" or ".join(FIRMWARE_FORMATS),
        received=format_name,
        fix=nearest(format_name, FIRMWARE_FORMATS),
    )


def write_esp_idf(folder: Path, model: FirmwareModel, board: Board) -> tuple[Path, ...]:
    """Write an ESP-IDF project that classifies what a board's camera sees, and return its files.

    The same network and board result in the same bytes.

    Args:
        folder: An empty folder.
        model: The network.
        board: A board with a chip that ESP-IDF supports and a camera.

    Raises:
        UsageError: The folder is not empty, the board has no such chip or camera, TensorFlow Lite
            Micro lacks an operator, or the images are larger than the camera's frames.
        BoardError: The network does not fit the board.
    """
    templates = [
        *_templates("esp_idf", (*_PROJECT_FILES, *_MAIN_FILES)),
        *_templates("source", (*_NETWORK_FILES, *_CAMERA_FILES, *_unknown(model)), "main/"),
    ]
    context = _context(model) | _self_test(model) | board_context(model, board)
    return write_all(folder, render_all(templates, context))


def write_arduino(folder: Path, model: FirmwareModel, board: Board) -> tuple[Path, ...]:
    """Write an Arduino sketch that classifies what a board's camera sees, and return its files.

    The same network and board result in the same bytes.

    Args:
        folder: An empty folder. The sketch lies in `eyetune_camera` in it, since Arduino requires
            that a sketch has the name of its folder.
        model: The network.
        board: A board with a chip that ESP-IDF supports and a camera.

    Raises:
        UsageError: The folder is not empty, the board has no such chip or camera, TensorFlow Lite
            Micro lacks an operator, or the images are larger than the camera's frames.
        BoardError: The network does not fit the board.
    """
    templates = [
        *_templates("arduino", ("README.md.j2",)),
        *_templates("arduino", (f"{_SKETCH}.ino",), f"{_SKETCH}/"),
        *_templates("esp_idf", ("partitions.csv.j2",), f"{_SKETCH}/"),
        *_templates("source", (*_NETWORK_FILES, *_CAMERA_FILES, *_unknown(model)), f"{_SKETCH}/"),
    ]
    context = _context(model) | _self_test(model) | board_context(model, board)
    return write_all(folder, render_all(templates, context))


def write_c_array(folder: Path, model: FirmwareModel) -> tuple[Path, ...]:
    """Write a network as a C array with its labels and settings, and return the files.

    It is for any board with TensorFlow Lite Micro.

    Args:
        folder: An empty folder.
        model: The network.

    Raises:
        UsageError: The folder is not empty, or TensorFlow Lite Micro lacks an operator.
    """
    names: tuple[str, ...] = _NETWORK_FILES
    if model.unknown:
        names = (*names, *_RESULT_FILES, *_UNKNOWN_FILES)
    templates = [*_templates("c_array", ("README.md.j2",)), *_templates("source", names)]
    return write_all(folder, render_all(templates, _context(model)))


def _unknown(model: FirmwareModel) -> tuple[str, ...]:
    return _UNKNOWN_FILES if model.unknown else ()


def _context(model: FirmwareModel) -> dict[str, Any]:
    return {
        "model": model,
        "operators": add_methods(model.operators),
        "arena_bytes": aligned(model.arena_bytes),
    }


def _self_test(model: FirmwareModel) -> dict[str, Any]:
    """Return what the firmware's test of itself expects."""
    golden = model.golden
    size = (golden.width, golden.height)
    expected = checksums(golden.frame, size, model.image_shape, model.resize)
    return {
        "image_checksum": expected.image,
        "known_faults": expected.faults,
        "model_checksum": zlib.crc32(model.content),
    }


def _templates(folder: str, names: Sequence[str], prefix: str = "") -> list[tuple[str, str]]:
    """Return the output path and the template path of each file."""
    return [(prefix + name.removesuffix(".j2"), f"{folder}/{name}") for name in names]
