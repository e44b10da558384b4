"""esptool, the program that writes flash memory, run as a process of its own.

esptool is under the GPL, so it is run and never imported. Its command line and its messages are
used in this module only; tests/device/export/test_esptool.py names the version that they were
checked with.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from eyetune.device.export.serial_ports import ALLOW_PORTS
from eyetune.errors import BoardError, EyetuneError, UsageError

_NUM_LINES_KEPT = 20  # of the output, to explain a failure
_MAX_SHOWN = 400  # characters of the output in an error
_FATAL = "A fatal error occurred:"  # esptool prints this before the reason


@dataclass(frozen=True)
class FlashImage:
    """What to write to the flash memory of a board.

    Attributes:
        chip: esptool's name of the chip, for example esp32.
        flash_mode: How the flash memory is connected, for example dio.
        flash_size: Size of the flash memory, for example 4MB.
        flash_freq: Clock of the flash memory, for example 80m.
        files: The files to write and their offsets in bytes, in the order of the offsets.
    """

    chip: str
    flash_mode: str
    flash_size: str
    flash_freq: str
    files: tuple[tuple[int, Path], ...]


@dataclass(frozen=True)
class _Failure:
    """A kind of failure of esptool.

    Attributes:
        pattern: What esptool or the operating system prints, as a regular expression.
        error: The class of the error: `UsageError` for what the user named.
        what: What happened, in one sentence.
        fix: What to do about it.
    """

    pattern: str
    error: type[EyetuneError]
    what: str
    fix: str


_OTHER_BOARD = "Export for the connected board: eyetune export RUN --board BOARD."

# The first failure whose pattern matches is reported.
_FAILURES = (
    _Failure(
        r"permission denied|errno 13",
        UsageError,
        "You may not open the serial port.",
        ALLOW_PORTS,
    ),
    _Failure(
        r"exclusively lock|resource temporarily unavailable|resource busy|access is denied"
        r"|errno 16",
        UsageError,
        "The serial port is in use.",
        "Close the serial monitor, or any other program that uses it, and try again.",
    ),
    _Failure(
        r"errno 2\b|no such file|filenotfounderror|connection refused|errno 111",
        UsageError,
        "There is no such serial port.",
        "Connect the board with a USB cable that carries data; name its port with --port.",
    ),
    _Failure(
        r"wrong --?chip argument|wrong chip argument|this chip is|unexpected chip",
        BoardError,
        "The board has a different chip than the firmware was built for.",
        _OTHER_BOARD,
    ),
    _Failure(
        r"failed to connect|no serial data received|timed out waiting|invalid head of packet",
        BoardError,
        "The board does not respond.",
        "Hold its BOOT button (on an ESP32-CAM: connect GPIO 0 to GND), press reset and try again.",
    ),
    _Failure(
        r"no such command|invalid choice|no such option|unrecognized arguments",
        BoardError,
        "This version of esptool does not know a command or option.",
        "eyetune needs version 5: pip install 'eyetune[flash]'",
    ),
    _Failure(
        r"will not fit|does not fit|larger than the flash|exceeds flash",
        BoardError,
        "The firmware does not fit the flash memory of the board.",
        _OTHER_BOARD,
    ),
)


def find_esptool() -> list[str]:
    """Return the command that runs esptool.

    Raises:
        UsageError: It is not installed.
    """
    if find_spec("esptool") is not None:
        # -P: ignore a module of that name in the current folder.
        return [sys.executable, "-P", "-m", "esptool"]
    program = shutil.which("esptool")
    if program is not None:
        return [program]
    raise UsageError(
        "esptool, which writes firmware to boards, is not installed.",
        expected="esptool 5, as a Python package or a program",
        received="neither",
        fix="pip install 'eyetune[flash]', or use `idf.py flash` in an ESP-IDF shell.",
    )


def write_flash(
    esptool: Sequence[str],
    image: FlashImage,
    port: str,
    *,
    baud: int,
    on_line: Callable[[str], object],
) -> None:
    """Write an image to the flash memory of a board.

    Args:
        esptool: The command that runs esptool, from `find_esptool`.
        image: What to write.
        port: The serial port.
        baud: Speed in bits per second.
        on_line: Called with each line that esptool prints.

    Raises:
        UsageError: The serial port is missing, in use or not accessible.
        BoardError: esptool failed for another reason.
    """
    files = [text for offset, path in image.files for text in (hex(offset), str(path))]
    command = [
        *esptool,
        f"--chip={image.chip}",
        f"--port={port}",
        f"--baud={baud}",
        "write-flash",
        f"--flash-mode={image.flash_mode}",
        f"--flash-freq={image.flash_freq}",
        f"--flash-size={image.flash_size}",
        *files,
    ]
    status, lines = _run(command, on_line)
    if status:
        raise explain_failure(lines)


def explain_failure(lines: Sequence[str]) -> EyetuneError:
    """Return the error for a failure of esptool.

    esptool has no error codes: its exit status is the same for all failures, and the reason is in
    its text only.

    Args:
        lines: The last lines that it printed.
    """
    text = "\n".join(lines)
    reason = " ".join(text.rpartition(_FATAL)[2].split())[-_MAX_SHOWN:] or "nothing"
    for failure in _FAILURES:
        if re.search(failure.pattern, text, re.IGNORECASE):
            return failure.error(failure.what, received=reason, fix=failure.fix)
    return BoardError(
        "esptool failed.", received=reason, fix="Press the board's reset button and try again."
    )


def _run(command: Sequence[str], on_line: Callable[[str], object]) -> tuple[int, list[str]]:
    """Run a program to its end, and return its exit status and the last lines of its output."""
    plain_output = {
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "COLUMNS": "200",
    }
    last_lines: deque[str] = deque(maxlen=_NUM_LINES_KEPT)
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | plain_output,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                last_lines.append(line.rstrip())
                on_line(line.rstrip())
        except BaseException:
            process.kill()
            raise
    return process.returncode, [line for line in last_lines if line]
