"""Firmware around an int8 network: an ESP-IDF project, an Arduino sketch or a C array."""

from eyetune.device.firmware.board_support import check_board, with_kernels_of
from eyetune.device.firmware.formats import write, write_arduino, write_c_array, write_esp_idf
from eyetune.device.firmware.golden import GoldenPicture, golden_picture
from eyetune.device.firmware.image import CameraFrame, camera_frame, preprocess
from eyetune.device.firmware.model import FirmwareModel
from eyetune.device.firmware.result import (
    FULL_CONFIDENCE,
    UNKNOWN_CLASS,
    UNKNOWN_LABEL,
    Answers,
    UnknownRule,
    check_vote_frames,
    read_known_results,
    read_result,
    vote_over_frames,
)

__all__ = [
    "FULL_CONFIDENCE",
    "UNKNOWN_CLASS",
    "UNKNOWN_LABEL",
    "Answers",
    "CameraFrame",
    "FirmwareModel",
    "GoldenPicture",
    "UnknownRule",
    "camera_frame",
    "check_board",
    "check_vote_frames",
    "golden_picture",
    "preprocess",
    "read_known_results",
    "read_result",
    "vote_over_frames",
    "with_kernels_of",
    "write",
    "write_arduino",
    "write_c_array",
    "write_esp_idf",
]
