"""The size of the tensor arena that firmware sets aside."""

from __future__ import annotations

from eyetune.device.boards.profiles import Board
from eyetune.device.estimate.footprint import Footprint
from eyetune.device.export import tflm
from eyetune.device.export.int8_values import Images
from eyetune.device.export.tflm import MicroInterpreter

_KIBIBYTE = 1024
_MARGIN = 1.05  # for the error of an arena that is predicted, not measured


def arena_to_set_aside(content: bytes, needs: Footprint, board: Board, image: Images) -> int:
    """Return the size of the tensor arena for a board in bytes, a multiple of 1024.

    It is measured in TensorFlow Lite Micro where that is available, otherwise predicted with a
    margin. The scratch memory of the board's own kernels is always predicted.

    Args:
        content: The content of the .tflite file.
        needs: The footprint of the model in that file.
        board: The board.
        image: One image, uint8 of shape (1, height, width, channels).

    Raises:
        BoardError: TensorFlow Lite Micro cannot run the model.
    """
    arena_bytes = needs.arena_bytes_on(board)
    if tflm.is_available():
        interpreter = MicroInterpreter(content, needs.arena_bytes)
        interpreter.scores(image)
        scratch_bytes = arena_bytes - needs.arena_bytes
        total = interpreter.arena().bytes + scratch_bytes
    else:
        total = round(_MARGIN * arena_bytes)
    return -(-total // _KIBIBYTE) * _KIBIBYTE
