"""Flashing: real esptool onto a mock bootloader, and what is said where something is missing or
wrong.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from eyetune.device.export import flash as flashing
from eyetune.device.export.flash import flash
from eyetune.errors import BoardError, UsageError

BUILT: dict[str, Any] = {
    "write_flash_args": ["--flash_mode", "dio", "--flash_size", "4MB", "--flash_freq", "80m"],
    "flash_settings": {"flash_mode": "dio", "flash_size": "4MB", "flash_freq": "80m"},
    "flash_files": {
        "0x1000": "bootloader/bootloader.bin",
        "0x10000": "eyetune_camera.bin",
        "0x8000": "partition_table/partition-table.bin",
    },
    "app": {"offset": "0x10000", "file": "eyetune_camera.bin", "encrypted": "false"},
    "extra_esptool_args": {
        "after": "hard_reset",
        "before": "default_reset",
        "stub": True,
        "chip": "esp32",
    },
}


def unheard(line: str) -> None:
    pass


def content_of(offset: str) -> bytes:
    """Return bytes of a made-up image: none begins as one of a program does, so esptool leaves them
    as they are.
    """
    size = {"0x1000": 5000, "0x8000": 3072, "0x10000": 50_000}[offset]
    return b"\x00" + np.random.default_rng(int(offset, 16)).bytes(size - 1)


def project(folder: Path, **changes: Any) -> Path:
    """Make a project that looks as if idf.py had built it."""
    (folder / "CMakeLists.txt").write_text("project(eyetune_camera)\n")
    for offset, name in BUILT["flash_files"].items():
        path = folder / "build" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content_of(offset))
    (folder / "build" / "flasher_args.json").write_text(json.dumps(BUILT | changes))
    return folder


@pytest.fixture
def no_esptool(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hide esptool, and return the only folder in which programs are looked for."""
    folder = tmp_path_factory.mktemp("programs")
    monkeypatch.setattr(flashing, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def pretend(folder: Path, says: str, status: int = 1) -> None:
    """Put a program in esptool's place that says something and ends."""
    program = folder / "esptool"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nprint(sys.argv[1:])\nprint({says!r})\nsys.exit({status})\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def bootloader() -> Iterator[Any]:
    mock = pytest.importorskip(
        "esp32_mock_bootloader", reason="esp32-mock-bootloader stands in for a board"
    )
    pytest.importorskip("esptool", reason="esptool flashes")
    with mock.mock_bootloader(chip="esp32") as running:
        yield running


def test_every_file_of_a_build_arrives_at_its_place(tmp_path: Path, bootloader: Any) -> None:
    from esp32_mock_bootloader.advanced import protocol

    lines: list[str] = []
    flash(project(tmp_path), bootloader.url(), on_line=lines.append)
    assert sum("Hash of data verified" in line for line in lines) == 3
    client = protocol.connect(bootloader)
    client.activate_stub()
    for offset in BUILT["flash_files"]:
        content = content_of(offset)
        found, _ = client.stub_read_flash(int(offset, 16), len(content))
        assert found == content


def test_another_chip_is_told(tmp_path: Path, bootloader: Any) -> None:
    folder = project(tmp_path, extra_esptool_args={"chip": "esp32s3"})
    with pytest.raises(BoardError, match="another chip") as caught:
        flash(folder, bootloader.url(), on_line=unheard)
    assert "eyetune export" in str(caught.value)


def test_a_port_at_which_nobody_listens_is_told(tmp_path: Path) -> None:
    pytest.importorskip("esptool", reason="esptool flashes")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UsageError, match="no such serial port"):
        flash(project(tmp_path), f"socket://127.0.0.1:{port}", on_line=unheard)


def test_a_port_that_is_in_use_is_told(tmp_path: Path) -> None:
    pytest.importorskip("esptool", reason="esptool flashes")
    board_end, our_end = os.openpty()
    try:
        fcntl.flock(our_end, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="in use") as caught:
            flash(project(tmp_path), os.ttyname(our_end), on_line=unheard)
        assert "serial monitor" in str(caught.value)
    finally:
        os.close(board_end)
        os.close(our_end)


