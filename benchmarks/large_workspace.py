"""How long commands take in a large workspace, and how much memory.

    python benchmarks/large_workspace.py
    python benchmarks/large_workspace.py --folder large    # kept, and used again

The workspace has 20,000 runs with 2,000,000 epochs: a study of 10,000 trials, nine of 1,000, and
1,000 runs of a user. It is fabricated by the stores of eyetune, which takes some minutes. Prints
the median wall time of three calls of each command, the start of Python included, and its peak
resident memory; then the same for a study of 10,000 trials that is resumed for another one, whose
training is simulated.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from eyetune.records import Workspace
from eyetune.records.study import Budget
from eyetune.report.progress.study_progress import StudyDisplay
from eyetune.testing.datasets import tiny_dataset
from eyetune.testing.simulated_executor import SimulatedExecutor
from eyetune.testing.workspaces import fabricated_workspace
from eyetune.tuning.search import search

NUM_RUNS, EPOCHS_PER_RUN = 20_000, 100
TRIALS = (10_000, *[1_000] * 9)
LARGE, SMALLER = "study-0", "study-9"
LIMITS_SECONDS = {
    "runs": 1.0,
    "runs --limit 200": 1.0,
    "show": 1.0,
    "studies": 1.0,
    f"study {SMALLER}": 3.0,
    f"study {LARGE}": 3.0,
}
RESUME_LIMIT_SECONDS = 10.0
LIMIT_MEGABYTES = 500.0
NUM_CALLS = 3


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="the workspace; it is made if it is missing")
    parser.add_argument("--runs", type=int, default=NUM_RUNS, help="fewer, to try it out")
    parser.add_argument("--resume", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.resume:
        resume(options.folder)
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "workspace"
        if not folder.exists():
            started_at = time.perf_counter()
            fill(folder, options.runs)
            print(f"made in {time.perf_counter() - started_at:.0f} s", flush=True)
        return measure(folder)


def fill(folder: Path, num_runs: int) -> None:
    """Fabricate the workspace."""
    trials = [max(1, count * num_runs // NUM_RUNS) for count in TRIALS]
    fabricated_workspace(folder, num_runs=num_runs, epochs_per_run=EPOCHS_PER_RUN, trials=trials)


def measure(folder: Path) -> int:
    """Print the table; return 1 if a command takes longer or more memory than it may."""
    print("| command | seconds | limit | peak memory |\n|---|---|---|---|")
    num_failed = 0
    for command, limit_seconds in LIMITS_SECONDS.items():
        call = [sys.executable, "-m", "eyetune", *command.split(), "--workspace", str(folder)]
        num_failed += report(f"eyetune {command}", call, limit_seconds)
    call = [sys.executable, __file__, "--resume", "--folder", str(folder)]
    num_failed += report(f"resume {LARGE} for a trial", call, RESUME_LIMIT_SECONDS, num_calls=1)
    return int(num_failed > 0)


def report(name: str, call: list[str], limit_seconds: float, num_calls: int = NUM_CALLS) -> bool:
    """Print the row of a command; return whether it takes more than it may."""
    costs = [cost(call) for _ in range(num_calls)]
    seconds = statistics.median(one for one, _ in costs)
    megabytes = max(one for _, one in costs)
    print(f"| `{name}` | {seconds:.2f} | {limit_seconds:g} | {megabytes:,.0f} MB |", flush=True)
    return seconds > limit_seconds or megabytes > LIMIT_MEGABYTES


def cost(call: list[str]) -> tuple[float, float]:
    """Run a command; return its wall time in seconds and its peak resident memory in megabytes."""
    started_at = time.perf_counter()
    process = subprocess.Popen(call, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started_at
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(call)} failed")
    return seconds, usage.ru_maxrss * 1024 / 1e6


def resume(folder: Path) -> None:
    """Resume the large study for one more trial."""
    workspace = Workspace(folder)
    record = workspace.studies.find(LARGE)
    num_trials = workspace.studies.count_trials()[record.id] + 1
    settings = record.settings.model_copy(update={"budget": Budget(trials=num_trials)})
    record = record.model_copy(update={"settings": settings})
    with (
        workspace.studies.claim(record.id),
        SimulatedExecutor(1) as executor,
        StudyDisplay(record, workspace.studies.trials(record.id), enabled=False) as display,
    ):
        search(record, workspace, executor, display, tiny_dataset())


if __name__ == "__main__":
    sys.exit(main())
