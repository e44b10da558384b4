"""Whether firmware can be written for a board, and the board's values in the templates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eyetune.device.boards.profiles import Board, Camera, EspNnVersion
from eyetune.device.firmware.image import CameraFrame, camera_frame
from eyetune.device.firmware.model import FirmwareModel
from eyetune.errors import BoardError, UsageError
from eyetune.recipe import Resize

_PARTITION_OFFSET = 0x10000  # after the bootloader, the partition table, nvs and phy
_PARTITION_UNIT = 0x1000  # bytes
_MEBIBYTE = 1024**2
_FLASH_MEBIBYTES = (2, 4, 8, 16, 32)  # sizes that ESP-IDF supports on both chips
_CLOCKS_MHZ = (80, 160, 240)
# The version in Arduino's core 3.3.11, by its versions.txt.
_ARDUINO_ESP_NN: EspNnVersion = "1.2.3"


def check_board(
    board: Board,
    formats: Sequence[str],
    image_shape: tuple[int, int, int],
    resize: Resize = "crop",
) -> None:
    """Check that firmware in these formats can be written for a board, before there is a network.

    Args:
        board: The board.
        formats: Formats of firmware: "esp-idf", "arduino" and "c"; a C array suits every board.
        image_shape: Height, width and channels of the network's images.
        resize: How a frame of the camera becomes such an image.

    Raises:
        UsageError: The board has no ESP-IDF chip or no camera, its file has values that ESP-IDF
            does not support, or its camera cannot capture such images.
        BoardError: The board's memory is too small for a frame of the camera.
    """
    if set(formats) <= {"c"}:
        return
    _camera_of(board)
    _check_values(board)
    frame = camera_frame(image_shape, resize)
    if frame.bytes > _ram_bytes(board):
        raise _frame_does_not_fit(board, frame, 0)


def with_kernels_of(board: Board, formats: Sequence[str]) -> Board:
    """Return a board with all versions of ESP-NN that firmware in these formats contains.

    Example:
        >>> from eyetune.device.boards.profiles import load_board
        >>> with_kernels_of(load_board("esp32-s3-eye"), ["esp-idf", "arduino"]).esp_nn
        ('1.4', '1.2.3')
    """
    if not board.kernel_versions or "arduino" not in formats:
        return board
    versions = dict.fromkeys((*board.kernel_versions, _ARDUINO_ESP_NN))
    return board.model_copy(update={"esp_nn": tuple(versions)})


def board_context(model: FirmwareModel, board: Board) -> dict[str, Any]:
    """Return the values for templates that depend on the board.

    Raises:
        UsageError: The board has no ESP-IDF chip or no camera, its file has values that ESP-IDF
            does not support, or its camera cannot capture the network's images.
        BoardError: The network, or a frame of the camera beside it, does not fit the board.
    """
    check_board(board, ("esp-idf",), model.image_shape, model.resize)
    frame = camera_frame(model.image_shape, model.resize)
    _check_fits(model, board, frame)
    return {
        "board": board,
        "camera": _camera_of(board),
        "frame": frame,
        "arena_is_internal": model.arena_bytes <= board.arena_bytes,
        "clock_mhz": board.clock_hz // 1_000_000,
        "flash_mebibytes": board.flash_bytes // _MEBIBYTE,
        "partition_offset": _PARTITION_OFFSET,
    }


def _camera_of(board: Board) -> Camera:
    """Return the wiring of a board's camera.

    Raises:
        UsageError: The board has no ESP-IDF chip or no camera.
    """
    if not board.chip or board.camera is None:
        missing = "no ESP-IDF chip" if not board.chip else "no camera"
        raise UsageError(
            f"Only a C array can be written for {board.title}.",
            expected="a board with an ESP-IDF `chip` and a `camera`",
            received=f"{board.name}, which has {missing}",
            fix="Choose the format c (--format c): it suits any board with TensorFlow Lite Micro.",
        )
    return board.camera


def _check_values(board: Board) -> None:
    """Refuse a board whose file has values that ESP-IDF does not support."""
    clocks_hz = [megahertz * 1_000_000 for megahertz in _CLOCKS_MHZ]
    flash_sizes = [mebibytes * _MEBIBYTE for mebibytes in _FLASH_MEBIBYTES]
    max_partition = board.flash_bytes - _PARTITION_OFFSET
    expected = []
    received = []
    if board.clock_hz not in clocks_hz:
        expected.append(f"clock_hz: one of {', '.join(map(str, clocks_hz))}")
        received.append(f"clock_hz = {board.clock_hz}")
    if board.flash_bytes not in flash_sizes:
        expected.append(f"flash_bytes: one of {', '.join(map(str, flash_sizes))}")
        received.append(f"flash_bytes = {board.flash_bytes}")
    if board.partition_bytes % _PARTITION_UNIT or board.partition_bytes > max_partition:
        expected.append(
            f"partition_bytes: a multiple of {_PARTITION_UNIT}, at most {max_partition}"
        )
        received.append(f"partition_bytes = {board.partition_bytes}")
    if expected:
        raise UsageError(
            f"ESP-IDF does not support the values of {board.title}.",
            expected="; ".join(expected),
            received=", ".join(received),
            fix="Correct the board file.",
        )


def _check_fits(model: FirmwareModel, board: Board, frame: CameraFrame) -> None:
    model_bytes = len(model.content)
    if model_bytes > board.max_model_bytes or model.arena_bytes > board.max_arena_bytes:
        raise BoardError(
            f"The network does not fit {board.title}.",
            expected=f"at most {board.max_model_bytes:,} bytes of flash "
            f"and {board.max_arena_bytes:,} of RAM",
            received=f"{model_bytes:,} and {model.arena_bytes:,}",
            fix=f"eyetune tune --board {board.name} searches among networks that fit.",
        )
    # A frame lies in external RAM where there is some, beside an arena that lies there too.
    is_shared = not board.psram_bytes or model.arena_bytes > board.arena_bytes
    shared_bytes = model.arena_bytes if is_shared else 0
    if frame.bytes + shared_bytes > _ram_bytes(board):
        raise _frame_does_not_fit(board, frame, shared_bytes)


def _ram_bytes(board: Board) -> int:
    """Return the RAM for frames of the camera: external RAM where there is some."""
    return board.psram_bytes or board.arena_bytes


def _frame_does_not_fit(board: Board, frame: CameraFrame, arena_bytes: int) -> BoardError:
    beside = f" beside a tensor arena of {arena_bytes:,}" if arena_bytes else ""
    return BoardError(
        f"{board.title} does not have enough RAM for a frame of its camera.",
        expected=f"at most {_ram_bytes(board):,} bytes of RAM",
        received=f"{frame.bytes:,} bytes for {frame.width} x {frame.height} pixels{beside}",
        fix="Train on smaller images (--image-size), or a network that needs less memory.",
    )
