"""Jobs: train a run from wherever its checkpoint stands up to some epoch, and return what came of
it.

A job is a value and so is its outcome, so it can be done in this process, in a worker's or on
another machine that sees the same files. Nothing here writes records.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from eyetune._files import LockedError, acquire_lock
from eyetune.data import Dataset
from eyetune.errors import EyetuneError, RunBusyError
from eyetune.recipe import Recipe
from eyetune.space.space import Space, Values
from eyetune.training.load_data import load_data
from eyetune.values.history import Epoch, History, Progress
from eyetune.values.network import Network
from eyetune.values.run_files import MODEL_FILE

if TYPE_CHECKING:
    from eyetune.training.prepared_network import PreparedNetwork

PROGRESS_FILE = "news.jsonl"
SECONDS_BETWEEN_PROGRESS = 1.0
ORPHAN_SECONDS = (
    30.0  # how long to wait for a worker of a coordinator that was killed to notice it and end
)

Predictions = Mapping[str, tuple[NDArray[np.float32], NDArray[np.int64]]]


@dataclass(frozen=True)
class Job:
    """What to train.

    Attributes:
        recipe: Of the run.
        folder: Of the run's files: its checkpoint is read and written there.
        seed: Of everything random.
        precision: The arithmetic.
        threads: Of the arithmetic (0: one for each core).
        deterministic: Use only operations that repeat exactly.
        splits: What to classify with the trained network, once training is over.
        teacher: File of the network that teaches, where the recipe names a run for it.
        stop_after: Epochs in all after which to stop for now (None: none).
        conclude: Save the network and classify with it even where training is not over.
    """

    recipe: Recipe
    folder: Path
    seed: int
    precision: Literal["float32", "bfloat16"]
    threads: int = 0
    deterministic: bool = True
    splits: tuple[str, ...] = ("validation", "test")
    teacher: Path | None = None
    stop_after: int | None = None
    conclude: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes:
        history: Every whole epoch, those before the job included.
        kept_epoch: The epoch whose weights the network has.
        predictions: Class probabilities, shape (N, classes), and labels of each split; empty unless
            training is over or the job was to conclude it.
        is_over: Whether no epoch is left to train: the last was trained, or it stopped early by its
            own rule.
        hyperparameters: All that a model function saw, while it built or trained.
        space: Those, with what they may be.
    """

    history: History
    kept_epoch: int
    predictions: Predictions = field(default_factory=dict)
    is_over: bool = True
    hyperparameters: Values = field(default_factory=dict)
    space: Space = field(default_factory=Space)


@dataclass(frozen=True)
class Inspection:
    """What a recipe comes to before any training.

    Attributes:
        network: What it builds; None where it cannot be trained.
        precision: The arithmetic.
        error: Why it cannot be trained.
        costs: What is known of the network: parameters, multiply_adds and, where asked for, what it
            takes on a board.
        hyperparameters: All that a model function saw while it built.
        space: Those, with what they may be.
    """

    network: Network | None
    precision: Literal["float32", "bfloat16"]
    error: EyetuneError | None = None
    costs: Mapping[str, float] = field(default_factory=dict)
    hyperparameters: Values = field(default_factory=dict)
    space: Space = field(default_factory=Space)


