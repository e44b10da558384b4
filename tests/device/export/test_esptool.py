"""esptool as a program: its failures explained, and its process ended."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path

import pytest

from eyetune.device.export import esptool
from eyetune.device.export.esptool import FlashImage, explain_failure, find_esptool, write_flash
from eyetune.errors import BoardError, UsageError

IMAGE = FlashImage("esp32", "dio", "4MB", "80m", ((0x1000, Path("a.bin")), (0x8000, Path("b.bin"))))


def ignore(line: str) -> None:
    pass


def test_esptool_has_the_command_line_that_is_used(capfd: pytest.CaptureFixture[str]) -> None:
    """esptool 5.6.0; see `esptool`."""
    pytest.importorskip("esptool", reason="esptool is an optional dependency")
    assert metadata.version("esptool") == "5.6.0"
    lines: list[str] = []
    with pytest.raises(UsageError):  # since the port does not exist
        write_flash(
            find_esptool(), IMAGE, "/dev/does-not-exist", baud=115_200, on_line=lines.append
        )
    assert lines


def test_find_esptool_prefers_the_package_then_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(esptool, "find_spec", lambda _: object())
    assert find_esptool() == [sys.executable, "-P", "-m", "esptool"]
    monkeypatch.setattr(esptool, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError) as caught:
        find_esptool()
    assert "eyetune[flash]" in (caught.value.fix or "")
    program = tmp_path / "esptool"
    program.touch(mode=0o755)
    assert find_esptool() == [str(program)]


def test_write_flash_passes_files_in_order() -> None:
    program = [sys.executable, "-c", "import sys; print(sys.argv[1:])"]
    lines: list[str] = []
    write_flash(program, IMAGE, "PORT", baud=115_200, on_line=lines.append)
    expected = ["--chip=esp32", "--port=PORT", "--baud=115200", "write-flash"]
    expected += ["--flash-mode=dio", "--flash-freq=80m", "--flash-size=4MB"]
    expected += ["0x1000", "a.bin", "0x8000", "b.bin"]
    assert lines == [str(expected)]


@pytest.mark.parametrize(
    ("text", "error", "fix"),
    [
        ("could not open port: [Errno 13] Permission denied", UsageError, "dialout"),
        ("Could not exclusively lock port", UsageError, "serial monitor"),
        ("[Errno 2] could not open port: No such file or directory", UsageError, "--port"),
        ("Error: No such command 'write-flash'", BoardError, "version 5"),
        ("esptool.py: error: invalid choice: 'write-flash'", BoardError, "version 5"),
        ("Failed to connect to ESP32: No serial data received.", BoardError, "BOOT"),
        ("This chip is ESP32, not ESP32-S3. Wrong chip argument?", BoardError, "eyetune export"),
        ("image will not fit in 4MB", BoardError, "eyetune export"),
        ("Something else", BoardError, "reset"),
    ],
)
def test_explain_failure_says_what_to_do(text: str, error: type[Exception], fix: str) -> None:
    failure = explain_failure(["Connecting....", f"A fatal error occurred: {text}"])
    assert type(failure) is error
    assert failure.received == text
    assert fix in (failure.fix or "")


def test_write_flash_ends_esptool_when_it_is_interrupted() -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    processes: list[int] = []

    def interrupt(line: str) -> None:
        processes.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_flash([sys.executable, "-c", code], IMAGE, "PORT", baud=1, on_line=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(processes[0], 0)
