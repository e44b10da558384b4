"""Board profiles: the built-in ones, a user's own, and errors in a file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from eyetune.device.boards import profiles
from eyetune.device.boards.profiles import (
    ESP_NN_VERSIONS,
    Board,
    Camera,
    CostModel,
    boards,
    load_board,
)
from eyetune.errors import UsageError
from eyetune.inputs.limits import TEXT_VALUES

OWN = """
name = "mine"
title = "My board"
flash_bytes = 1_000_000
partition_bytes = 900_000
firmware_bytes = 100_000
arena_bytes = 50_000
clock_hz = 80_000_000
"""
COST = """
[cost]
convolution = [[1, 20], [8, 10.5]]
depthwise = 11
dense = 18
output = 50
pool = 12
element = 45
error = 0.3
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str) -> UsageError:
    """Return the error that a board file causes."""
    with pytest.raises(UsageError) as caught:
        load_board(write(folder, text))
    return caught.value


def test_boards_are_loaded_by_the_name_in_their_file() -> None:
    assert len(boards()) == 10
    assert boards()[0].name == "esp-eye"
    assert all(load_board(board.name) == board for board in boards())


def test_board_limits_of_the_esp_eye() -> None:
    eye = load_board("esp-eye")
    assert eye.max_model_bytes == 0x3F0000 - 450 * 1024
    assert eye.max_arena_bytes == 4 * 1024**2  # external RAM, of which 4 MiB are mapped
    assert eye.arena_bytes == 100 * 1024


def test_board_without_psram_has_its_arena_in_internal_ram() -> None:
    nucleo = load_board("nucleo-l4r5zi")
    assert nucleo.max_arena_bytes == nucleo.arena_bytes < 640 * 1024


def test_board_shows_all_of_its_values() -> None:
    for board in boards():
        assert repr(board) == f"<Board: {board.title} ({board.name})>"
        rows = board.summary.rows
        assert rows["arena_bytes"] == f"{board.arena_bytes:,}"
        assert (rows["camera"] == "none") == (board.camera is None)
        assert board.summary.sentences == board.quirks
        shown_apart = {"name", "title", "quirks", "copies_convolutions"}
        assert set(rows) == set(type(board).model_fields) - shown_apart


def test_board_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load_board("esp-eye").flash_bytes = 1  # type: ignore[misc]


def test_load_board_reads_a_file(tmp_path: Path) -> None:
    mine = load_board(write(tmp_path, OWN))
    assert (mine.name, mine.psram_bytes, mine.max_model_bytes) == ("mine", 0, 800_000)
    assert (mine.camera, mine.cost, mine.chip, mine.quirks) == (None, None, "", ())
    assert mine.per_channel_dense
    assert load_board(str(tmp_path / "mine.toml")) == mine


def test_load_board_suggests_the_nearest_name() -> None:
    with pytest.raises(UsageError) as caught:
        load_board("esp-eyes")
    assert caught.value.received == "esp-eyes"
    assert "esp-eye" in (caught.value.fix or "").split("?")[0]


def test_load_board_reports_invalid_toml(tmp_path: Path) -> None:
    error = refusal(tmp_path, OWN.replace("80_000_000", ""))
    assert "line 8" in (error.received or "")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (OWN.replace("clock_hz = 80_000_000", ""), "clock_hz"),
        (OWN + COST.replace("dense = 18", ""), "cost.dense"),
        (OWN + COST + "[camera]\nxclk = 4", "camera.sda"),
    ],
)
def test_load_board_names_a_missing_value(tmp_path: Path, text: str, name: str) -> None:
    error = refusal(tmp_path, text)
    assert (error.expected or "").startswith(f"{name} (")
    assert error.received == str(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("text", "name", "nearest"),
    [
        (OWN + "clock_herz = 1\n", "clock_herz", "clock_hz"),
        (OWN + COST.replace("dense = 18", "dence = 18\ndense = 18"), "cost.dence", "dense"),
    ],
)
def test_load_board_names_an_unknown_key(
    tmp_path: Path, text: str, name: str, nearest: str
) -> None:
    error = refusal(tmp_path, text)
    assert (error.received or "").startswith(f"{name} in")
    assert nearest in (error.fix or "").split("?")[0]


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("50_000", '"much"', "arena_bytes"),
        ("50_000", "-1", "arena_bytes"),
        ("50_000", "true", "arena_bytes"),
        ("900_000", "2_000_000", "partition_bytes"),
        ("error = 0.3", "error = 1.5", "cost.error"),
        ("error = 0.3", "error = nan", "cost.error"),
        ("error = 0.3", "error = 2026-01-01", "cost.error"),
        ("error = 0.3", "error = 0.3\npsram_factors = [2.0, 1.0]", "psram_factors"),
        ("[[1, 20], [8, 10.5]]", "[[8, 10.5], [1, 20]]", "convolution"),
        ("[[1, 20], [8, 10.5]]", "[]", "cost.convolution"),
        ("[[1, 20], [8, 10.5]]", "11.0", "cost.convolution"),
    ],
)
def test_load_board_names_an_invalid_value(tmp_path: Path, old: str, new: str, name: str) -> None:
    assert old in OWN + COST
    error = refusal(tmp_path, (OWN + COST).replace(old, new))
    assert name in (error.expected or "")
    assert "mine.toml" in (error.received or "")


