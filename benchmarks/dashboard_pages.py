"""How soon `eyetune serve` answers, and how long each page waits for it with 2,000 runs.

    python benchmarks/dashboard_pages.py

Makes a workspace with 2,000 runs: 1,000 of a user, and a study of 1,000 trials; and a lab. Then it
starts the dashboard several times, and asks for each page. A page must not wait for more than
200 ms, and the first one must be there 3 seconds after the command. Nothing else should run.
"""

from __future__ import annotations

import argparse
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

from eyetune.records import Workspace
from eyetune.testing.labs import fabricated_lab
from eyetune.testing.workspaces import fabricated_workspace
from recorded import commit, machine, markdown_table

NUM_RUNS, EPOCHS, TRIALS = 2_000, 20, 1_000
STARTS, VISITS = 5, 20
PAGES = {
    "runs": "/",
    "a run": "/runs/latest",
    "studies": "/studies",
    "a study of 1,000 trials": "/studies/study-0",
    "labs": "/labs",
    "a lab": "/labs/lab-1",
    "workbench": "/workbench",
    "data": "/data",
    "try it": "/try",
    "runs as JSON": "/api/runs",
    "trials as JSON": "/api/studies/study-0/trials",
}


def started(workspace: Path, log: Path) -> tuple[subprocess.Popen[bytes], str, float]:
    """Start the dashboard; return its process, its address, and the seconds to its first answer."""
    command = [sys.executable, "-m", "eyetune", "serve", "--port", "0", "--no-browser"]
    start = time.perf_counter()
    with log.open("wb") as stream:
        process = subprocess.Popen([*command, "--workspace", str(workspace)], stderr=stream)
    while not (found := re.findall(r"(http://\S+)/", log.read_text())):
        if process.poll() is not None:
            sys.exit(log.read_text())
        time.sleep(0.01)
    httpx.get(found[0], timeout=60).raise_for_status()
    return process, found[0], time.perf_counter() - start


def milliseconds(home: str, path: str) -> list[float]:
    """Return how long each of several requests for a page takes, in milliseconds."""
    times = []
    with httpx.Client(base_url=home, timeout=60) as client:
        for _ in range(VISITS):
            start = time.perf_counter()
            client.get(path).raise_for_status()
            times.append(1000 * (time.perf_counter() - start))
    return times


def add_predictions(workspace: Workspace) -> None:
    """Record what the latest run predicts for 10,000 validation images: its page then has more."""
    run = workspace.runs.find("latest")
    generator = np.random.default_rng(0)
    num_classes = len(run.data.class_names)
    labels = generator.integers(0, num_classes, 10_000)
    probabilities = generator.dirichlet(np.ones(num_classes), 10_000).astype(np.float32)
    workspace.predictions.save(run.id, "validation", probabilities, labels)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = fabricated_workspace(
            Path(folder) / "workspace", num_runs=NUM_RUNS, epochs_per_run=EPOCHS, trials=[TRIALS]
        )
        workspace.labs.save(fabricated_lab(8))
        add_predictions(workspace)
        starts, rows = [], []
        for number in range(STARTS):
            process, home, seconds = started(workspace.folder, Path(folder) / "log")
            starts.append(seconds)
            if number == STARTS - 1:
                for name, path in PAGES.items():
                    times = milliseconds(home, path)
                    cells = (times[0], statistics.median(times), max(times))
                    rows.append([name, *(f"{value:.0f} ms" for value in cells)])
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)
    print(markdown_table(["page", "first", "median", f"longest of {VISITS}"], rows))
    first, *others = starts
    print(f"\nThe first answer: {statistics.median(others):.2f} s after the command (median of")
    print(f"{len(others)} starts; the first start, which reads files from disk: {first:.2f} s).")
    about = machine()
    print(f"{about['cpu']}, {about['cores']} cores, commit {commit()}")


if __name__ == "__main__":
    main()
