"""Jobs: train a run from its checkpoint up to some epoch, and return the outcome.

A job is a value and so is its outcome, so it can run in this process, in a worker process, or on
another machine that sees the same files. Nothing here writes records.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from eyetune._files import LockedError, acquire_lock
from eyetune.data import AnyDataset, Dataset
from eyetune.device.boards.profiles import Board
from eyetune.device.export.int8_accuracy import Int8Task, measure_int8_accuracy
from eyetune.errors import EyetuneError, RunBusyError
from eyetune.recipe import Recipe
from eyetune.space.hyperparameters import Values
from eyetune.space.space import Space
from eyetune.training.load_data import load_any_data
from eyetune.training.progress_log import PROGRESS_FILE, ProgressLog
from eyetune.values.history import Epoch, History, Progress
from eyetune.values.int8_accuracy import Int8Accuracy
from eyetune.values.network import Network
from eyetune.values.run_files import RANGES_FILE
from eyetune.values.samples import labels_of

if TYPE_CHECKING:
    from eyetune.training.fit import Fitted
    from eyetune.training.precision import Arithmetic
    from eyetune.training.prepared_network import PreparedNetwork

# How long to wait until the worker of a killed coordinator notices this and ends.
ORPHAN_SECONDS = 30.0

Predictions = Mapping[str, tuple[NDArray[np.float32], NDArray[np.int64]]]


@dataclass(frozen=True)
class Job:
    """What to train.

    Attributes:
        recipe: Recipe of the run.
        folder: Folder of the run's files. The checkpoint is read and written there.
        seed: Random seed.
        precision: Precision of the arithmetic.
        threads: Number of threads (0: one per core).
        deterministic: Use only operations that give the same result every time.
        splits: The splits to classify when the training is complete.
        teacher: The teacher's file, if the recipe names a run as its teacher.
        stop_after: Number of epochs in the history at which to pause (None: never).
        conclude: Save the network and classify with it even if the training is not complete.
        int8: How to measure the accuracy of the int8 network in the end; None: it is not measured.
        log_name: Subfolder of the logs of a user's TensorBoard callback, such as "03/execution0".
            Default: the name of the folder.
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
    int8: Int8Task | None = None
    log_name: str = ""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job.

    Attributes:
        history: Every whole epoch, including those before the job.
        kept_epoch: The epoch whose weights the network has.
        predictions: Class probabilities, float32 of shape (N, classes), and labels of each split;
            empty if the network is no classifier, or was not saved.
        is_over: Whether the training is complete: all epochs are trained, or early stopping ended
            it.
        hyperparameters: All values that a model function used, while it built and trained.
        space: The ranges of these hyperparameters.
        int8: Accuracy of the int8 network; None if the job does not ask for it.
        is_interrupted: Whether Ctrl-C ended it; whole epochs are kept.
        changed_copies: What the training changed in its copies of the user's callbacks and model
            function, such as "LossLog.losses"; the user's own objects do not have it.
        is_trained: Whether the network was trained at all; False if a user's own `fit` trained
            others, whose weights are unknown.
        is_saved: Whether the network was saved, since the training is complete or concluded.
        returned: Metrics by name that a user's own `fit` returned at its end, other than a history.
    """

    history: History
    kept_epoch: int
    predictions: Predictions = field(default_factory=dict)
    is_over: bool = True
    hyperparameters: Values = field(default_factory=dict)
    space: Space = field(default_factory=Space)
    int8: Int8Accuracy | None = None
    is_interrupted: bool = False
    changed_copies: tuple[str, ...] = ()
    is_trained: bool = True
    is_saved: bool = False
    returned: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Inspection:
    """The network of a recipe, before any training.

    Attributes:
        network: Its layers; None if it cannot be trained.
        precision: Precision of the arithmetic.
        error: Why it cannot be trained; None if it can.
        costs: Its costs by name, as in `NetworkCosts`.
        hyperparameters: All values that a model function used while it built the network.
        space: The ranges of these hyperparameters.
        obstacles: Why the board cannot run it whatever its size, as sentences.
        num_classes: Number of classes that it distinguishes; 0 if it is no classifier.
    """

    network: Network | None
    precision: Literal["float32", "bfloat16"]
    error: EyetuneError | None = None
    costs: Mapping[str, float] = field(default_factory=dict)
    hyperparameters: Values = field(default_factory=dict)
    space: Space = field(default_factory=Space)
    obstacles: tuple[str, ...] = ()
    num_classes: int = 0


def work(
    job: Job,
    dataset: AnyDataset,
    *,
    prepared: PreparedNetwork | None = None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
    callbacks: Sequence[Any] = (),
) -> Outcome:
    """Do a job in this process: train and, when the training is complete, save and classify.

    Keras must be started.

    Args:
        job: What to train.
        dataset: The data of the job's recipe.
        prepared: The network of the job, if it was built already; it is built here otherwise.
        on_epoch: Called with each whole epoch after its checkpoint is written.
        on_progress: Called after every few batches.
        on_note: Called with a line of text while something before the first epoch takes long, and
            at the start of each stage but the first.
        callbacks: The user's Keras callbacks, from `checked_callbacks`.

    Raises:
        RunBusyError: Another process works in the run's folder.
        EyetuneError: From `prepare_network`, `fit` and `measure_int8_accuracy`.
    """
    from eyetune.models.int8.range_file import write_ranges
    from eyetune.training.fit import Ending, fit
    from eyetune.training.model_files import save_fitted
    from eyetune.training.precision import Arithmetic
    from eyetune.training.prepared_network import prepare_network

    with _alone(job.folder):
        if prepared is None:
            prepared = prepare_network(
                job.recipe,
                dataset,
                seed=job.seed,
                arithmetic=Arithmetic(job.precision),
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
            log_name=job.log_name,
            callbacks=callbacks,
        )
        is_over = fitted.ending is Ending.COMPLETE
        is_saved = is_over or (job.conclude and bool(fitted.history))
        predictions: Predictions = {}
        if is_saved:
            save_fitted(fitted, job.folder)
            write_ranges(job.folder / RANGES_FILE, fitted.model, fitted.ranges)
            predictions = _predictions(fitted, prepared, job.splits)
        int8 = None
        if job.int8 is not None and fitted.ending is not Ending.INTERRUPTED:
            assert isinstance(dataset, Dataset)  # checked when the study was started
            on_note("Measuring the accuracy of the int8 network ...")
            int8 = measure_int8_accuracy(fitted.model, dataset, job.int8, fitted.ranges)
        return Outcome(
            fitted.history,
            fitted.kept_epoch,
            predictions,
            is_over,
            fitted.hyperparameters,
            fitted.space,
            int8,
            is_interrupted=fitted.ending is Ending.INTERRUPTED,
            changed_copies=fitted.changed_copies,
            is_trained=fitted.is_trained,
            is_saved=is_saved,
            returned=fitted.returned,
        )


def _predictions(fitted: Fitted, prepared: PreparedNetwork, names: tuple[str, ...]) -> Predictions:
    """Return the class probabilities and labels of splits; none if the network is no classifier."""
    from eyetune.training.evaluate import probabilities, sample_probabilities

    dataset = prepared.dataset
    if isinstance(dataset, Dataset):
        splits = {name: dataset.split(name) for name in names}
        return {
            name: (probabilities(fitted.model, split), split.labels)
            for name, split in splits.items()
            if len(split)
        }
    assert prepared.function is not None
    predictions = {}
    for name in names:
        samples = dataset.split(name)
        labels = labels_of(samples.y) if samples is not None else None
        if samples is not None and labels is not None and prepared.function.fit.num_classes:
            probability = sample_probabilities(fitted.model, samples, prepared.function.fit)
            predictions[name] = (probability, labels)
    return predictions


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder."""
    try:
        lock = acquire_lock(folder / "work.lock", timeout_seconds=ORPHAN_SECONDS)
    except LockedError:
        raise RunBusyError(
            f"Another process works in {folder}.",
            fix="Wait for that process to end, or stop it.",
        ) from None
    with lock:
        yield


