"""An executor that computes results by a formula, for tests and benchmarks without Keras."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from eyetune.errors import WorkerLostError
from eyetune.recipe import Recipe
from eyetune.training.job import (
    Inspection,
    Job,
    Outcome,
    inspect_apart,
    work_apart,
)
from eyetune.training.progress_log import PROGRESS_FILE, ProgressLog
from eyetune.tuning.executors import Executor, InProcessExecutor
from eyetune.values.history import Epoch, History
from eyetune.values.int8_accuracy import Int8Accuracy
from eyetune.values.network import Layer, Network

Result = TypeVar("Result")
Curve = Callable[[Recipe, int], float]

CHECKPOINT = (
    "checkpoint.npz"  # the name of a real checkpoint, so that it is kept and deleted like one
)


def quick_curve(recipe: Recipe, epoch: int) -> float:
    """Return a simulated validation accuracy: best at a rate of 0.003 with wide layers.

    Example:
        >>> quick_curve(Recipe(), 1) < quick_curve(Recipe(), 10) < 0.9
        True
    """
    rate = recipe.optimizer.learning_rate
    width = sum(block.filters for block in recipe.model.blocks)
    reached = 0.9 - 0.1 * abs(np.log10(rate / 0.003)) - 2 / width
    return float(max(0.1, reached * (1 - 0.5 ** (epoch + 1))))


class SimulatedExecutor(Executor):
    """Runs jobs in threads, without networks and images (see `Executor`).

    Simulated epochs are stored in the folder of the run as a checkpoint, and counted, so that tests
    notice an epoch that is trained twice.

    Args:
        num_workers: Number of parallel jobs.
        curve: Validation accuracy of a recipe after an epoch.
        seconds: Longest duration of an epoch; jobs end in random order.
        seed: Random seed of that order.
        dies: Returns whether the worker of a job, given its number, dies after its first epoch.
        costs: More costs of a recipe's network, by name, such as latency_ms.
        obstacles: Why the board cannot run a recipe's network, as sentences.
        int8_loss: Accuracy that a recipe's int8 network loses, 0 to 1.
        luck: Accuracy that a training gains by its seed.
        metrics: More metrics of each epoch of a training, by its seed.
    """

    threads = 1

    def __init__(
        self,
        num_workers: int = 2,
        *,
        curve: Curve = quick_curve,
        seconds: float = 0.0,
        seed: int = 0,
        dies: Callable[[int], bool] = lambda _: False,
        costs: Callable[[Recipe], Mapping[str, float]] = lambda _: {},
        obstacles: Callable[[Recipe], tuple[str, ...]] = lambda _: (),
        int8_loss: Callable[[Recipe], float] = lambda _: 0.0,
        luck: Callable[[int], float] = lambda _: 0.0,
        metrics: Callable[[int], Mapping[str, float]] = lambda _: {},
    ) -> None:
        self.num_workers = num_workers
        self.trained: Counter[tuple[str, int]] = Counter()
        self.num_inspected = self.num_jobs = 0
        self._curve, self._seconds, self._dies = curve, seconds, dies
        self._costs, self._obstacles, self._int8_loss = costs, obstacles, int8_loss
        self._luck, self._metrics = luck, metrics
        self._chance = random.Random(seed)
        self._pool = ThreadPoolExecutor(num_workers)
        self._lock = threading.Lock()

    def submit(
        self,
        function: Callable[..., Result],
        *arguments: Any,
        limit_seconds: float | None = None,  # noqa: ARG002 (it keeps to none)
        limit_bytes: int | None = None,  # noqa: ARG002
    ) -> Future[Result]:
        """Simulate a job; a cancelled job ends after its current epoch."""
        future: Future[Any] = Future()
        self._pool.submit(self._resolve, future, self._simulation(function, arguments, future))
        return future

    def _simulation(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], future: Future[Any]
    ) -> Callable[[], Any]:
        if function is inspect_apart:
            return partial(self._inspect, *arguments)
        if function is work_apart:
            return partial(self._work, arguments[0], future)
        return partial(function, *arguments)

    def _resolve(self, future: Future[Any], do: Callable[[], Any]) -> None:
        try:
            value = do()
        except Exception as error:
            if not future.cancelled():
                future.set_exception(error)
        else:
            if not future.cancelled():
                future.set_result(value)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(cancel_futures=True)

    def _inspect(self, recipes: tuple[Recipe, ...], *_: object) -> tuple[Inspection, ...]:
        self.num_inspected += len(recipes)
        return tuple(
            replace(
                _inspection(recipe, self._costs(recipe)),
                obstacles=self._obstacles(recipe),
            )
            for recipe in recipes
        )

    def _work(self, job: Job, future: Future[Any]) -> Outcome:
        with self._lock:
            number, self.num_jobs = self.num_jobs, self.num_jobs + 1
        history = _stored(job.folder)
        end = min(job.stop_after or job.recipe.fit.epochs, job.recipe.fit.epochs)
        while len(history) < end and not future.cancelled():
            time.sleep(self._chance.random() * self._seconds)
            history = self._train(job, history)
            if self._dies(number):
                raise WorkerLostError(
                    "A worker process ended in the middle of a training.", received="killed"
                )
        is_over = len(history) >= job.recipe.fit.epochs
        kept = len(history)
        if job.recipe.fit.keep_best:
            kept = max(history, key=lambda epoch: epoch.value("val_accuracy")).epoch
        labels = np.array([0, 1], np.int64)
        predictions = (
            {name: (np.eye(2, dtype=np.float32), labels) for name in job.splits}
            if is_over or job.conclude
            else {}
        )
        int8 = None
        if job.int8 is not None and not future.cancelled():
            accuracy = history[kept - 1].value("val_accuracy") - self._int8_loss(job.recipe)
            num_images = job.int8.num_images
            int8 = Int8Accuracy(round(num_images * accuracy), num_images, "simulated")
        return Outcome(history, kept, predictions, is_over, int8=int8, is_saved=bool(predictions))

    def _train(self, job: Job, history: History) -> History:
        number = len(history) + 1
        accuracy = self._curve(job.recipe, number) + self._luck(job.seed)
        loss, others = 1 - accuracy, self._metrics(job.seed)
        epoch = Epoch(number, loss, accuracy, loss, accuracy, 0.001, 1.0, 1000.0, others)
        with self._lock:
            self.trained[(job.folder.name, number)] += 1
        history = (*history, epoch)
        (job.folder / CHECKPOINT).write_text(
            json.dumps([asdict(epoch) for epoch in history]), encoding="utf-8"
        )
        with (job.folder / PROGRESS_FILE).open("a", encoding="utf-8", buffering=1) as stream:
            ProgressLog(stream.write).on_epoch(epoch)
        return history


class SimulatedInProcessExecutor(SimulatedExecutor):
    """Simulates jobs in this thread, one after the other, like an `InProcessExecutor`.

    Args:
        curve: Validation accuracy of a recipe after an epoch; it may raise KeyboardInterrupt.
    """

    is_in_process = True

    def __init__(self, curve: Curve = quick_curve) -> None:
        super().__init__(1, curve=curve)

    def submit(
        self,
        function: Callable[..., Result],
        *arguments: Any,
        limit_seconds: float | None = None,
        limit_bytes: int | None = None,
    ) -> Future[Result]:
        """Simulate a job, and return a future that is done."""
        with InProcessExecutor() as executor:
            future: Future[Any] = Future()
            return executor.submit(
                self._simulation(function, arguments, future),
                limit_seconds=limit_seconds,
                limit_bytes=limit_bytes,
            )


def _stored(folder: Path) -> History:
    try:
        rows = json.loads((folder / CHECKPOINT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    return tuple(Epoch(**row) for row in rows)


def _inspection(recipe: Recipe, more_costs: Mapping[str, float]) -> Inspection:
    parameters = sum(block.filters * 9 for block in recipe.model.blocks)
    layer = Layer("dense", "Dense", "", (10,), parameters, parameters, 10)
    costs = {
        "parameters": parameters,
        "trainable_parameters": parameters,
        "macs": parameters,
        "multiply_adds": parameters,
        **more_costs,
    }
    return Inspection(Network((8, 8, 3), (layer,), parameters), "float32", None, costs)
