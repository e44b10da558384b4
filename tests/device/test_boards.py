"""Boards: what comes along, a user's own, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from eyetune.device.boards import Board, board, boards
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
    assert board("nucleo-l4r5zi").largest_arena_bytes == board("nucleo-l4r5zi").arena_bytes < 640 * 1024


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
def test_a_broken_file_is_explained(tmp_path: Path, old: str, new: str, words: tuple[str, ...]) -> None:
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


def test_all_values_are_described() -> None:
    assert all(field.description for field in Board.model_fields.values())
