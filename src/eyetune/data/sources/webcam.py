"""Frames of a webcam, or of a video file. It needs `pip install 'eyetune[camera]'`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from eyetune._stderr import silenced
from eyetune.data.dataset import Images
from eyetune.errors import DataError, UsageError
from eyetune.inputs.damage import explaining_damage
from eyetune.inputs.limits import IMAGE_PIXELS
from eyetune.inputs.regular_file import check_file

_NUM_DARK_FRAMES = 5  # while a webcam finds its exposure


def check_camera(source: str) -> int | Path:
    """Return the number of a webcam, or the path of a video file.

    A webcam is opened for a moment, so that a missing one is found before a network is loaded.

    Raises:
        UsageError: It is neither, or OpenCV is not installed.
    """
    opencv = _opencv()
    if source.isdecimal():
        _opened(opencv, int(source)).release()
        return int(source)
    path = Path(source).expanduser()
    try:
        check_file(path)
    except (OSError, ValueError) as error:
        raise UsageError(
            "There is no such camera.",
            expected="the number of a webcam, such as 0, or the path of a video file",
            received=f"{source}: {getattr(error, 'strerror', None) or error}",
        ) from None
    return path


def read_frames(source: int | Path, num_frames: int) -> Iterator[Images]:
    """Yield frames as red, green and blue: uint8 of shape (height, width, 3).

    Args:
        source: From `check_camera`.
        num_frames: Number of frames, 1 or more; a video may have fewer.

    Raises:
        UsageError: There is no such webcam.
        DataError: The camera or the video returns no frame.
    """
    capture = _opened(_opencv(), source)
    try:
        num_dark = _NUM_DARK_FRAMES if isinstance(source, int) else 0
        for number in range(num_dark + num_frames):
            is_read, frame = capture.read()
            if not is_read:
                if number <= num_dark:
                    raise DataError(
                        "The camera returned no frame.",
                        received=f"camera {source}",
                        fix="Close other programs that use it, and connect it again.",
                    )
                return
            if number >= num_dark:
                with explaining_damage(_too_large):
                    IMAGE_PIXELS.check(frame.shape[0] * frame.shape[1], "a frame")
                yield np.ascontiguousarray(frame[..., ::-1])  # OpenCV's order is blue, green, red
    finally:
        capture.release()


def _opened(opencv: Any, source: int | Path) -> Any:
    """Return OpenCV's capture of a camera or video.

    Raises:
        UsageError: It cannot be opened.
    """
    with silenced():  # OpenCV's messages about other ways to open it
        capture = opencv.VideoCapture(source if isinstance(source, int) else str(source))
    if not capture.isOpened():
        capture.release()
        raise _cannot_open(source)
    return capture


def _cannot_open(source: int | Path) -> UsageError:
    if isinstance(source, int):
        return UsageError(
            f"There is no camera {source} on this computer, or it is in use.",
            fix="Connect one, or name another number, or the path of a video: --camera video.mp4",
        )
    return UsageError("The video cannot be read.", expected="a video file", received=source)


def _too_large(reason: str) -> DataError:
    return DataError("The frames of the camera are too large.", received=reason)


def _opencv() -> Any:
    try:
        import cv2
    except ImportError:
        raise UsageError(
            "OpenCV, which reads cameras, is not installed.", fix="pip install 'eyetune[camera]'"
        ) from None
    return cv2
