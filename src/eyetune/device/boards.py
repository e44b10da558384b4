"""Boards: what each has room for, as data. The ones that come along lie beside this file in boards/."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, Self

import pydantic
from pydantic import BaseModel, ConfigDict, Field, model_validator

from eyetune.errors import UsageError, nearest

DEFAULT = "esp-eye"


class Board(BaseModel):
    """A board and its limits. Bytes are bytes: a kibibyte has 1024 of them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(min_length=1, description="what commands call it, for example esp-eye")
    title: str = Field(min_length=1, description="what its maker calls it")
    flash_bytes: int = Field(gt=0, description="flash in which program and model lie")
    partition_bytes: int = Field(gt=0, description="largest part of the flash that the program may take")
    firmware_bytes: int = Field(ge=0, description="the program without the model")
    arena_bytes: int = Field(gt=0, description="largest tensor arena that internal RAM has room for")
    psram_bytes: int = Field(0, ge=0, description="external RAM that the program sees (0: none)")
    clock_hz: int = Field(gt=0, description="of the processor")

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if not self.firmware_bytes < self.partition_bytes <= self.flash_bytes:
            raise ValueError("firmware_bytes must be below partition_bytes, and that at most flash_bytes")
        return self

    @property
    def largest_model_bytes(self) -> int:
        """The largest .tflite file that there is room for: the program's part of the flash less the program."""
        return self.partition_bytes - self.firmware_bytes

    @property
    def largest_arena_bytes(self) -> int:
        """The largest tensor arena: in internal RAM, or in external RAM (slower) where there is more of it."""
        return max(self.arena_bytes, self.psram_bytes)


def boards() -> tuple[Board, ...]:
    """Return the boards that come along, the default first, then by name.

    Example:
        >>> [board.name for board in boards()]
        ['esp-eye', 'esp32-cam', 'esp32-s3-eye', 'nucleo-h7a3zi-q', 'nucleo-l4r5zi']
    """
    files = (file for file in _folder().iterdir() if file.name.endswith(".toml"))
    found = [_parse(file.read_text(encoding="utf-8"), file.name) for file in files]
    return tuple(sorted(found, key=lambda board: (board.name != DEFAULT, board.name)))


def board(name: str | Path) -> Board:
    """Return a board by its name, or read one from a TOML file of the user's own.

    Args:
        name: A name of `boards()`, or the path of a file that ends in .toml.

    Raises:
        UsageError: There is no such board or file, or the file does not describe a board.

    Example:
        >>> board("esp-eye").largest_model_bytes
        3667968
    """
    text = str(name)
    if text.endswith(".toml"):
        return _read(Path(text))
    if text in (known := [one.name for one in boards()]):
        return _parse((_folder() / f"{text}.toml").read_text(encoding="utf-8"), text)
    raise UsageError(
        "There is no such board.",
        expected="the name of a board, or the path of a .toml file that describes one",
        received=text,
        fix=nearest(text, known),
    )


def _folder() -> Any:
    return resources.files("eyetune.device") / "boards"


def _read(path: Path) -> Board:
    try:
        return _parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8 text"
        raise UsageError(
            "The board's file cannot be read.",
            expected="a TOML file",
            received=f"{path}: {reason}",
            fix=f"Name a file that is there, or a board. {nearest(path.stem, [one.name for one in boards()])}",
        ) from None


def _parse(text: str, origin: str) -> Board:
    try:
        return Board.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            "The board's file is not TOML.",
            expected="lines such as clock_hz = 240_000_000",
            received=f"{origin}: {error}",
            fix="Correct that line.",
        ) from None
    except pydantic.ValidationError as error:
        raise _explained(error, origin) from None


def _explained(error: pydantic.ValidationError, origin: str) -> UsageError:
    """Turn pydantic's first complaint into an error that names the value and what it means."""
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"]))
    field = Board.model_fields.get(name)
    if first["type"] == "extra_forbidden":
        fix = nearest(name, Board.model_fields)
        return UsageError("The board's file has an unknown name.", received=f"{name} in {origin}", fix=fix)
    meaning = f" ({field.description})" if field else ""
    missing = first["type"] == "missing"
    return UsageError(
        "The board's file lacks a value." if missing else "The board's file has a value that cannot be used.",
        expected=f"{name}{meaning}" if missing else f"{name}{meaning}: {first['msg']}".removeprefix(": "),
        received=origin if missing else f"{first['input']!r} in {origin}"[:200],
        fix="Add it." if missing else "Correct it.",
    )
