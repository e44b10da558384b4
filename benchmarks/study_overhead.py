"""What the process that coordinates a study costs by itself: 10,000 trials of a job that does
nothing.

    python benchmarks/study_overhead.py

No network is built or trained: a simulated executor returns made-up epochs at once, and all else is
as ever: the sampler suggests, the schedule grants, trials, runs, epochs and predictions are
recorded in a workspace on disk. Prints milliseconds a trial (wall time, disk included, and
processor time) and the resident memory of the process after every tenth of the trials.
"""

from __future__ import annotations

import argparse
import tempfile
import time

import psutil

from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import Budget, Objective, SchedulerSettings, StudySettings, TrialRecord
from eyetune.report.progress.study_progress import StudyDisplay
from eyetune.space.space import Choice, Range, Space
from eyetune.testing.datasets import tiny_dataset
from eyetune.testing.simulated_executor import SimulatedExecutor
from eyetune.tuning.search import search

SPACE = Space.make(
    [
        Range(name="optimizer.learning_rate", low=1e-5, high=1e-1, sampling="log", whole=False),
        Range(name="model.blocks.0.filters", low=4, high=256, whole=True),
        Range(name="model.dropout", low=0.0, high=0.5, whole=False),
        Choice(name="fit.batch_size", values=(16, 32, 64, 128), ordered=True),
    ]
)


class Ticker(StudyDisplay):
    """The usual display, which also looks at the clock and at the memory now and then."""

    def __init__(self, *words: object, every: int, **more: object) -> None:
        super().__init__(*words, **more)  # type: ignore[arg-type]
        self.every, self.ended = every, 0
        self.started_at, self.worked = time.perf_counter(), time.process_time()
        self.process = psutil.Process()

    def on_trial(self, trial: TrialRecord) -> None:
        super().on_trial(trial)
        if trial.is_open:
            return
        self.ended += 1
        if self.ended % self.every == 0:
            now, worked = time.perf_counter(), time.process_time()
            wall, work = (
                1000 * spent / self.every for spent in (now - self.started_at, worked - self.worked)
            )
            memory = self.process.memory_info().rss / 1e6
            print(
                f"| {self.ended:,} | {wall:.1f} ms | {work:.1f} ms | {memory:,.0f} MB |", flush=True
            )
            self.started_at, self.worked = now, worked


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--sampler", default="random")
    parser.add_argument("--schedule", default="full")
    parser.add_argument("--max-epochs", type=int, default=1)
    arguments = parser.parse_args()
    settings = StudySettings(
        recipe=Recipe().with_(fit__epochs=arguments.max_epochs),
        space=SPACE,
        objectives=(Objective(name="val_accuracy", direction="max"),),
        sampler=arguments.sampler,
        schedule=SchedulerSettings(
            name=arguments.schedule, max_epochs=arguments.max_epochs, iterations=None
        ),
        budget=Budget(trials=arguments.trials),
    )
    print(
        "| trials | wall time of each | processor time of each | resident memory |\n|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder, SimulatedExecutor(2) as executor:
        workspace = Workspace(folder)
        record = workspace.studies.create("overhead", settings)
        display = Ticker(record, every=max(1, arguments.trials // 10), enabled=False)
        started_at = time.perf_counter()
        with workspace.studies.claim(record.id), display:
            search(record, workspace, executor, display, tiny_dataset())
        seconds = time.perf_counter() - started_at
    print(f"\n{1000 * seconds / arguments.trials:.1f} ms a trial, all in all")


if __name__ == "__main__":
    main()
