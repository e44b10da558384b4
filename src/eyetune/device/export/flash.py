"""Write built firmware to a board over its serial port."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from eyetune.device.export.esptool import find_esptool, write_flash
from eyetune.device.export.idf_build import read_build
from eyetune.device.export.serial_ports import choose_port
from eyetune.errors import UsageError

DEFAULT_BAUD = 460_800  # bits per second


def flash(
    project: Path,
    port: str | None = None,
    *,
    baud: int = DEFAULT_BAUD,
    on_line: Callable[[str], object] = print,
) -> None:
    """Write the built firmware of an ESP-IDF project to a board.

    Args:
        project: The project's folder, in which `idf.py build` has been run.
        port: The board's serial port, or socket://HOST:PORT. Default: the only serial port.
        baud: Speed in bits per second, at least 1. Default: 460800.
        on_line: Called with each line that esptool prints. Default: print it.

    Raises:
        UsageError: The project is not built, esptool is not installed, or the serial port is
            missing, ambiguous, in use or not accessible.
        BoardError: esptool failed: the board does not respond, or has a different chip.
    """
    if baud < 1:
        raise UsageError(
            "The speed must be at least 1.",
            expected="bits per second, for example 460800",
            received=baud,
        )
    image = read_build(project)
    esptool = find_esptool()
    write_flash(esptool, image, choose_port(port), baud=baud, on_line=on_line)