def test_a_board_that_does_not_answer_is_told(tmp_path: Path) -> None:
    pytest.importorskip("esptool", reason="esptool flashes")
    board_end, our_end = os.openpty()
    try:
        with pytest.raises(BoardError, match="does not answer") as caught:
            flash(project(tmp_path), os.ttyname(our_end), on_line=unheard)
        assert "BOOT" in str(caught.value)
    finally:
        os.close(board_end)
        os.close(our_end)


def test_a_port_that_is_not_there_is_told(tmp_path: Path) -> None:
    pytest.importorskip("esptool", reason="esptool flashes")
    with pytest.raises(UsageError, match="no such serial port"):
        flash(project(tmp_path), str(tmp_path / "ttyUSB9"))


def test_a_port_that_may_not_be_opened_is_told(
    tmp_path: Path, no_esptool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(no_esptool, "never run", 0)
    port = tmp_path / "ttyUSB0"
    port.touch()
    allowed = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path) != port and allowed(path, mode)
    )  # as for a user
    with pytest.raises(UsageError, match="may not be opened") as caught:
        flash(project(tmp_path), str(port))
    assert "dialout" in str(caught.value)


def test_the_only_port_is_found(
    tmp_path: Path, no_esptool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = tmp_path / "ttyACM0"
    port.touch()
    pretend(no_esptool, "done", 0)
    monkeypatch.setattr(flashing, "serial_ports", lambda: (str(port),))
    lines: list[str] = []
    flash(project(tmp_path), baud=115_200, on_line=lines.append)
    words = lines[0]
    build = tmp_path / "build"
    assert f"'--chip=esp32', '--port={port}', '--baud=115200', 'write-flash'" in words
    app = f"'0x10000', '{build}/eyetune_camera.bin'"
    assert words.index("'0x1000', ") < words.index("'0x8000', ") < words.index(app)
    assert lines[1:] == ["done"]


def test_several_ports_or_none_are_told(
    tmp_path: Path, no_esptool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(no_esptool, "never run", 0)
    project(tmp_path)
    monkeypatch.setattr(flashing, "serial_ports", lambda: ("/dev/ttyUSB0", "/dev/ttyUSB1"))
    with pytest.raises(UsageError, match="several serial ports") as caught:
        flash(tmp_path)
    assert "/dev/ttyUSB0, /dev/ttyUSB1" in str(caught.value)
    monkeypatch.setattr(flashing, "serial_ports", lambda: ())
    with pytest.raises(UsageError, match="No board is connected"):
        flash(tmp_path)


def test_the_ports_are_those_on_usb(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [("/dev/ttyUSB1", 0x10C4), ("/dev/ttyS0", None), ("/dev/ttyACM0", 0x303A)]
    listing = SimpleNamespace(
        comports=lambda: [SimpleNamespace(device=name, vid=vid) for name, vid in known]
    )
    monkeypatch.setattr(flashing.importlib, "import_module", lambda _: listing)
    assert flashing.serial_ports() == ("/dev/ttyACM0", "/dev/ttyUSB1")


def test_without_pyserial_the_ports_are_those_in_dev(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(flashing.importlib, "import_module", missing)
    monkeypatch.setattr(
        Path, "glob", lambda _, pattern: [Path("/dev/ttyUSB0")] if pattern == "ttyUSB*" else []
    )
    assert flashing.serial_ports() == ("/dev/ttyUSB0",)


def test_without_esptool_it_is_said_how_to_get_it(tmp_path: Path, no_esptool: Path) -> None:
    with pytest.raises(UsageError, match="esptool is missing") as caught:
        flash(project(tmp_path), "socket://127.0.0.1:1")
    assert "pip install 'eyetune[flash]'" in str(caught.value)


@pytest.mark.parametrize(
    ("says", "error", "words"),
    [
        ("could not open port: [Errno 13] Permission denied", UsageError, "dialout"),
        ("Error: No such command 'write-flash'", BoardError, "version 5"),
        (
            "esptool.py: error: argument operation: invalid choice: 'write-flash'",
            BoardError,
            "version 5",
        ),
        (
            "A fatal error occurred: Failed to connect to ESP32: No serial data received.",
            BoardError,
            "BOOT",
        ),
        (
            "Something that nobody has seen before",
            BoardError,
            "Something that nobody has seen before",
        ),
    ],
)
def test_what_esptool_says_is_explained(
    tmp_path: Path, no_esptool: Path, says: str, error: type[Exception], words: str
) -> None:
    pretend(no_esptool, says)
    with pytest.raises(error) as caught:
        flash(project(tmp_path), "socket://127.0.0.1:1", on_line=unheard)
    assert words in str(caught.value)


def test_a_project_that_is_not_built_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not built") as caught:
        flash(tmp_path)
    assert "Name the ESP-IDF project" in str(caught.value)
    (tmp_path / "CMakeLists.txt").touch()
    with pytest.raises(UsageError, match="not built") as caught:
        flash(tmp_path)
    assert "idf.py build" in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"flash_files": {}},
        {"flash_files": {"0x1000": "missing.bin"}},
        {"flash_files": {"0x1000": "../secret.bin"}},
        {"flash_files": {"0x1000": "/etc/hostname"}},
        {"flash_files": {"0x1000": "link.bin"}},
        {"flash_files": {"0x1000": "empty.bin"}},
        {"flash_files": {"0x1000": "a\0b"}},
        {"flash_files": {"0x1000": "."}},
        {"flash_files": {"--erase-all": "eyetune_camera.bin"}},
        {"flash_files": {"-0x1000": "eyetune_camera.bin"}},
        {"flash_files": {"0xfffffffff": "eyetune_camera.bin"}},
        {"flash_settings": {"flash_mode": "--erase-all", "flash_size": "4MB", "flash_freq": "80m"}},
        {"flash_settings": {"flash_mode": "dio", "flash_size": "4 MB", "flash_freq": "80m"}},
        {"extra_esptool_args": {"chip": "esp32 --no-stub"}},
        {"extra_esptool_args": {}},
    ],
)
def test_a_build_that_asks_for_something_else_is_refused(
    tmp_path: Path, no_esptool: Path, changes: dict[str, Any]
) -> None:
    pretend(no_esptool, "never run", 0)
    folder = project(tmp_path, **changes)
    (tmp_path / "secret.bin").write_bytes(b"secret")
    (folder / "build" / "empty.bin").touch()
    (folder / "build" / "link.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(UsageError, match="build"):
        flash(folder, "socket://127.0.0.1:1")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b"null", b'{"a": ' * 10_000, b" " * 1_000_001]
)
def test_a_damaged_build_is_refused(tmp_path: Path, no_esptool: Path, content: bytes) -> None:
    pretend(no_esptool, "never run", 0)
    (project(tmp_path) / "build" / "flasher_args.json").write_bytes(content)
    with pytest.raises(UsageError, match="build cannot be used"):
        flash(tmp_path, "socket://127.0.0.1:1")


def test_a_speed_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="speed"):
        flash(project(tmp_path), "socket://127.0.0.1:1", baud=0)


def test_what_goes_wrong_while_lines_are_shown_ends_esptool(
    tmp_path: Path, no_esptool: Path
) -> None:
    program = no_esptool / "esptool"
    program.write_text(
        f"#!{sys.executable}\nimport os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)\n"
    )
    program.chmod(0o755)
    processes: list[int] = []

    def interrupted(line: str) -> None:
        processes.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flash(project(tmp_path), "socket://127.0.0.1:1", on_line=interrupted)
    with pytest.raises(ProcessLookupError):
        os.kill(processes[0], 0)
