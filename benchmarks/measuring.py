"""Measure the duration, the peak memory and the output of a command."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from eyetune.data.cache import directory, measured_directory

SAMPLING_INTERVAL_SECONDS = 1.0

# Seconds since the start of the process and best accuracy so far, each time it becomes better.
Improvements = list[tuple[float, float]]


@dataclass(frozen=True)
class Measurement:
    """The cost and the output of a command.

    Attributes:
        seconds: Wall time.
        peak_megabytes: Highest proportional set size of the process and its descendants, sampled
            every second.
        output: Standard output.
    """

    seconds: float
    peak_megabytes: float
    output: str


def note_improvement(improvements: Improvements, accuracy: float) -> None:
    """Add an accuracy and the current time to the improvements of this process, if it is one."""
    if accuracy > max((best for _, best in improvements), default=0.0):
        seconds = time.time() - psutil.Process().create_time()
        improvements.append((seconds, accuracy))


def run_measured(command: Sequence[str]) -> Measurement:
    """Run a command, which must succeed, and measure it. Standard error is passed through.

    The command finds the decoded images of earlier commands, but not the precisions that these
    measured for their networks.
    """
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", "EYETUNE_CACHE": str(_unmeasured_cache())}
    return _run(command, {**os.environ, **environment})


def _unmeasured_cache() -> Path:
    """Return a cache folder for benchmarks, without the precisions that were measured."""
    cache = directory().parent / "benchmarks"
    shutil.rmtree(cache / measured_directory().name, ignore_errors=True)
    return cache


def _run(command: Sequence[str], environment: dict[str, str]) -> Measurement:
    started_at = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        peak = [0.0]
        sampling = threading.Thread(target=_sample_memory, args=(process, peak))
        sampling.start()
        output, _ = process.communicate()
        assert process.returncode == 0, command
    seconds = time.perf_counter() - started_at
    sampling.join()
    return Measurement(seconds, peak[0], output)


def _sample_memory(process: subprocess.Popen[str], peak: list[float]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], process_tree_megabytes(process.pid))
        time.sleep(SAMPLING_INTERVAL_SECONDS)


def process_tree_megabytes(pid: int) -> float:
    """Return the proportional set size of a process and its descendants (Linux only)."""
    megabytes = 0.0
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
        kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        megabytes += kilobytes / 1024
        children: list[str] = []
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += (task / "children").read_text(encoding="utf-8").split()
    except (OSError, StopIteration):  # the process has ended
        return megabytes
    return megabytes + sum(process_tree_megabytes(int(child)) for child in children)
