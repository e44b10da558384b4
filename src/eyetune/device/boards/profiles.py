"""Board profiles: the limits, camera pins and cost model of each board, as data in TOML files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib import resources
from importlib.metadata import EntryPoint
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args

import pydantic
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo

from eyetune import _plugins
from eyetune.errors import UsageError, nearest
from eyetune.inputs import toml_text
from eyetune.inputs.limits import TEXT_BYTES, LimitExceededError, fix_for
from eyetune.inputs.regular_file import read_text
from eyetune.values.renamed_attributes import renamed_to
from eyetune.values.summary import Summarized, Summary

DEFAULT_BOARD = "esp-eye"
EspNnVersion = Literal["1.2.3", "1.4"]  # those with their own formulas in estimate/esp_nn.py
ESP_NN_VERSIONS: tuple[EspNnVersion, ...] = get_args(EspNnVersion)
_MAX_SHOWN = 200  # characters of a wrong value in an error


class _Section(BaseModel):
    """A section of a profile: immutable, and strict about names and types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Camera(_Section):
    """The wiring of a parallel camera: GPIO numbers, -1 for a pin that is not connected."""

    xclk: int = Field(ge=-1, description="GPIO of the clock that the camera receives")
    sda: int = Field(ge=-1, description="GPIO of the control bus's data line")
    scl: int = Field(ge=-1, description="GPIO of the control bus's clock line")
    d0: int = Field(ge=0, description="GPIO of bit 0 of a pixel's byte; the camera's Y2")
    d1: int = Field(ge=0, description="GPIO of bit 1")
    d2: int = Field(ge=0, description="GPIO of bit 2")
    d3: int = Field(ge=0, description="GPIO of bit 3")
    d4: int = Field(ge=0, description="GPIO of bit 4")
    d5: int = Field(ge=0, description="GPIO of bit 5")
    d6: int = Field(ge=0, description="GPIO of bit 6")
    d7: int = Field(ge=0, description="GPIO of bit 7")
    vsync: int = Field(ge=0, description="GPIO that signals a new frame")
    href: int = Field(ge=0, description="GPIO that signals a new line")
    pclk: int = Field(ge=0, description="GPIO of the pixel clock")
    pwdn: int = Field(-1, ge=-1, description="GPIO that powers the camera down")
    reset: int = Field(-1, ge=-1, description="GPIO that resets the camera")
    xclk_hz: int = Field(gt=0, description="frequency of the camera's clock in Hz")
    flip_vertically: bool = Field(False, description="whether the camera is mounted upside down")
    pull_ups: tuple[int, ...] = Field(
        (), description="GPIOs to configure as inputs with pull-up before the camera starts"
    )


class CostModel(_Section):
    """The clock cycles of int8 inference, as a sum over the operators of a network.

    Operators that have no field here (copies, table look-ups) take `element` cycles for each
    element of their output.
    """

    convolution: tuple[tuple[int, float], ...] = Field(
        min_length=1,
        description="cycles per MAC of a convolution, as [fewest input channels, cycles]",
    )
    depthwise: float = Field(ge=0, description="cycles per MAC of a depthwise convolution")
    dense: float = Field(ge=0, description="cycles per MAC of a dense layer")
    output: float = Field(ge=0, description="cycles per output of a convolution, depthwise or not")
    pool: float = Field(ge=0, description="cycles per input of a pooling operator")
    element: float = Field(
        ge=0, description="cycles per output of an addition or any other operator"
    )
    error: float = Field(gt=0, lt=1, description="error of the predicted time, as a fraction of it")
    psram_factors: tuple[float, float] = Field(
        (1.0, 1.0),
        description="smallest and largest slowdown with the arena in external RAM",
    )

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        starts = [channels for channels, _ in self.convolution]
        is_rising = starts == sorted(set(starts))
        if starts[0] > 1 or not is_rising or any(cycles < 0 for _, cycles in self.convolution):
            raise ValueError(
                "convolution must begin at 1 input channel and rise, with no cycles below 0"
            )
        low, high = self.psram_factors
        if not 1 <= low <= high:
            raise ValueError("psram_factors must be two numbers of at least 1, the smaller first")
        return self

    def convolution_cycles(self, input_channels: int) -> float:
        """Return the clock cycles per MAC of a convolution with this many input channels.

        Example:
            >>> cost = load_board("esp-eye").cost
            >>> cost.convolution_cycles(3), cost.convolution_cycles(4)
            (18.0, 11.0)
        """
        matching = [cycles for start, cycles in self.convolution if input_channels >= start]
        return matching[-1]


