"""The serial ports at which a board may be connected.

pyserial is used in this module only; tests/device/export/test_serial_ports.py names the version
that it was checked with. It comes with esptool, which may be missing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from eyetune.errors import UsageError

_PATTERNS = (
    "ttyUSB*",
    "ttyACM*",
    "cu.usbserial*",
    "cu.usbmodem*",
    "cu.SLAB_USBtoUART*",
    "cu.wchusbserial*",
)
_CONNECT = "Connect the board with a USB cable that carries data"
ALLOW_PORTS = "On Linux: sudo usermod -aG dialout $USER, then log out and in again."


def serial_ports() -> tuple[str, ...]:
    """Return the names of the serial ports on USB, sorted."""
    try:
        from serial.tools import list_ports
    except ImportError:
        return tuple(_device_files())
    return tuple(sorted(port.device for port in list_ports.comports() if port.vid is not None))


def _device_files() -> list[str]:
    """Return the serial ports on USB by the names of their device files."""
    paths = [path for pattern in _PATTERNS for path in Path("/dev").glob(pattern)]
    return sorted(map(str, paths))


def choose_port(port: str | None) -> str:
    """Return the port to use: the one named, or the only one.

    Args:
        port: The name of a port, or socket://HOST:PORT; None for the only one.

    Raises:
        UsageError: The port does not exist or may not be opened, or there is not exactly one.
    """
    if port is not None:
        return _checked(port)
    ports = serial_ports()
    if not ports:
        raise UsageError(
            "No board is connected: there is no serial port on USB.",
            expected="1 serial port",
            received="none",
            fix=f"{_CONNECT}; a board without USB needs a serial converter.",
        )
    if len(ports) > 1:
        raise UsageError(
            "There are several serial ports.",
            expected="1 serial port, or the name of one",
            received=", ".join(ports),
            fix=f"Name the port of the board, for example --port {ports[0]}.",
        )
    return _checked(ports[0])


def _checked(port: str) -> str:
    """Return a port that exists and may be opened, as far as that is known without opening it."""
    if "://" in port or sys.platform == "win32":
        return port
    if not Path(port).exists():
        ports = serial_ports()
        raise UsageError(
            f"There is no serial port {port}.",
            expected=" or ".join(ports) or "the port of a connected board",
            received=port,
            fix=f"Use --port {ports[0]}." if ports else f"{_CONNECT}.",
        )
    if not os.access(port, os.R_OK | os.W_OK):
        raise UsageError(
            f"You may not open the serial port {port}.", received=port, fix=ALLOW_PORTS
        )
    return port
