"""Overhead of the process that coordinates a study: 10,000 trials without any training.

    python benchmarks/study_overhead.py

No network is built or trained: a simulated executor returns epochs at once. Everything else is
real: the sampler suggests values, the scheduler promotes trials, and trials, runs, epochs and
predictions are recorded in a workspace on disk. Prints milliseconds per trial (wall time, disk
included, and processor time) and the resident memory of the process after each tenth of the trials.
"""

from __future__ import annotations

import argparse
import tempfile
import time

import psutil

from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import Budget, Objective, SchedulerSettings, StudyRecord, StudySettings
from eyetune.records.trial import TrialRecord
from eyetune.report.progress.study_progress import StudyDisplay
from eyetune.space.hyperparameters import Choice, Range
from eyetune.space.space import Space
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


class MeasuringDisplay(StudyDisplay):
    """A study display that prints time and memory after every `every` trials."""

    def __init__(self, record: StudyRecord, *, every: int) -> None:
        super().__init__(record, enabled=False)
        self.every = every
        self.num_finished = 0
        self.wall_seconds = time.perf_counter()
        self.processor_seconds = time.process_time()
        self.process = psutil.Process()

    def on_trial(self, trial: TrialRecord) -> None:
        super().on_trial(trial)
        if trial.is_open:
            return
        self.num_finished += 1
        if self.num_finished % self.every:
            return
        wall_seconds, processor_seconds = time.perf_counter(), time.process_time()
        wall_ms = 1000 * (wall_seconds - self.wall_seconds) / self.every
        processor_ms = 1000 * (processor_seconds - self.processor_seconds) / self.every
        megabytes = self.process.memory_info().rss / 1e6
        times = f"{wall_ms:.1f} ms | {processor_ms:.1f} ms"
        print(f"| {self.num_finished:,} | {times} | {megabytes:,.0f} MB |", flush=True)
        self.wall_seconds, self.processor_seconds = wall_seconds, processor_seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--sampler", default="random")
    parser.add_argument("--scheduler", default="full")
    parser.add_argument("--max-epochs", type=int, default=1)
    parser.add_argument("--executions", type=int, default=1)
    arguments = parser.parse_args()
    settings = StudySettings(
        recipe=Recipe().with_(fit__epochs=arguments.max_epochs),
        space=SPACE,
        objectives=(Objective(name="val_accuracy", direction="max"),),
        sampler=arguments.sampler,
        schedule=SchedulerSettings(
            name=arguments.scheduler,
            max_epochs=arguments.max_epochs,
            iterations=None,
            executions=arguments.executions,
        ),
        budget=Budget(trials=arguments.trials),
    )
    print("| trials | wall time per trial | processor time per trial | resident memory |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, SimulatedExecutor(2) as executor:
        workspace = Workspace(folder)
        record = workspace.studies.create("overhead", settings)
        display = MeasuringDisplay(record, every=max(1, arguments.trials // 10))
        started_at = time.perf_counter()
        with workspace.studies.claim(record.id), display:
            search(record, workspace, executor, display, tiny_dataset())
        seconds = time.perf_counter() - started_at
    print(f"\n{1000 * seconds / arguments.trials:.1f} ms per trial overall")


if __name__ == "__main__":
    main()