@cache
def start(threads: int) -> None:
    """Prepare a worker process for its first job. This takes seconds, since it imports Keras."""
    from eyetune.training.backend import start_keras

    start_keras(threads)
    # Nothing that was imported is garbage. Searching it took 0.2 s, several times in each job.
    gc.freeze()


def work_apart(job: Job) -> Outcome:
    """Do a job for a coordinator, in a worker process or in the coordinator's own.

    Progress goes into a file, which stays readable if the process is killed.

    Raises:
        KeyboardInterrupt: Ctrl-C ended it. A worker process ignores Ctrl-C.
    """
    start(job.threads)
    with (
        _keras_cleared(),
        (job.folder / PROGRESS_FILE).open("a", encoding="utf-8", buffering=1) as stream,
    ):
        log = ProgressLog(stream.write)
        dataset = _dataset(job.recipe)
        outcome = work(job, dataset, on_epoch=log.on_epoch, on_progress=log.on_progress)
    if outcome.is_interrupted:
        raise KeyboardInterrupt
    return outcome


@contextmanager
def _keras_cleared() -> Iterator[None]:
    """Free what Keras keeps of the job's networks afterwards."""
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
    is_feasible: Callable[[Mapping[str, float]], bool] | None = None,
    board: Board | None = None,
) -> tuple[Inspection, ...]:
    """Inspect the networks of several recipes in a worker process (see `inspect`).

    Args:
        recipes: Recipes of the networks.
        threads: Number of threads (0: one per core).
        teachers: The teacher's file of each recipe, if any recipe has a teacher.
        with_footprint: Include flash and arena bytes.
        is_feasible: Returns whether a network with given costs will be trained. It is pickled.
        board: The board that the footprint is for; None for any.
    """
    start(threads)
    pairs = zip(recipes, teachers or (None,) * len(recipes), strict=True)
    with _keras_cleared():
        return tuple(
            inspect(
                recipe,
                _dataset(recipe),
                teacher,
                with_footprint=with_footprint,
                is_feasible=is_feasible,
                board=board,
            )
            for recipe, teacher in pairs
        )


