"""Resident memory of a study of 100 trials: of the process that coordinates, and of all its
processes together.

    EYETUNE_DATA=FOLDER python benchmarks/study_memory.py

Runs `eyetune tune` on a space of small networks, an epoch each on a subset of CIFAR-10, with two
workers, and looks whenever ten more trials are done. Prints a table, and by how much the memory
grows with each trial: a line fitted to all looks but the last, when the workers have ended and the
coordinator draws. What all processes take together is their proportional set size, in which what
they share counts once; it rises and falls with what each of them does at that moment and when a
worker is replaced.
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
SECONDS_BETWEEN_LOOKS = 0.5


@dataclass(frozen=True)
class Look:
    """What was seen at one moment, in megabytes.

    Attributes:
        trials: Done by then.
        seconds: Since the start.
        coordinator: Resident memory of the process that coordinates.
        together: Proportional set size of all processes.
    """

    trials: int
    seconds: float
    coordinator: float
    together: float


def main() -> None:
    """Run the study, look at it, and print what was seen."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--subset", type=int, default=500, help="images to train and validate on")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--every", type=int, default=10, help="trials between two rows")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        looks = watched(Path(folder), chosen.trials, chosen.subset, chosen.workers, chosen.every)
    print(f"{'trials':>6} {'seconds':>8} {'coordinator':>12} {'all processes':>14}")
    for look in looks:
        print(
            f"{look.trials:6} {look.seconds:8.0f} {look.coordinator:9.1f} MB {look.together:11.0f} MB"
        )
    at_work = [look for look in looks if look.trials < chosen.trials]
    trials = [look.trials for look in at_work]
    for words, values in (
        ("the coordinator", [look.coordinator for look in at_work]),
        ("all processes", [look.together for look in at_work]),
    ):
        print(f"{words}: {np.polyfit(trials, values, 1)[0]:+.3f} MB a trial")


def watched(folder: Path, trials: int, subset: int, workers: int, every: int) -> list[Look]:
    """Run a study and look at its processes whenever so many more trials are done."""
    space = folder / "space.toml"
    space.write_text(SPACE, encoding="utf-8")
    words = [
        "tune",
        "--space",
        space,
        "--data",
        "cifar10",
        "--subset",
        subset,
        "--epochs",
        1,
        "--trials",
        trials,
    ]
    words += [
        "--workers",
        workers,
        "--sampler",
        "tpe",
        "--name",
        NAME,
        "--workspace",
        folder / "workspace",
    ]
    command = [sys.executable, "-m", "eyetune", *map(str, words)]
    looks: list[Look] = []
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            done = num_done(folder / "workspace")
            if done >= len(looks) * every + every:
                looks.append(Look(done, time.monotonic() - started, *memory(process.pid)))
            time.sleep(SECONDS_BETWEEN_LOOKS)
    if process.returncode != 0:
        sys.exit(f"the study ended with status {process.returncode}")
    return looks


def num_done(folder: Path) -> int:
    """Return how many trials are over."""
    studies = Workspace(folder).studies
    return sum(not trial.is_open for record in studies.all() for trial in studies.trials(record.id))


def memory(pid: int) -> tuple[float, float]:
    """Return the resident memory of a process, and the proportional set size of it and its
    children, in megabytes.
    """
    coordinator = psutil.Process(pid)
    together = 0
    for one in (coordinator, *coordinator.children(recursive=True)):
        try:
            together += one.memory_full_info().pss
        except psutil.Error:  # it has ended
            continue
    return coordinator.memory_info().rss / 1e6, together / 1e6


if __name__ == "__main__":
    main()
