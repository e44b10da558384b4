"""Boards: what each has room for, as data. The ones that come along lie beside this file in
boards/.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

import pydantic
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo

from eyetune.errors import UsageError, nearest

DEFAULT = "esp-eye"
_MAX_FILE_BYTES = 1_000_000  # of a board's file; those that come along have 3,000


class _Part(BaseModel):
    """A part of a board's file: immutable, and strict about names and kinds."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Camera(_Part):
    """How a parallel camera is wired: numbers of GPIOs, -1 for what is not connected."""

    xclk: int = Field(ge=-1, description="GPIO of the clock that the camera is given")
    sda: int = Field(ge=-1, description="GPIO of the control bus's data")
    scl: int = Field(ge=-1, description="GPIO of the control bus's clock")
    d0: int = Field(
        ge=0, description="GPIO of bit 0 of a pixel's byte; Y2 in the camera's own count"
    )
    d1: int = Field(ge=0, description="GPIO of bit 1")
    d2: int = Field(ge=0, description="GPIO of bit 2")
    d3: int = Field(ge=0, description="GPIO of bit 3")
    d4: int = Field(ge=0, description="GPIO of bit 4")
    d5: int = Field(ge=0, description="GPIO of bit 5")
    d6: int = Field(ge=0, description="GPIO of bit 6")
    d7: int = Field(ge=0, description="GPIO of bit 7")
    vsync: int = Field(ge=0, description="GPIO that tells a new picture")
    href: int = Field(ge=0, description="GPIO that tells a new line")
    pclk: int = Field(ge=0, description="GPIO of the pixels' clock")
    pwdn: int = Field(-1, ge=-1, description="GPIO that switches the camera off")
    reset: int = Field(-1, ge=-1, description="GPIO that starts the camera anew")
    xclk_hz: int = Field(gt=0, description="of the clock that the camera is given")
    flip_vertically: bool = Field(False, description="whether the camera stands on its head")
    pull_ups: tuple[int, ...] = Field(
        (), description="GPIOs that must be inputs with pull-up before the camera is started"
    )


class Cost(_Part):
    """How many cycles int8 inference takes, as a sum over the operators of a network.

    What is not named here (a copy, a table look-up, a mean) takes `element` cycles for each number
    of its output.
    """

    convolution: tuple[tuple[int, float], ...] = Field(
        min_length=1,
        description="cycles a multiply-add of a convolution, as [input channels from which on it holds, cycles]",
    )
    depthwise: float = Field(ge=0, description="cycles a multiply-add of a depthwise convolution")
    dense: float = Field(ge=0, description="cycles a multiply-add of a dense layer")
    output: float = Field(ge=0, description="cycles an output of a convolution, depthwise or not")
    pool: float = Field(ge=0, description="cycles an input of a pooling")
    element: float = Field(
        ge=0, description="cycles an output of an addition or any other operator"
    )
    error: float = Field(gt=0, lt=1, description="half width of the error, as a share of the time")
    psram_factors: tuple[float, float] = Field(
        (1.0, 1.0),
        description="how many times longer it takes with the arena in external RAM: at least, at most",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        starts = [channels for channels, _ in self.convolution]
        if (
            starts[0] > 1
            or starts != sorted(set(starts))
            or any(cycles < 0 for _, cycles in self.convolution)
        ):
            raise ValueError(
                "convolution must begin at 1 input channel and rise, with no cycles below 0"
            )
        low, high = self.psram_factors
        if not 1 <= low <= high:
            raise ValueError("psram_factors must be two numbers from 1 on, the smaller one first")
        return self

    def convolution_cycles(self, input_channels: int) -> float:
        """Return the cycles that a multiply-add of a convolution takes, by the channels of its
        input.

        Example:
            >>> cost = board("esp-eye").cost
            >>> cost.convolution_cycles(3), cost.convolution_cycles(4)
            (18.0, 11.0)
        """
        return next(
            cycles for start, cycles in reversed(self.convolution) if input_channels >= start
        )


class Board(_Part):
    """A board and its limits. Bytes are bytes: a kibibyte has 1024 of them."""

    name: str = Field(min_length=1, description="what commands call it, for example esp-eye")
    title: str = Field(min_length=1, description="what its maker calls it")
    flash_bytes: int = Field(gt=0, description="flash in which program and model lie")
    partition_bytes: int = Field(
        gt=0, description="largest part of the flash that the program may take"
    )
    firmware_bytes: int = Field(ge=0, description="the program without the model")
    arena_bytes: int = Field(
        gt=0, description="largest tensor arena that internal RAM has room for"
    )
    psram_bytes: int = Field(0, ge=0, description="external RAM that the program sees (0: none)")
    psram_mode: Literal["", "quad", "octal"] = Field(
        "", description="how the external RAM is wired"
    )
    clock_hz: int = Field(gt=0, description="of the processor")
    chip: Literal["", "esp32", "esp32s3"] = Field(
        "", description="what ESP-IDF calls it (empty: no ESP-IDF)"
    )
    usb: str = Field("", description="how it is connected, in words")
    camera: Camera | None = Field(None, description="how the camera is wired")
    cost: Cost | None = Field(None, description="how many cycles inference takes")
    per_channel_dense: bool = Field(
        True, description="whether dense layers may have a scale for each channel"
    )
    copies_convolutions: bool = Field(
        False,
        description="whether convolutions copy their weights and input into the arena while they run",
    )
    quirks: tuple[str, ...] = Field((), description="what to mind, in sentences")

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if not self.firmware_bytes < self.partition_bytes <= self.flash_bytes:
            raise ValueError(
                "firmware_bytes must be below partition_bytes, and that at most flash_bytes"
            )
        return self

    @property
    def largest_model_bytes(self) -> int:
        """The largest .tflite file that there is room for: the program's part of the flash less the
        program.
        """
        return self.partition_bytes - self.firmware_bytes

    @property
    def largest_arena_bytes(self) -> int:
        """The largest tensor arena: in internal RAM, or in external RAM (slower) where there is
        more of it.
        """
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
        fix=nearest(text, known, listed_by="eyetune boards"),
    )