def work(
    job: Job,
    dataset: Dataset,
    *,
    prepared: PreparedNetwork | None = None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Do a job in this process: train and, when the training is complete, save and classify.

    Keras must be started.

    Args:
        job: What to train.
        dataset: The images of the job's recipe.
        prepared: The network of the job, if it was built already; it is built here otherwise.
        on_epoch: Called with each whole epoch after its checkpoint is written.
        on_progress: Called after every few batches.
        on_note: Called with a line of text while something before the first epoch takes long.

    Raises:
        RunBusyError: Another process works in the run's folder.
        EyetuneError: From `prepare_network` and `fit`.
    """
    from eyetune.training.backend import choose_arithmetic
    from eyetune.training.evaluate import probabilities, save_model
    from eyetune.training.fit import Ending, fit
    from eyetune.training.prepared_network import prepare_network

    with _alone(job.folder):
        if prepared is None:
            prepared = prepare_network(
                job.recipe,
                dataset,
                seed=job.seed,
                arithmetic=choose_arithmetic(job.precision),
                deterministic=job.deterministic,
                teacher=job.teacher,
            )
        fitted = fit(
            prepared,
            job.folder,
            resume=True,
            stop_after=job.stop_after,
            on_epoch=on_epoch,
            on_progress=on_progress,
            on_note=on_note,
        )
        is_over = fitted.ending is Ending.COMPLETE
        predictions: Predictions = {}
        if is_over or (job.conclude and fitted.history):
            save_model(fitted.model, job.folder / MODEL_FILE)
            splits = {name: dataset.split(name) for name in job.splits if len(dataset.split(name))}
            predictions = {
                name: (probabilities(fitted.model, split), split.labels)
                for name, split in splits.items()
            }
        return Outcome(
            fitted.history,
            fitted.kept_epoch,
            predictions,
            is_over,
            fitted.hyperparameters,
            fitted.space,
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process works in a folder: the worker of a killed coordinator ends within
    a second.
    """
    try:
        lock = acquire_lock(folder / "work.lock", timeout_seconds=ORPHAN_SECONDS)
    except LockedError:
        raise RunBusyError(
            f"Another process is at work in {folder}.",
            fix="Wait for that process to end, or stop it.",
        ) from None
    with lock:
        yield


@cache
def start(threads: int) -> None:
    """Get a worker process ready for its first job, which takes seconds: Keras is imported."""
    from eyetune.training.backend import start_keras

    start_keras(threads)
    # of all that was imported nothing is garbage: looking for some took 0.2 s, several times a job
    gc.freeze()


def work_apart(job: Job) -> Outcome:
    """Do a job in a worker process; its news go into a file, where a process that is killed can
    leave no harm.
    """
    start(job.threads)
    with (
        _cleared(),
        (job.folder / PROGRESS_FILE).open("a", encoding="utf-8", buffering=1) as stream,
    ):
        news = ProgressLog(stream.write)
        return work(job, _dataset(job.recipe), on_epoch=news.on_epoch, on_progress=news.on_progress)


@contextmanager
def _cleared() -> Iterator[None]:
    """Free what Keras keeps of networks: a worker does one job after another."""
    import keras

    try:
        yield
    finally:
        keras.utils.clear_session()
        gc.collect()


def inspect_apart(
    recipes: tuple[Recipe, ...],
    threads: int,
    teachers: tuple[Path | None, ...] = (),
    with_footprint: bool = False,
) -> tuple[Inspection, ...]:
    """Build networks in a worker process, untrained, and tell what they are or why they cannot be.

    Args:
        recipes: Of the networks.
        threads: Of the arithmetic.
        teachers: The file of each recipe's teacher, where any has one.
        with_footprint: Tell what they take on a board, too.
    """
    start(threads)
    pairs = zip(recipes, teachers or (None,) * len(recipes), strict=True)
    with _cleared():
        return tuple(
            inspect(recipe, _dataset(recipe), teacher, with_footprint=with_footprint)
            for recipe, teacher in pairs
        )


def discover_apart(function: str, threads: int) -> Space:
    """Read the space of a model function off it, in a worker process."""
    from eyetune.models.model_function import discover

    start(threads)
    with _cleared():
        return discover(function)


def inspect(
    recipe: Recipe, dataset: Dataset, teacher: Path | None = None, *, with_footprint: bool = False
) -> Inspection:
    """Build a recipe's network without training it.

    Args:
        recipe: Recipe of the network.
        dataset: The images that it is for.
        teacher: The teacher's file, if the recipe's teacher is a run.
        with_footprint: Include the costs on a board.

    Returns:
        The network and its costs, or the error that says why it cannot be trained on these images.
    """
    from eyetune.training.backend import choose_arithmetic
    from eyetune.training.prepared_network import prepare_network

    precision = choose_arithmetic(recipe.fit.precision).precision
    try:
        prepared = prepare_network(
            recipe,
            dataset,
            seed=0,
            arithmetic=choose_arithmetic("float32"),  # as on a board
            deterministic=False,
            teacher=teacher,
        )
        network, costs = prepared.inspect(with_footprint=with_footprint)
    except EyetuneError as error:
        return Inspection(None, precision, error)
    if prepared.function is None:
        return Inspection(network, precision, None, costs)
    built = prepared.function
    return Inspection(network, prepared.precision, None, costs, built.values, built.space)


def _dataset(recipe: Recipe) -> Dataset:
    return _loaded(Recipe(data=recipe.data))


@lru_cache(maxsize=2)
def _loaded(recipe: Recipe) -> Dataset:
    return load_data(recipe)


class ProgressLog:
    """Writes what happens in a training as lines of JSON; progress within an epoch about once a
    second.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._told_at = 0.0

    def on_epoch(self, epoch: Epoch) -> None:
        """Tell a whole epoch."""
        self._write(json.dumps({"epoch": asdict(epoch)}) + "\n")

    def on_progress(self, progress: Progress) -> None:
        """Tell how far the epoch is."""
        if time.monotonic() - self._told_at >= SECONDS_BETWEEN_PROGRESS:
            self._told_at = time.monotonic()
            self._write(json.dumps({"progress": asdict(progress)}) + "\n")


class ProgressLogReader:
    """Reads the news of a run's folder that were written since it last looked."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / PROGRESS_FILE
        self._path.unlink(
            missing_ok=True
        )  # those of an earlier attempt come again from its checkpoint
        self._read_up_to = 0

    def read(self) -> Iterator[Epoch | Progress]:
        """Yield what is new, in order; a line that is being written waits for the next time."""
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._read_up_to)
                lines = stream.readlines()
        except FileNotFoundError:
            return
        for line in lines:
            if not line.endswith(b"\n"):
                return
            self._read_up_to += len(line)
            value = json.loads(line)
            yield Epoch(**value["epoch"]) if "epoch" in value else Progress(**value["progress"])

    def close(self) -> None:
        """Delete the file: what it says is recorded."""
        self._path.unlink(missing_ok=True)
