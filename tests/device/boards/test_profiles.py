"""Boards: what comes along, a user's own, and what is said of wrong ones."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from eyetune.device.boards.profiles import Board, Camera, Cost, board, boards
from eyetune.errors import UsageError

OWN = """
name = "mine"
title = "My board"
flash_bytes = 1_000_000
partition_bytes = 900_000
firmware_bytes = 100_000
arena_bytes = 50_000
clock_hz = 80_000_000
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_board_is_found_by_the_name_in_its_file() -> None:
    assert len(boards()) == 5
    assert boards()[0].name == "esp-eye"
    assert all(board(one.name) == one for one in boards())


def test_the_limits_of_the_esp_eye() -> None:
    eye = board("esp-eye")
    assert eye.largest_model_bytes == 0x3F0000 - 450 * 1024
    assert eye.largest_arena_bytes == 4 * 1024**2  # in external RAM, of which only 4 MiB are mapped
    assert eye.arena_bytes == 100 * 1024


def test_without_external_ram_the_arena_lies_in_internal_ram() -> None:
    assert (
        board("nucleo-l4r5zi").largest_arena_bytes
        == board("nucleo-l4r5zi").arena_bytes
        < 640 * 1024
    )


def test_a_users_own_board(tmp_path: Path) -> None:
    mine = board(written(tmp_path, OWN))
    assert (mine.name, mine.psram_bytes, mine.largest_model_bytes) == ("mine", 0, 800_000)
    assert board(str(tmp_path / "mine.toml")) == mine


def test_a_board_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        board("esp-eye").flash_bytes = 1  # type: ignore[misc]


def test_the_nearest_name_is_said() -> None:
    with pytest.raises(UsageError) as caught:
        board("esp-eyes")
    assert caught.value.fix is not None
    assert "Did you mean esp-eye?" in caught.value.fix


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("clock_hz = 80_000_000", "clock_hz = ", ("not TOML", "line")),
        ("clock_hz = 80_000_000", "", ("lacks a value", "clock_hz", "mine.toml")),
        ("clock_hz", "clock_herz", ("unknown name", "Did you mean clock_hz?")),
        ("50_000", '"much"', ("arena_bytes", "'much'")),
        ("50_000", "-1", ("arena_bytes", "greater than 0", "-1")),
        ("50_000", "true", ("arena_bytes", "True")),
        ("900_000", "2_000_000", ("partition_bytes", "at most flash_bytes")),
    ],
)
def test_a_broken_file_is_explained(
    tmp_path: Path, old: str, new: str, words: tuple[str, ...]
) -> None:
    text = OWN.replace(old, new)
    if old == "clock_hz" and new == "clock_herz":
        text = OWN + "clock_herz = 1\n"
    with pytest.raises(UsageError) as caught:
        board(written(tmp_path, text))
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        board(tmp_path / "nowhere.toml")
    with pytest.raises(UsageError, match="cannot be read"):
        board(tmp_path.with_suffix(".toml"))
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="UTF-8"):
        board(tmp_path / "bytes.toml")


@pytest.mark.parametrize("part", [Board, Camera, Cost])
def test_all_values_are_described(part: type[Board | Camera | Cost]) -> None:
    assert all(field.description for field in part.model_fields.values())


def test_what_the_firmware_needs_of_the_esp_boards() -> None:
    for one in boards():
        if not one.chip:
            assert one.camera is None
            continue
        camera = one.camera
        assert camera is not None
        assert one.psram_mode
        assert one.usb
        assert one.quirks
        pins = [getattr(camera, f"d{bit}") for bit in range(8)]
        others = [camera.xclk, camera.sda, camera.scl, camera.vsync, camera.href, camera.pclk]
        assert len({*pins, *others}) == 14, one.name  # no pin has two tasks


def test_the_camera_of_the_esp_eye() -> None:
    camera = board("esp-eye").camera
    assert camera is not None
    assert [getattr(camera, f"d{bit}") for bit in range(7, -1, -1)] == [
        36,
        37,
        38,
        39,
        35,
        14,
        13,
        34,
    ]
    assert (camera.pwdn, camera.reset, camera.xclk_hz, camera.flip_vertically) == (
        -1,
        -1,
        15_000_000,
        True,
    )
    assert camera.pull_ups == (13, 14)


def test_only_the_s3_forbids_a_scale_for_each_channel_of_dense_layers() -> None:
    assert [one.name for one in boards() if not one.per_channel_dense] == ["esp32-s3-eye"]


def test_every_board_that_comes_along_has_a_cost_model_with_an_error() -> None:
    assert all(one.cost is not None and 0 < one.cost.error < 1 for one in boards())


def test_a_users_own_board_needs_neither_camera_nor_cost(tmp_path: Path) -> None:
    mine = board(written(tmp_path, OWN))
    assert (mine.camera, mine.cost, mine.chip, mine.quirks, mine.per_channel_dense) == (
        None,
        None,
        "",
        (),
        True,
    )


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


def test_a_users_own_cost_model(tmp_path: Path) -> None:
    cost = board(written(tmp_path, OWN + COST)).cost
    assert cost is not None
    assert [cost.convolution_cycles(channels) for channels in (1, 7, 8, 999)] == [
        20,
        20,
        10.5,
        10.5,
    ]
    assert cost.psram_factors == (1, 1)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "dense = 18",
            "",
            ("lacks a value", "cost.dense", "cycles a multiply-add of a dense layer"),
        ),
        (
            "dense = 18",
            "dence = 18\ndense = 18",
            ("unknown name", "cost.dence", "Did you mean dense?"),
        ),
        ("error = 0.3", "error = 1.5", ("cost.error", "less than 1", "1.5")),
        ("error = 0.3", "error = nan", ("cost.error", "finite")),
        ("[[1, 20], [8, 10.5]]", "[[8, 10.5], [1, 20]]", ("cost", "must begin at 1")),
        ("[[1, 20], [8, 10.5]]", "[]", ("cost.convolution", "at least 1")),
        ("[[1, 20], [8, 10.5]]", "11.0", ("cost.convolution", "11.0")),
        (
            "error = 0.3",
            "error = 0.3\npsram_factors = [2.0, 1.0]",
            ("psram_factors", "smaller one first"),
        ),
        ("error = 0.3", "error = 2026-01-01", ("cost.error", "2026-01-01")),
        ("error = 0.3", "error = 0.3\n[camera]\nxclk = 4", ("lacks a value", "camera.sda")),
    ],
)
def test_a_broken_part_of_a_file_is_explained(
    tmp_path: Path, old: str, new: str, words: tuple[str, ...]
) -> None:
    assert old in COST
    with pytest.raises(UsageError) as caught:
        board(written(tmp_path, OWN + COST.replace(old, new)))
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_huge_file_and_a_nul_in_a_path_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        board(written(tmp_path, "#" * 1_000_001))
    with pytest.raises(UsageError, match="cannot be read"):
        board("a\0b.toml")


@given(st.text(max_size=200))
def test_whatever_a_file_holds_there_is_a_board_or_an_error(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "any.toml")
        path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
        with pytest.raises(UsageError):
            board(path)