def test_load_board_reports_unreadable_files(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "large.toml").write_text("#" * 1_000_001)
    (tmp_path / "folder.toml").mkdir()
    for name in ("missing.toml", "folder.toml", "bytes.toml", "large.toml", "a\0b.toml"):
        with pytest.raises(UsageError) as caught:
            load_board(tmp_path / name)
        assert name in (caught.value.received or "")


@pytest.mark.timeout(20)
def test_load_board_refuses_a_named_pipe_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "mine.toml")
    with pytest.raises(UsageError) as caught:
        load_board(tmp_path / "mine.toml")
    assert "a named pipe" in (caught.value.received or "")


def test_load_board_names_the_limit(tmp_path: Path) -> None:
    error = refusal(tmp_path, "a = [" + "1," * 20_001 + "]")
    assert TEXT_VALUES.variable in (error.fix or "")


@given(st.text(max_size=200))
def test_load_board_refuses_any_other_text(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "any.toml")
        path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
        with pytest.raises(UsageError):
            load_board(path)


@pytest.mark.parametrize("section", [Board, Camera, CostModel])
def test_board_fields_are_all_described(section: type[Board | Camera | CostModel]) -> None:
    assert all(field.description for field in section.model_fields.values())


def test_boards_with_a_chip_have_what_the_firmware_needs() -> None:
    for board in boards():
        if not board.chip:
            assert board.camera is None
            continue
        camera = board.camera
        assert camera is not None
        assert board.psram_mode
        assert board.usb
        assert board.quirks
        pins = [getattr(camera, f"d{bit}") for bit in range(8)]
        others = [camera.xclk, camera.sda, camera.scl, camera.vsync, camera.href, camera.pclk]
        assert len({*pins, *others}) == 14, board.name  # each pin has one task


def test_camera_pins_of_the_esp_eye() -> None:
    camera = load_board("esp-eye").camera
    assert camera is not None
    data_pins = [getattr(camera, f"d{bit}") for bit in range(7, -1, -1)]
    assert data_pins == [36, 37, 38, 39, 35, 14, 13, 34]
    assert (camera.pwdn, camera.reset, camera.xclk_hz) == (-1, -1, 15_000_000)
    assert camera.flip_vertically
    assert camera.pull_ups == (13, 14)


def test_camera_pins_of_the_xiao_s3_sense() -> None:
    """Those of CAMERA_MODEL_XIAO_ESP32S3 in arduino-esp32's CameraWebServer."""
    camera = load_board("xiao-s3-sense").camera
    assert camera is not None
    data_pins = [getattr(camera, f"d{bit}") for bit in range(7, -1, -1)]
    assert data_pins == [48, 11, 12, 14, 16, 18, 17, 15]
    assert (camera.xclk, camera.sda, camera.scl) == (10, 40, 39)
    assert (camera.vsync, camera.href, camera.pclk) == (38, 47, 13)
    assert (camera.pwdn, camera.reset, camera.xclk_hz) == (-1, -1, 20_000_000)


def test_board_with_copies_convolutions_stands_for_all_versions(tmp_path: Path) -> None:
    earlier = load_board(write(tmp_path, OWN + "copies_convolutions = true\n"))
    assert earlier.kernel_versions == ESP_NN_VERSIONS
    chosen = load_board(write(tmp_path, OWN + 'esp_nn = ["1.2.3"]\n'))
    assert chosen.kernel_versions == ("1.2.3",)
    assert "esp_nn" in (refusal(tmp_path, OWN + 'esp_nn = ["0.9"]\n').expected or "")


def test_only_the_s3_forbids_per_channel_dense_layers() -> None:
    names = [board.name for board in boards() if not board.per_channel_dense]
    assert names == ["esp32-s3-eye", "xiao-s3-sense"]


def test_boards_all_have_a_cost_model() -> None:
    assert [board.name for board in boards() if board.cost is None] == []


def test_boards_name_their_sources() -> None:
    folder = Path(profiles.__file__).parent
    for board in boards():
        text = (folder / f"{board.name}.toml").read_text(encoding="utf-8")
        assert "# https://" in text, board.name
        assert "an estimate" in text, board.name


def test_cost_model_of_a_file(tmp_path: Path) -> None:
    cost = load_board(write(tmp_path, OWN + COST)).cost
    assert cost is not None
    cycles = [cost.convolution_cycles(channels) for channels in (1, 7, 8, 999)]
    assert cycles == [20, 20, 10.5, 10.5]
    assert cost.psram_factors == (1, 1)