class Board(Summarized, _Section):
    """A board and its limits. A kibibyte (KiB) has 1024 bytes."""

    name: str = Field(min_length=1, description="name in commands, for example esp-eye")
    title: str = Field(min_length=1, description="the maker's name for it")
    flash_bytes: int = Field(gt=0, description="flash for program and model, in bytes")
    partition_bytes: int = Field(
        gt=0, description="largest flash partition for the program, in bytes"
    )
    firmware_bytes: int = Field(ge=0, description="size of the program without the model, in bytes")
    arena_bytes: int = Field(gt=0, description="largest tensor arena in internal RAM, in bytes")
    psram_bytes: int = Field(
        0, ge=0, description="external RAM that the program can use, in bytes (0: none)"
    )
    psram_mode: Literal["", "quad", "octal"] = Field(
        "", description="interface of the external RAM"
    )
    clock_hz: int = Field(gt=0, description="clock frequency of the processor in Hz")
    chip: Literal["", "esp32", "esp32s3"] = Field(
        "",
        description="ESP-IDF's name for the chip that firmware is written for (empty: only a C "
        "array can be written)",
    )
    usb: str = Field("", description="how to connect the board")
    camera: Camera | None = Field(None, description="wiring of the camera")
    cost: CostModel | None = Field(None, description="clock cycles of inference")
    per_channel_dense: bool = Field(
        True, description="whether dense layers may have a scale for each output"
    )
    esp_nn: tuple[EspNnVersion, ...] = Field(
        (),
        description="versions of ESP-NN whose kernels take scratch memory from the arena "
        "(the largest counts)",
    )
    copies_convolutions: bool = Field(
        False, description="the earlier form of `esp_nn`: true stands for all of its versions"
    )
    quirks: tuple[str, ...] = Field((), description="what to know about the board, as sentences")

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        if not self.firmware_bytes < self.partition_bytes <= self.flash_bytes:
            raise ValueError(
                "firmware_bytes must be less than partition_bytes, "
                "and partition_bytes at most flash_bytes"
            )
        return self

    @property
    def headline(self) -> str:
        """What it is, in one line."""
        return f"{self.title} ({self.name})"

    @property
    def summary(self) -> Summary:
        """Its values by the name of the field: first plain values, then sections."""
        shown_apart = ("name", "title", "quirks", "copies_convolutions")
        sections = ("camera", "cost")
        plain = [name for name in type(self).model_fields if name not in (*shown_apart, *sections)]
        rows = {name: _text(getattr(self, name)) for name in (*plain, *sections)}
        return Summary(rows, self.quirks)

    @property
    def max_model_bytes(self) -> int:
        """Largest .tflite file in bytes: the program's partition less the program itself."""
        return self.partition_bytes - self.firmware_bytes

    @property
    def max_arena_bytes(self) -> int:
        """Largest tensor arena in bytes: in internal RAM, or in external RAM, which is slower."""
        return max(self.arena_bytes, self.psram_bytes)

    @property
    def kernel_versions(self) -> tuple[EspNnVersion, ...]:
        """Versions of ESP-NN whose kernels take scratch memory; empty if there are none."""
        return self.esp_nn or (ESP_NN_VERSIONS if self.copies_convolutions else ())

    largest_model_bytes: ClassVar[property] = renamed_to("max_model_bytes")
    largest_arena_bytes: ClassVar[property] = renamed_to("max_arena_bytes")


@cache
def boards() -> tuple[Board, ...]:
    """Return the known boards, the default one first, the others by name.

    These are the built-in boards and those of plug-ins.

    Example:
        >>> [board.name for board in boards()][:4]
        ['esp-eye', 'esp32-c3', 'esp32-cam', 'esp32-p4']
    """
    known = {board.name: board for board in _boards_in(_folder())}

    def add(entry: EntryPoint) -> None:
        for board in _boards_in(resources.files(entry.load())):
            if board.name in known:
                raise UsageError(f"There is already a board named {board.name}.")
            known[board.name] = board

    _plugins.use_each(_plugins.BOARDS, add)
    return tuple(
        sorted(known.values(), key=lambda board: (board.name != DEFAULT_BOARD, board.name))
    )