def _folder() -> Any:
    return resources.files("eyetune.device") / "boards"


def _read(path: Path) -> Board:
    try:
        with path.open("rb") as stream:
            content = stream.read(_MAX_FILE_BYTES + 1)
        if len(content) > _MAX_FILE_BYTES:
            raise OSError(0, f"it has more than {_MAX_FILE_BYTES:,} bytes")
        text = content.decode("utf-8")
    except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
        reason = (
            error.strerror
            if isinstance(error, OSError) and error.strerror
            else "it is not UTF-8 text"
        )
        raise UsageError(
            "The board's file cannot be read.",
            expected="a TOML file",
            received=f"{path}: {reason}",
            fix=f"Name a file that is there, or a board. {nearest(path.stem, [one.name for one in boards()])}",
        ) from None
    return _parse(text, str(path))


def _parse(text: str, origin: str) -> Board:
    try:
        # Through JSON, in which a strict list may stand for a tuple. A date becomes its words,
        # which no field takes.
        return Board.model_validate_json(json.dumps(tomllib.loads(text), default=str))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
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
    section, field = _described(first["loc"])
    if first["type"] == "extra_forbidden":
        fix = nearest(str(first["loc"][-1]), section.model_fields)
        return UsageError(
            "The board's file has an unknown name.", received=f"{name} in {origin}", fix=fix
        )
    meaning = f" ({field.description})" if field else ""
    missing = first["type"] == "missing"
    return UsageError(
        "The board's file lacks a value."
        if missing
        else "The board's file has a value that cannot be used.",
        expected=f"{name}{meaning}"
        if missing
        else f"{name}{meaning}: {first['msg']}".removeprefix(": "),
        received=origin if missing else f"{first['input']!r} in {origin}"[:200],
        fix="Add it." if missing else "Correct it.",
    )


def _described(place: Sequence[int | str]) -> tuple[type[_Part], FieldInfo | None]:
    """Return the part of the file that a place such as ("camera", "xclk") lies in, and the field
    that is meant.
    """
    sections: dict[str, type[_Part]] = {"camera": Camera, "cost": Cost}
    section = sections.get(str(place[0]), Board) if len(place) > 1 else Board
    names = place[1:] if section is not Board else place
    return section, section.model_fields.get(str(names[0])) if names else None