@dataclass(frozen=True)
class Discovered:
    """What a model function says about itself before a search.

    Attributes:
        space: Its search space.
        metrics: Names of the metrics that each epoch of its network measures.
        may_measure_others: Whether its hypermodel or its network trains in its own way, and may
            measure other metrics.
    """

    space: Space
    metrics: tuple[str, ...]
    may_measure_others: bool


def discover_apart(recipe: Recipe, threads: int) -> Discovered:
    """Discover the search space of a recipe's model function in a worker process, and check it.

    Raises:
        FunctionError: It cannot be loaded or raised an exception, or the network with the default
            hyperparameters cannot be trained on the recipe's data.
    """
    from eyetune.models.model_function import build_with, discover
    from eyetune.training.load_data import inputs_of
    from eyetune.training.model_function.fit_function import measured_names

    start(threads)
    with _keras_cleared():
        function, dataset = recipe.model.function, _dataset(recipe)
        space = discover(function)
        built = build_with(function, {}, inputs_of(dataset))
        has_validation = bool(dataset.validation)
        metrics = measured_names(built.fit, has_validation=has_validation)
        return Discovered(space, metrics, may_measure_others=built.has_own_training)


def choose_arithmetic_apart(
    recipes: tuple[Recipe, ...], threads: int, num_epochs: int, max_seconds: float
) -> Arithmetic | None:
    """Choose the arithmetic of a study in a worker process (see `precision.choose_for_study`).

    Args:
        recipes: Recipes of some networks of the study. One that cannot be trained is left out.
        threads: Number of threads (0: one per core).
        num_epochs: Epochs that the study will train in all its trials together, at most.
        max_seconds: Time of the study's trainings, of all workers together.

    Returns:
        The arithmetic; None if none of the networks can be trained.
    """
    from eyetune.training.precision import Arithmetic, choose_for_study
    from eyetune.training.prepared_network import prepare_network

    start(threads)
    with _keras_cleared():
        networks = []
        for recipe in recipes:
            with suppress(EyetuneError):
                arithmetic = Arithmetic("float32", "to be measured")
                dataset = _dataset(recipe)
                networks.append(prepare_network(recipe, dataset, seed=0, arithmetic=arithmetic))
        if not networks:
            return None
        return choose_for_study(networks, num_epochs=num_epochs, max_seconds=max_seconds)


def inspect(
    recipe: Recipe,
    dataset: AnyDataset,
    teacher: Path | None = None,
    *,
    with_footprint: bool = False,
    is_feasible: Callable[[Mapping[str, float]], bool] | None = None,
    board: Board | None = None,
) -> Inspection:
    """Build a recipe's network without training it, and choose the precision of its training.

    Args:
        recipe: Recipe of the network.
        dataset: The data that it is for.
        teacher: The teacher's file, if the recipe's teacher is a run.
        with_footprint: Include flash and arena bytes.
        is_feasible: Returns whether a network with given costs will be trained, so that its
            precision must be chosen. Default: always.
        board: The board that the footprint is for, and that must run it; None for any.

    Returns:
        The network and its costs, or the error that says why it cannot be trained on these images.
    """
    from eyetune.training.precision import Arithmetic, choose_arithmetic
    from eyetune.training.prepared_network import prepare_network

    arithmetic = Arithmetic("float32", "as on a board")
    try:
        prepared = prepare_network(
            recipe,
            dataset,
            seed=0,
            arithmetic=arithmetic,
            deterministic=False,
            teacher=teacher,
        )
        inspected = prepared.inspect(with_footprint=with_footprint, board=board)
        if not inspected.obstacles and (is_feasible is None or is_feasible(inspected.costs)):
            arithmetic = choose_arithmetic(recipe, dataset, prepared=prepared)
    except EyetuneError as error:
        return Inspection(None, arithmetic.precision, error)
    built = prepared.function
    return Inspection(
        inspected.network,
        arithmetic.precision,
        None,
        inspected.costs,
        built.values if built else {},
        built.space if built else Space(),
        inspected.obstacles,
        built.fit.num_classes if built else prepared.images.num_classes,
    )


def _dataset(recipe: Recipe) -> AnyDataset:
    """Return the data of a recipe; a worker loads that of a study once."""
    return _loaded(Recipe(data=recipe.data.unchanged))


@lru_cache(maxsize=2)
def _loaded(recipe: Recipe) -> AnyDataset:
    return load_any_data(recipe)
