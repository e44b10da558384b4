"""The serial ports at which a board may be connected."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from eyetune.device.export import serial_ports as module
from eyetune.device.export.serial_ports import choose_port, serial_ports
from eyetune.errors import UsageError


def test_pyserial_has_the_listing_that_serial_ports_uses() -> None:
    """pyserial 3.5; see `serial_ports`."""
    list_ports = pytest.importorskip("serial.tools.list_ports", reason="it comes with esptool")
    assert metadata.version("pyserial") == "3.5"
    assert all(hasattr(port, "vid") and port.device for port in list_ports.comports())


def test_serial_ports_are_those_on_usb(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = [("/dev/ttyUSB1", 0x10C4), ("/dev/ttyS0", None), ("/dev/ttyACM0", 0x303A)]
    listing = SimpleNamespace(
        comports=lambda: [SimpleNamespace(device=name, vid=vid) for name, vid in ports]
    )
    monkeypatch.setitem(sys.modules, "serial", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "serial.tools", SimpleNamespace(list_ports=listing))
    assert serial_ports() == ("/dev/ttyACM0", "/dev/ttyUSB1")


def test_serial_ports_without_pyserial_are_device_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    monkeypatch.setitem(sys.modules, "serial.tools", None)
    monkeypatch.setattr(
        Path, "glob", lambda _, pattern: [Path("/dev/ttyUSB0")] if pattern == "ttyUSB*" else []
    )
    assert serial_ports() == ("/dev/ttyUSB0",)


def test_choose_port_refuses_several_ports_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "serial_ports", lambda: ("/dev/ttyUSB0", "/dev/ttyUSB1"))
    with pytest.raises(UsageError) as caught:
        choose_port(None)
    assert caught.value.received == "/dev/ttyUSB0, /dev/ttyUSB1"
    monkeypatch.setattr(module, "serial_ports", lambda: ())
    with pytest.raises(UsageError) as caught:
        choose_port(None)
    assert caught.value.received == "none"


def test_choose_port_names_the_ports_that_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "serial_ports", lambda: ("/dev/ttyUSB0",))
    with pytest.raises(UsageError) as caught:
        choose_port(str(tmp_path / "ttyUSB9"))
    assert caught.value.expected == "/dev/ttyUSB0"


def test_choose_port_checks_the_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = tmp_path / "ttyUSB0"
    port.touch()
    assert choose_port(str(port)) == str(port)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UsageError) as caught:
        choose_port(str(port))
    assert "dialout" in (caught.value.fix or "")
