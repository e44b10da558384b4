"""Memory of a study of 100 trials: of the coordinating process and of all its processes.

    EYETUNE_DATA=FOLDER python benchmarks/study_memory.py

Runs `eyetune tune` on a space of small networks, for one epoch each on a subset of CIFAR-10, with
two workers, and samples the memory after every ten trials. Prints a table and the growth per trial:
the slope of a line through all samples but the last, at which the workers have ended and the
coordinating process draws plots. The memory of all processes is their proportional set size, which
counts shared memory once. It varies with the current work, and when a worker is replaced.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from eyetune.records import Workspace

SPACE = """
["model.blocks.0.filters"]
low = 4
high = 16
step = 4
["model.blocks.1.filters"]
low = 4
high = 16
step = 4
["model.dense.0.units"]
values = [8, 16, 32]
["optimizer.learning_rate"]
low = 1e-4
high = 1e-2
sampling = "log"
"""
NAME = "memory"
POLLING_INTERVAL_SECONDS = 0.5


@dataclass(frozen=True)
class Sample:
    """The memory at one moment.

    Attributes:
        num_trials: Number of finished trials.
        seconds: Time since the start.
        coordinator_megabytes: Resident memory of the coordinating process.
        total_megabytes: Proportional set size of all processes.
    """

    num_trials: int
    seconds: float
    coordinator_megabytes: float
    total_megabytes: float


def main() -> None:
    """Run the study, and print the samples and the growth per trial."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument(
        "--subset", type=int, default=500, help="images for training and validation"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--every", type=int, default=10, help="trials between two samples")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        samples = run_study(Path(folder), arguments)
    print(f"{'trials':>6} {'seconds':>8} {'coordinator':>12} {'all processes':>14}")
    for sample in samples:
        row = f"{sample.num_trials:6} {sample.seconds:8.0f} {sample.coordinator_megabytes:9.1f} MB"
        print(f"{row} {sample.total_megabytes:11.0f} MB")
    fitted = [sample for sample in samples if sample.num_trials < arguments.trials]
    trials = [sample.num_trials for sample in fitted]
    series = {
        "coordinating process": [sample.coordinator_megabytes for sample in fitted],
        "all processes": [sample.total_megabytes for sample in fitted],
    }
    for name, megabytes in series.items():
        print(f"{name}: {np.polyfit(trials, megabytes, 1)[0]:+.3f} MB per trial")


def run_study(folder: Path, arguments: argparse.Namespace) -> list[Sample]:
    """Run a study and return a sample of its memory after every `arguments.every` trials."""
    space = folder / "space.toml"
    space.write_text(SPACE, encoding="utf-8")
    options = {
        "--space": space,
        "--data": "cifar10",
        "--subset": arguments.subset,
        "--epochs": 1,
        "--trials": arguments.trials,
        "--workers": arguments.workers,
        "--sampler": "tpe",
        "--name": NAME,
        "--workspace": folder / "workspace",
    }
    command = [sys.executable, "-m", "eyetune", "tune"]
    for option, value in options.items():
        command += [option, str(value)]
    samples: list[Sample] = []
    started_at = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            num_trials = num_finished_trials(folder / "workspace")
            if num_trials >= (len(samples) + 1) * arguments.every:
                seconds = time.monotonic() - started_at
                samples.append(Sample(num_trials, seconds, *memory_megabytes(process.pid)))
            time.sleep(POLLING_INTERVAL_SECONDS)
    if process.returncode != 0:
        sys.exit(f"The study ended with status {process.returncode}.")
    return samples


def num_finished_trials(folder: Path) -> int:
    """Return the number of finished trials."""
    studies = Workspace(folder).studies
    return sum(not trial.is_open for record in studies.all() for trial in studies.trials(record.id))


def memory_megabytes(pid: int) -> tuple[float, float]:
    """Return the resident memory of a process, and the proportional set size of its whole tree."""
    coordinator = psutil.Process(pid)
    total_bytes = 0
    for process in (coordinator, *coordinator.children(recursive=True)):
        try:
            total_bytes += process.memory_full_info().pss
        except psutil.Error:  # the process has ended
            continue
    return coordinator.memory_info().rss / 1e6, total_bytes / 1e6


if __name__ == "__main__":
    main()
