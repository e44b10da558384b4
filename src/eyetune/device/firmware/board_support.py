"""Whether firmware can be written for a board, and what of it depends on the board."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eyetune.device.boards.profiles import Board, Camera
from eyetune.device.firmware.image import CameraFrame, camera_frame
from eyetune.device.firmware.model import FirmwareModel
from eyetune.errors import BoardError, UsageError

_PARTITION_OFFSET = 0x10000  # what the bootloader, its table, nvs and phy take
_PARTITION_UNIT = 0x1000
_MEBIBYTE = 1024**2
_FLASH_MEBIBYTES = (2, 4, 8, 16, 32)  # of which ESP-IDF has a setting for both chips
_CLOCKS_MHZ = (80, 160, 240)


def check_board(board: Board, formats: Sequence[str], image_shape: tuple[int, int, int]) -> None:
    """Check that firmware in these formats can be written for a board, before there is a network.

    Args:
        board: The board.
        formats: "esp-idf", "arduino" and "c"; a bare C array is for every board.
        image_shape: Height, width and channels of the images.

    Raises:
        UsageError: The board has no ESP-IDF or no camera, its file has values that ESP-IDF does not
            know, or its camera does not capture such images.
        BoardError: The board's memory has no room for a picture of that size.
    """
    if set(formats) <= {"c"}:
        return
    camera_of(board)
    _check_values(board)
    frame = camera_frame(image_shape)
    if frame.bytes > (board.psram_bytes or board.arena_bytes):
        raise _no_room(board, frame, 0)


def camera_of(board: Board) -> Camera:
    """Return how a board's camera is wired.

    Raises:
        UsageError: The board has no ESP-IDF or no camera.
    """
    if not board.chip or board.camera is None:
        lacks = "no chip of ESP-IDF" if not board.chip else "no camera"
        raise UsageError(
            f"There is no such firmware for {board.title}.",
            expected="a board with `chip` and `camera`",
            received=f"{board.name}, which has {lacks}",
            fix="Ask for the format c: a C array runs on any board with TensorFlow Lite Micro.",
        )
    return board.camera


def _check_values(board: Board) -> None:
    """Refuse a board whose file has a value that ESP-IDF does not know."""
    end = _PARTITION_OFFSET + board.partition_bytes
    wrong = {
        f"clock_hz of {', '.join(f'{mhz}_000_000' for mhz in _CLOCKS_MHZ)}": board.clock_hz
        not in [mhz * 1_000_000 for mhz in _CLOCKS_MHZ],
        f"flash_bytes of {', '.join(map(str, _FLASH_MEBIBYTES))} times 1048576": board.flash_bytes
        not in [size * _MEBIBYTE for size in _FLASH_MEBIBYTES],
        f"partition_bytes that are a multiple of {_PARTITION_UNIT} and leave {_PARTITION_OFFSET} bytes of flash": (
            board.partition_bytes % _PARTITION_UNIT != 0 or end > board.flash_bytes
        ),
    }
    if found := [expected for expected, is_wrong in wrong.items() if is_wrong]:
        raise UsageError(
            f"ESP-IDF has no settings for {board.title}.",
            expected="; ".join(found),
            received=f"{board.clock_hz}, {board.flash_bytes} and {board.partition_bytes}",
            fix="Correct the board's file.",
        )


def context(model: FirmwareModel, board: Board) -> dict[str, Any]:
    """Return what templates need to know of a network on a board.

    Raises:
        UsageError: As `check_board`.
        BoardError: The board has no room for the network, or for it and a picture.
    """
    check_board(board, ("esp-idf",), model.image_shape)
    frame = camera_frame(model.image_shape)
    _check_room(model, board, frame)
    return {
        "board": board,
        "camera": camera_of(board),
        "frame": frame,
        "arena_is_internal": model.arena_bytes <= board.arena_bytes,
        "clock_mhz": board.clock_hz // 1_000_000,
        "flash_megabytes": board.flash_bytes // _MEBIBYTE,
        "partition_offset": _PARTITION_OFFSET,
    }


def _check_room(model: FirmwareModel, board: Board, frame: CameraFrame) -> None:
    needs = len(model.content), model.arena_bytes
    if needs[0] > board.max_model_bytes or needs[1] > board.max_arena_bytes:
        raise BoardError(
            f"The network does not fit {board.title}.",
            expected=f"at most {board.max_model_bytes:,} bytes of flash and {board.max_arena_bytes:,} of RAM",
            received=f"{needs[0]:,} and {needs[1]:,}",
            fix=f"eyetune tune --board {board.name} searches among networks that fit.",
        )
    # A picture shares the memory with an arena that lies where it lies.
    shared = (
        model.arena_bytes if not board.psram_bytes or model.arena_bytes > board.arena_bytes else 0
    )
    if frame.bytes + shared > (board.psram_bytes or board.arena_bytes):
        raise _no_room(board, frame, shared)


def _no_room(board: Board, frame: CameraFrame, arena_bytes: int) -> BoardError:
    beside = f" beside an arena of {arena_bytes:,}" if arena_bytes else ""
    return BoardError(
        f"{board.title} has no room for a picture of its camera.",
        expected=f"at most {board.psram_bytes or board.arena_bytes:,} bytes of RAM",
        received=f"{frame.bytes:,} bytes for {frame.width} x {frame.height} pixels{beside}",
        fix="Train on smaller images, or a network that needs less memory.",
    )
