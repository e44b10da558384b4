"""The size of the tensor arena that firmware sets aside."""

from __future__ import annotations

from dataclasses import dataclass

from eyetune.device.boards.profiles import Board
from eyetune.device.estimate.footprint import Footprint
from eyetune.device.export import tflm
from eyetune.device.export.int8_values import Images
from eyetune.device.sandbox import client

_KIBIBYTE = 1024
_MARGIN = 1.05  # for the error of an arena that is predicted, not measured


@dataclass(frozen=True)
class ArenaSize:
    """The size of the tensor arena that firmware sets aside.

    Attributes:
        bytes: Its size in bytes, a multiple of 1024.
        scratch_bytes: Its part for scratch memory of the board's own kernels, in bytes. It is
            always computed.
        is_measured: Whether the rest was measured in TensorFlow Lite Micro; otherwise it was
            computed, too.
    """

    bytes: int
    scratch_bytes: int
    is_measured: bool


def arena_to_set_aside(content: bytes, needs: Footprint, board: Board, image: Images) -> ArenaSize:
    """Return the size of the tensor arena for a board.

    It is measured in TensorFlow Lite Micro where that is available, otherwise predicted with a
    margin. The scratch memory of the board's own kernels is always computed by their formulas.

    Args:
        content: The content of the .tflite file.
        needs: The footprint of the model in that file.
        board: The board.
        image: One image, uint8 of shape (1, height, width, channels).

    Raises:
        BoardError: TensorFlow Lite Micro cannot run the model.
    """
    arena = needs.arena_on(board)
    is_measured = tflm.is_available()
    if is_measured:
        result = client.classify(content, image, ["micro"], arena_bytes=needs.arena_bytes)
        assert result.arena is not None
        total = result.arena.bytes + arena.scratch_bytes
    else:
        total = round(_MARGIN * arena.bytes)
    return ArenaSize(-(-total // _KIBIBYTE) * _KIBIBYTE, arena.scratch_bytes, is_measured)
