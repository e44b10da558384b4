"""The three formats of firmware: an ESP-IDF project, an Arduino sketch, a bare C array."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eyetune.device.boards.profiles import Board
from eyetune.device.firmware.board_support import context as board_context
from eyetune.device.firmware.model import FirmwareModel
from eyetune.device.firmware.rendering import render_all, write_all
from eyetune.device.firmware.resolver import add_methods
from eyetune.errors import UsageError, nearest

_ALIGNMENT = 16  # bytes, of the tensor arena
_SKETCH = "eyetune_camera"
_NETWORK = ("model_data.h", "model_data.c.j2", "labels.h.j2", "settings.h.j2")
_CAMERA = (
    *(
        "board.h.j2",
        "camera.h",
        "camera.cpp",
        "classifier.h",
        "classifier.cpp.j2",
        "image.h",
        "image.c",
    ),
    *("look.h", "look.cpp", "result.h", "result.c"),
)


def write(form: str, folder: Path, model: FirmwareModel, board: Board) -> tuple[Path, ...]:
    """Write firmware in the format "esp-idf", "arduino" or "c"; see the functions for each.

    Raises:
        UsageError: There is no such format, or as those functions.
        BoardError: As those functions.
    """
    if form == "esp-idf":
        return write_esp_idf(folder, model, board)
    if form == "arduino":
        return write_arduino(folder, model, board)
    if form == "c":
        return write_c_array(folder, model)
    raise UsageError(
        "There is no such format.", received=form, fix=nearest(form, ("esp-idf", "arduino", "c"))
    )


def write_esp_idf(folder: Path, model: FirmwareModel, board: Board) -> tuple[Path, ...]:
    """Write an ESP-IDF project that looks through a board's camera, and return its files.

    The same network and board give the same bytes.

    Args:
        folder: An empty folder.
        model: The network.
        board: A board with a chip of ESP-IDF and a camera.

    Raises:
        UsageError: The folder is not an empty one, the board has no such chip or camera, TensorFlow
            Lite Micro lacks an operator, or the images are larger than what the camera captures.
        BoardError: The board has no room for the network.
    """
    own = ("CMakeLists.txt", "partitions.csv.j2", "sdkconfig.defaults.j2", "README.md.j2")
    main = ("main/CMakeLists.txt", "main/idf_component.yml", "main/main.cpp")
    files = [*_files("esp_idf", (*own, *main)), *_files("source", (*_NETWORK, *_CAMERA), "main/")]
    return write_all(folder, render_all(files, _context(model) | board_context(model, board)))


def write_arduino(folder: Path, model: FirmwareModel, board: Board) -> tuple[Path, ...]:
    """Write an Arduino sketch that looks through a board's camera, and return its files.

    The same network and board give the same bytes.

    Args:
        folder: An empty folder; the sketch lies in `eyetune_camera` in it, since a sketch has its
            folder's name.
        model: The network.
        board: A board with a chip of ESP-IDF and a camera.

    Raises:
        UsageError: As `write_esp_idf`.
        BoardError: As `write_esp_idf`.
    """
    files = [
        *_files("arduino", ("README.md.j2",)),
        *_files("arduino", (f"{_SKETCH}.ino",), f"{_SKETCH}/"),
        *_files("esp_idf", ("partitions.csv.j2",), f"{_SKETCH}/"),
        *_files("source", (*_NETWORK, *_CAMERA), f"{_SKETCH}/"),
    ]
    return write_all(folder, render_all(files, _context(model) | board_context(model, board)))


def write_c_array(folder: Path, model: FirmwareModel) -> tuple[Path, ...]:
    """Write a network as a C array with its labels and settings, for any board, and return the
    files.

    Args:
        folder: An empty folder.
        model: The network.

    Raises:
        UsageError: The folder is not an empty one, or TensorFlow Lite Micro lacks an operator.
    """
    files = [*_files("c_array", ("README.md.j2",)), *_files("source", _NETWORK)]
    return write_all(folder, render_all(files, _context(model)))


def _context(model: FirmwareModel) -> dict[str, Any]:
    arena_bytes = -(-model.arena_bytes // _ALIGNMENT) * _ALIGNMENT
    return {"model": model, "operators": add_methods(model.operators), "arena_bytes": arena_bytes}


def _files(place: str, names: Sequence[str], prefix: str = "") -> list[tuple[str, str]]:
    """Return for each template its path in what is written and its path among the templates."""
    return [(prefix + name.removesuffix(".j2"), f"{place}/{name}") for name in names]
