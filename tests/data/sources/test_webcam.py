"""Frames of a camera: of a video file, as OpenCV reads it, and of a simulated webcam."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyetune.data.sources.webcam import check_camera, read_frames
from eyetune.errors import DataError, UsageError

cv2 = pytest.importorskip("cv2", reason="needs the extra camera (OpenCV)")
COLORS = ((220, 30, 30), (30, 220, 30), (30, 30, 220))  # red, green, blue


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Return a video of three frames with one color each."""
    path = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 5, (64, 48))
    for color in COLORS:
        writer.write(np.full((48, 64, 3), color[::-1], np.uint8))
    writer.release()
    return path


class Webcam:
    """A simulated webcam, whose frames have the number of the frame as their color."""

    def __init__(self, source: int) -> None:
        self.source = source
        self.number = 0

    def isOpened(self) -> bool:  # noqa: N802 (OpenCV's name)
        return self.source == 0

    def read(self) -> tuple[bool, Any]:
        self.number += 1
        return self.number <= 8, np.full((4, 6, 3), self.number, np.uint8)

    def release(self) -> None:
        self.number = -1


def test_read_frames_of_a_video_in_red_green_blue(video: Path) -> None:
    frames = list(read_frames(check_camera(str(video)), 10))
    assert len(frames) == 3
    for frame, color in zip(frames, COLORS, strict=True):
        assert frame.shape == (48, 64, 3)
        assert np.abs(frame.mean(axis=(0, 1)) - color).max() < 12
    assert len(list(read_frames(video, 2))) == 2


def test_read_frames_leaves_out_the_first_of_a_webcam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Webcam)
    assert [int(frame[0, 0, 0]) for frame in read_frames(check_camera("0"), 2)] == [6, 7]
    assert len(list(read_frames(0, 10))) == 3
    with pytest.raises(UsageError):
        next(read_frames(1, 1))


def test_read_frames_refuses_a_file_that_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "video.avi"
    path.write_bytes(b"no video")
    with pytest.raises((UsageError, DataError)):
        next(read_frames(check_camera(str(path)), 1))


@pytest.mark.parametrize("name", ["missing.mp4", "http://localhost/video", "-1", "", "."])
def test_check_camera_refuses_other_names(name: str) -> None:
    with pytest.raises(UsageError):
        check_camera(name)


def test_check_camera_names_the_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(UsageError) as caught:
        check_camera("0")
    assert "eyetune[camera]" in (caught.value.fix or "")
