"""What workers print: shown up to a limit for each job, the rest in a log file of limited size."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from eyetune.tuning.executors import worker_output
from eyetune.tuning.executors.worker_output import LOG_BYTES, SHOWN_BYTES, WorkerOutput

LINE = b"0123456789" * 100 + b"\n"
NOTE_BYTES = 500  # more than the note about the limit


def test_short_output_is_shown(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    output = WorkerOutput()
    output.log_path = tmp_path / "log"
    os.write(output.writer, b"a warning\n")
    output.close()
    assert capfd.readouterr().err == "a warning\n"
    assert not output.log_path.exists()


def test_long_output_is_cut_and_logged(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    output = WorkerOutput()
    output.log_path = tmp_path / "log"
    for _ in range(100):
        os.write(output.writer, LINE)
    output.close()
    shown = capfd.readouterr().err
    assert SHOWN_BYTES < len(shown) < SHOWN_BYTES + NOTE_BYTES
    assert str(output.log_path) in shown
    assert output.log_path.stat().st_size == 100 * len(LINE) - SHOWN_BYTES


def test_each_job_shows_output(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    output = WorkerOutput()
    output.log_path = log_path = tmp_path / "log"
    for _ in range(100):
        os.write(output.writer, LINE)
    while not log_path.exists() or log_path.stat().st_size < 100 * len(LINE) - SHOWN_BYTES:
        time.sleep(0.01)
    output.allow_more()
    os.write(output.writer, b"of the next job\n")
    output.close()
    assert capfd.readouterr().err.endswith("of the next job\n")


def test_log_of_output_is_limited(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LOG_BYTES <= 10_000_000
    monkeypatch.setattr(worker_output, "LOG_BYTES", 70_000)
    output = WorkerOutput()
    output.log_path = tmp_path / "log"
    for _ in range(400):
        os.write(output.writer, LINE)
    os.write(output.writer, b"the end")
    output.close()
    assert sorted(path.name for path in tmp_path.glob("log*")) == ["log", "log.1"]
    assert all(path.stat().st_size <= 70_000 for path in tmp_path.glob("log*"))
    assert (tmp_path / "log").read_bytes().endswith(b"the end")
    assert len(capfd.readouterr().err) < SHOWN_BYTES + NOTE_BYTES


def test_output_without_a_log_is_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    output = WorkerOutput()
    for _ in range(100):
        os.write(output.writer, LINE)
    output.close()
    assert len(capfd.readouterr().err) < SHOWN_BYTES + NOTE_BYTES