def _boards_in(folder: Traversable) -> list[Board]:
    files = [file for file in folder.iterdir() if file.name.endswith(".toml")]
    return [_parse(file.read_text(encoding="utf-8"), file.name) for file in files]


def load_board(name: str | Path) -> Board:
    """Return a known board by its name, or a board from a TOML file.

    Args:
        name: The name of one of `boards()`, or the path of a file that ends in .toml.

    Raises:
        UsageError: There is no such board or file, or the file does not describe a board.

    Example:
        >>> load_board("esp-eye").max_model_bytes
        3667968
    """
    text = str(name)
    if text.endswith(".toml"):
        return _read_file(Path(text))
    by_name = {board.name: board for board in boards()}
    if text in by_name:
        return by_name[text]
    raise UsageError(
        f"There is no board named {text}.",
        expected="the name of a board, or the path of a .toml file that describes one",
        received=text,
        fix=nearest(text, by_name, listed_by="eyetune boards"),
    )


def _folder() -> Traversable:
    return resources.files("eyetune.device") / "boards"


def _read_file(path: Path) -> Board:
    try:
        text = read_text(path, TEXT_BYTES)
    except UnicodeDecodeError:
        raise _unreadable(path, "not UTF-8 text") from None
    except LimitExceededError as error:
        raise _unreadable(path, str(error), error.fix) from None
    except (OSError, ValueError) as error:  # a path with a NUL character is a ValueError
        reason = error.strerror if isinstance(error, OSError) else None
        raise _unreadable(path, reason or str(error)) from None
    return _parse(text, str(path))


def _unreadable(path: Path, reason: str, fix: str | None = None) -> UsageError:
    names = [board.name for board in boards()]
    return UsageError(
        "Cannot read the board file.",
        expected="a TOML file",
        received=f"{path}: {reason}",
        fix=fix or f"Name an existing file, or a built-in board. {nearest(path.stem, names)}",
    )


def _parse(text: str, origin: str) -> Board:
    """Return the board that a TOML text describes; `origin` names the text in errors."""
    try:
        values = toml_text.parse(text)
    except ValueError as error:
        problem = "too large" if isinstance(error, LimitExceededError) else "not valid TOML"
        raise UsageError(
            f"The board file is {problem}.",
            expected="lines such as clock_hz = 240_000_000",
            received=f"{origin}: {error}",
            fix=fix_for(error, "Correct that line."),
        ) from None
    try:
        # Through JSON, where a list is accepted for a tuple also in strict mode. TOML's dates
        # become text, which no field accepts.
        return Board.model_validate_json(json.dumps(values, default=str))
    except pydantic.ValidationError as error:
        raise _invalid(error, origin) from None


def _invalid(error: pydantic.ValidationError, origin: str) -> UsageError:
    """Return an error that names the first invalid value and explains what it means."""
    first = error.errors()[0]
    path = first["loc"]
    name = ".".join(map(str, path))
    section, field = _section_and_field(path)
    meaning = f"{name} ({field.description})" if field else name
    if first["type"] == "extra_forbidden":
        return UsageError(
            "The board file has an unknown key.",
            received=f"{name} in {origin}",
            fix=nearest(str(path[-1]), section.model_fields),
        )
    if first["type"] == "missing":
        return UsageError(
            "The board file lacks a value.", expected=meaning, received=origin, fix="Add it."
        )
    rule = first["msg"].removeprefix("Value error, ")
    is_about_section = isinstance(first["input"], dict)
    return UsageError(
        "The board file has an invalid value.",
        expected=f"{meaning}: {rule}" if meaning else rule,
        received=origin if is_about_section else f"{first['input']!r:.{_MAX_SHOWN}} in {origin}",
        fix="Correct it.",
    )


def _section_and_field(path: Sequence[int | str]) -> tuple[type[_Section], FieldInfo | None]:
    """Return the section and the field that a path such as ("camera", "xclk") refers to."""
    sections: dict[str, type[_Section]] = {"camera": Camera, "cost": CostModel}
    section = sections.get(str(path[0]), Board) if len(path) > 1 else Board
    names = path if section is Board else path[1:]
    field = section.model_fields.get(str(names[0])) if names else None
    return section, field


def _text(value: Any) -> str:
    """Return a value of a board as text."""
    if isinstance(value, _Section):
        return ", ".join(f"{name} {_text(part)}" for name, part in value)
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    return f"{value:,}" if isinstance(value, int) else str(value)
