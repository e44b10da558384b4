"""Write built firmware to a board over its serial port.

esptool does the work, as a program of its own: it is under the GPL, so it is run and never
imported.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from eyetune.errors import BoardError, UsageError

_ARGUMENTS = "flasher_args.json"  # which ESP-IDF's build leaves behind
_MAX_ARGUMENTS_BYTES = 1_000_000
_LAST_OFFSET = 2**31
_LINES_KEPT = 20  # of what esptool says, to tell what went wrong
_FATAL = "A fatal error occurred:"  # what esptool says before the reason
_LETTERS_SHOWN = 400
_PORT_PATTERNS = (
    "ttyUSB*",
    "ttyACM*",
    "cu.usbserial*",
    "cu.usbmodem*",
    "cu.SLAB_USBtoUART*",
    "cu.wchusbserial*",
)

# What esptool or the operating system says, what that means and what to do; the first that is found
# counts.
_FAILURES = (
    (
        r"permission denied|errno 13",
        "The serial port may not be opened by this user.",
        "On Linux: sudo usermod -aG dialout $USER, then log out and in again.",
    ),
    (
        r"exclusively lock|resource temporarily unavailable|resource busy|access is denied|errno 16",
        "The serial port is in use.",
        "Close the serial monitor, or whatever else has it open, and try again.",
    ),
    (
        r"errno 2\b|no such file|filenotfounderror|connection refused|errno 111",
        "There is no such serial port.",
        "Connect the board with a cable that carries data; name its port with --port.",
    ),
    (
        r"wrong --?chip argument|wrong chip argument|this chip is|unexpected chip",
        "The board has another chip than the firmware was built for.",
        "Export for the board that is connected: eyetune export RUN --board BOARD.",
    ),
    (
        r"failed to connect|no serial data received|timed out waiting|invalid head of packet",
        "The board does not answer.",
        "Hold its BOOT button (on an ESP32-CAM: connect GPIO 0 to GND), press reset, and try again.",
    ),
    (
        r"no such command|invalid choice|no such option|unrecognized arguments",
        "This esptool does not know what it was asked for.",
        "eyetune needs version 5: pip install 'eyetune[flash]'",
    ),
    (
        r"will not fit|does not fit|larger than the flash|exceeds flash",
        "The firmware does not fit the flash of the board.",
        "Export for the board that is connected: eyetune export RUN --board BOARD.",
    ),
)


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True)

    flash_mode: Literal["keep", "qio", "qout", "dio", "dout"]
    flash_size: Annotated[str, Field(pattern=r"^(keep|detect|\d{1,3}[MK]B)$")]
    flash_freq: Annotated[str, Field(pattern=r"^(keep|\d{1,3}m)$")]


class _Chip(BaseModel):
    model_config = ConfigDict(frozen=True)

    chip: Annotated[str, Field(pattern=r"^esp[0-9a-z]{1,20}$")]


class _Built(BaseModel):
    """What ESP-IDF's build says of how to flash it."""

    model_config = ConfigDict(frozen=True)

    flash_settings: _Settings
    flash_files: Annotated[dict[str, str], Field(min_length=1)]
    extra_esptool_args: _Chip


def flash(
    folder: Path,
    port: str | None = None,
    *,
    baud: int = 460_800,
    on_line: Callable[[str], object] = print,
) -> None:
    """Write the built firmware of an ESP-IDF project to a board.

    Args:
        folder: The project, in which `idf.py build` was run.
        port: The board's serial port, or socket://HOST:PORT; by default the only one that there is.
        baud: Speed in bits a second.
        on_line: Is given each line that esptool prints.

    Raises:
        UsageError: The project is not built, esptool is missing, or the port is: none, several,
            busy or not allowed.
        BoardError: esptool failed: the board does not answer or has another chip.
    """
    if baud < 1:
        raise UsageError(
            "The speed is too small.", expected="bits a second, for example 460800", received=baud
        )
    words = _write_flash_words(folder / "build")
    program = _program()
    chosen = _checked(port) if port is not None else _only_port()
    chip, *rest = words
    _run(
        [*program, f"--chip={chip}", f"--port={chosen}", f"--baud={baud}", "write-flash", *rest],
        on_line,
    )


def serial_ports() -> tuple[str, ...]:
    """Return the serial ports on USB, at one of which a board could be, in the order of their
    names.
    """
    try:
        listing = importlib.import_module("serial.tools.list_ports")
    except ImportError:  # it comes with esptool, which may be installed elsewhere
        return tuple(
            sorted(str(path) for pattern in _PORT_PATTERNS for path in Path("/dev").glob(pattern))
        )
    return tuple(sorted(port.device for port in listing.comports() if port.vid is not None))


