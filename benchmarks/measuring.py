"""What the benchmarks of whole processes share: seconds, peak memory and output of a command."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLED_EVERY_SECONDS = 1.0


@dataclass(frozen=True)
class Measured:
    """What a command took and printed.

    Attributes:
        seconds: From its start to its end.
        peak_megabytes: The largest proportional set size of it and all processes below it, sampled
            every second.
        output: What it printed on standard output.
    """

    seconds: float
    peak_megabytes: float
    output: str


def measured(words: Sequence[str]) -> Measured:
    """Run a command to its end, its standard error as it is; it must succeed."""
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    started = time.perf_counter()
    with subprocess.Popen(words, env=quiet, stdout=subprocess.PIPE, text=True) as process:
        peak = [0.0]
        sampler = threading.Thread(target=_sample, args=(process, peak))
        sampler.start()
        output, _ = process.communicate()
        assert process.returncode == 0, words
    seconds = time.perf_counter() - started
    sampler.join()
    return Measured(seconds, peak[0], output)


def _sample(process: subprocess.Popen[str], peak: list[float]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], megabytes(process.pid))
        time.sleep(SAMPLED_EVERY_SECONDS)


def megabytes(pid: int) -> float:
    """Return the proportional set size of a process and all below it (Linux)."""
    total = 0.0
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
        children: list[str] = []
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += (task / "children").read_text(encoding="utf-8").split()
    except (OSError, StopIteration):
        return total
    return total + sum(megabytes(int(child)) for child in children)
