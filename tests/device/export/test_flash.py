"""Flashing: real esptool onto a mock bootloader, and builds that are refused."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyetune.device.export.flash import flash
from eyetune.device.export.idf_build import read_build
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


def ignore(line: str) -> None:
    pass


def content_of(offset: str) -> bytes:
    """Return bytes that do not begin like a program, so that esptool leaves them as they are."""
    size = {"0x1000": 5000, "0x8000": 3072, "0x10000": 50_000}[offset]
    return b"\x00" + np.random.default_rng(int(offset, 16)).bytes(size - 1)


def project(folder: Path, **changes: Any) -> Path:
    """Create a project as after idf.py build."""
    (folder / "CMakeLists.txt").write_text("project(eyetune_camera)\n")
    for offset, name in BUILT["flash_files"].items():
        path = folder / "build" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content_of(offset))
    (folder / "build" / "flasher_args.json").write_text(json.dumps(BUILT | changes))
    return folder


@pytest.fixture
def bootloader() -> Iterator[Any]:
    mock = pytest.importorskip(
        "esp32_mock_bootloader", reason="esp32-mock-bootloader stands in for a board"
    )
    pytest.importorskip("esptool", reason="esptool is an optional dependency")
    with mock.mock_bootloader(chip="esp32") as running:
        yield running


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """Yield a pseudo-terminal: its file descriptor and its name."""
    board_end, our_end = os.openpty()
    yield our_end, os.ttyname(our_end)
    os.close(board_end)
    os.close(our_end)


def test_flash_writes_every_file_at_its_offset(tmp_path: Path, bootloader: Any) -> None:
    from esp32_mock_bootloader.advanced import protocol

    flash(project(tmp_path), bootloader.url(), on_line=ignore)
    client = protocol.connect(bootloader)
    client.activate_stub()
    for offset in BUILT["flash_files"]:
        content = content_of(offset)
        written, _ = client.stub_read_flash(int(offset, 16), len(content))
        assert written == content


def test_flash_refuses_another_chip(tmp_path: Path, bootloader: Any) -> None:
    folder = project(tmp_path, extra_esptool_args={"chip": "esp32s3"})
    with pytest.raises(BoardError) as caught:
        flash(folder, bootloader.url(), on_line=ignore)
    assert "eyetune export" in (caught.value.fix or "")


def test_flash_reports_a_port_without_a_listener(tmp_path: Path) -> None:
    pytest.importorskip("esptool", reason="esptool is an optional dependency")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UsageError):
        flash(project(tmp_path), f"socket://127.0.0.1:{port}", on_line=ignore)


def test_flash_reports_a_port_in_use(tmp_path: Path, terminal: tuple[int, str]) -> None:
    pytest.importorskip("esptool", reason="esptool is an optional dependency")
    descriptor, name = terminal
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(UsageError) as caught:
        flash(project(tmp_path), name, on_line=ignore)
    assert "serial monitor" in (caught.value.fix or "")


def test_flash_reports_a_silent_board(tmp_path: Path, terminal: tuple[int, str]) -> None:
    pytest.importorskip("esptool", reason="esptool is an optional dependency")
    with pytest.raises(BoardError) as caught:
        flash(project(tmp_path), terminal[1], on_line=ignore)
    assert "BOOT" in (caught.value.fix or "")


def test_flash_refuses_a_speed_of_zero(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        flash(project(tmp_path), "socket://127.0.0.1:1", baud=0)
    assert caught.value.received == "0"


def test_read_build_returns_files_in_order(tmp_path: Path) -> None:
    image = read_build(project(tmp_path))
    assert (image.chip, image.flash_mode, image.flash_size) == ("esp32", "dio", "4MB")
    assert [offset for offset, _ in image.files] == [0x1000, 0x8000, 0x10000]
    assert image.files[0][1].name == "bootloader.bin"


def test_read_build_needs_a_build(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_build(tmp_path)
    assert "eyetune export" in (caught.value.fix or "")
    (tmp_path / "CMakeLists.txt").touch()
    with pytest.raises(UsageError) as caught:
        read_build(tmp_path)
    assert "idf.py build" in (caught.value.fix or "")


@pytest.mark.parametrize(
    "changes",
    [
        {"flash_files": {}},
        {"flash_files": {"0x1000": "missing.bin"}},
        {"flash_files": {"0x1000": "x" * 5_000}},
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
def test_read_build_refuses_other_arguments(tmp_path: Path, changes: dict[str, Any]) -> None:
    folder = project(tmp_path, **changes)
    (tmp_path / "secret.bin").write_bytes(b"secret")
    (folder / "build" / "empty.bin").touch()
    (folder / "build" / "link.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(UsageError):
        read_build(folder)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b"null", b'{"a": ' * 10_000, b" " * 1_000_001]
)
def test_read_build_refuses_damaged_arguments(tmp_path: Path, content: bytes) -> None:
    (project(tmp_path) / "build" / "flasher_args.json").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_build(tmp_path)
    assert "flasher_args.json" in (caught.value.received or "")