def _write_flash_words(build: Path) -> list[str]:
    """Return the chip, then what to write where and how, in esptool's words."""
    built = _read(build)
    settings = built.flash_settings
    words = [f"--flash-mode={settings.flash_mode}", f"--flash-freq={settings.flash_freq}"]
    words.append(f"--flash-size={settings.flash_size}")
    files = sorted(
        (_offset(offset), _file(build, name)) for offset, name in built.flash_files.items()
    )
    for offset, file in files:
        words += [hex(offset), str(file)]
    return [built.extra_esptool_args.chip, *words]


def _read(build: Path) -> _Built:
    path = build / _ARGUMENTS
    if not path.is_file():
        raise UsageError(
            "The firmware is not built yet.",
            expected=str(path),
            fix=f"Run `idf.py build` in {build.parent} first: ESP-IDF is needed for that, for flashing it is not."
            if (build.parent / "CMakeLists.txt").is_file()
            else "Name the ESP-IDF project that `eyetune export` wrote.",
        )
    try:
        with path.open("rb") as stream:
            content = stream.read(_MAX_ARGUMENTS_BYTES + 1)
        if len(content) > _MAX_ARGUMENTS_BYTES:
            raise _damaged(path, f"it has more than {_MAX_ARGUMENTS_BYTES:,} bytes")
        return _Built.model_validate_json(content)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise _damaged(path, f"{'.'.join(map(str, first['loc']))} {first['msg']}".strip()) from None
    except OSError as error:
        raise _damaged(path, error.strerror or "it cannot be read") from None


def _damaged(path: Path, reason: str) -> UsageError:
    return UsageError(
        "The build cannot be used.",
        expected="what `idf.py build` leaves behind",
        received=f"{path}: {reason}",
        fix="Build it again: idf.py fullclean build",
    )


def _offset(text: str) -> int:
    try:
        offset = int(text, 16)
    except ValueError:
        offset = -1
    if not 0 <= offset < _LAST_OFFSET:
        raise UsageError(
            "The build has a place in flash that is none.",
            expected="such as 0x10000",
            received=text[:50],
        )
    return offset


def _file(build: Path, name: str) -> Path:
    """Return a file of the build; nothing outside of it is ever written to a board."""
    path = (build / name).resolve() if "\0" not in name else build
    if not path.is_relative_to(build.resolve()) or not path.is_file() or not path.stat().st_size:
        raise UsageError(
            "A file of the build is missing, empty or not in its folder.",
            expected=f"a file in {build}",
            received=repr(name[:200]),
            fix="Build it again: idf.py fullclean build",
        )
    return path


def _program() -> list[str]:
    if find_spec("esptool") is not None:
        return [
            sys.executable,
            "-P",
            "-m",
            "esptool",
        ]  # -P: not one that lies in the current folder
    if found := shutil.which("esptool"):
        return [found]
    raise UsageError(
        "esptool is missing, which writes firmware to boards.",
        fix="pip install 'eyetune[flash]', or `idf.py flash` in an ESP-IDF shell.",
    )


def _checked(port: str) -> str:
    """Return a port that is there and may be opened, as far as that can be seen without opening it."""
    if "://" in port or sys.platform == "win32":
        return port
    if not Path(port).exists():
        known = serial_ports()
        raise UsageError(
            "There is no such serial port.",
            expected=" or ".join(known) or "the port of a board that is connected",
            received=port,
            fix="Connect the board with a cable that carries data, and name its port."
            if not known
            else None,
        )
    if not os.access(port, os.R_OK | os.W_OK):
        _, what, fix = _FAILURES[0]
        raise UsageError(what, received=port, fix=fix)
    return port


def _only_port() -> str:
    known = serial_ports()
    if len(known) == 1:
        return _checked(known[0])
    raise UsageError(
        "There are several serial ports."
        if known
        else "No board is connected: there is no serial port.",
        expected="one, or its name",
        received=", ".join(known) or "none",
        fix=f"Name the board's, for example --port {known[0]}."
        if known
        else "Connect the board with a cable that carries data; a board without USB needs a serial converter.",
    )


def _run(command: Sequence[str], on_line: Callable[[str], object]) -> None:
    """Run esptool to its end, and say what went wrong where it fails."""
    last: deque[str] = deque(maxlen=_LINES_KEPT)
    environment = os.environ | {
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "COLUMNS": "200",
    }
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                last.append(line.rstrip())
                on_line(line.rstrip())
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise _failure([line for line in last if line])


def _failure(lines: Sequence[str]) -> BoardError | UsageError:
    text = "\n".join(lines)
    said = " ".join(text.rpartition(_FATAL)[2].split())[-_LETTERS_SHOWN:] or "nothing"
    for number, (pattern, what, fix) in enumerate(_FAILURES):
        if re.search(pattern, text, re.IGNORECASE):
            kind = (
                UsageError if number < 3 else BoardError
            )  # the first three are about the port that was named
            return kind(what, received=said, fix=fix)
    return BoardError(
        "esptool failed.", received=said, fix="Press the board's reset button and try again."
    )
