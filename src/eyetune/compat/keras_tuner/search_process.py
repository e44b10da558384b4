"""KerasTuner's own search, for comparison, in one worker process.


It gets the same function, images, seed and budget as a study of eyetune. The epochs of every trial,
which KerasTuner does not keep, are recorded while it trains.

See https://keras.io/keras_tuner/api/tuners/.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from eyetune.compat.keras_tuner.projects import Known, Project, read_project
from eyetune.data import Dataset
from eyetune.errors import FunctionError, UsageError
from eyetune.models.model_function import Built
from eyetune.records.study import Objective, SamplerName, SchedulerName, StudySettings
from eyetune.training.load_data import load_data
from eyetune.tuning.dispatch import Display
from eyetune.tuning.executors import Executor
from eyetune.tuning.schedulers.plans import hyperband_brackets
from eyetune.values.history import Epoch, History, is_better_high

PROJECT = "keras-tuner"  # KerasTuner's folder, inside that of the study
LOG_FILE = "keras-tuner.log"
EPOCHS_FILE = "keras-tuner-epochs.jsonl"
SECONDS_BETWEEN_LOOKS = 0.5
SEED_FOR_ZERO = 2**31 - 1  # for KerasTuner, the seed 0 means no seed

BY_SAMPLER: Mapping[str, str] = {
    "random": "RandomSearch",
    "gp": "BayesianOptimization",
    "grid": "GridSearch",
}


def what_it_has(sampler: str | None, schedule: str | None) -> tuple[SamplerName, SchedulerName]:
    """Return the sampler and the scheduler of a search by KerasTuner.

    Args:
        sampler: The requested sampler. Default: random with hyperband, otherwise gp.
        schedule: The requested scheduler. Default: full.

    Raises:
        UsageError: KerasTuner has no such search.

    Example:
        >>> what_it_has("grid", None), what_it_has(None, "hyperband")
        (('grid', 'full'), ('random', 'hyperband'))
    """
    if schedule == "hyperband" and sampler in (None, "random"):
        return "random", "hyperband"
    if schedule in (None, "full") and sampler in (None, *BY_SAMPLER):
        found: Mapping[str | None, SamplerName] = {"random": "random", "grid": "grid"}
        return found.get(sampler, "gp"), "full"
    raise UsageError(
        "KerasTuner has no such search.",
        expected="a sampler of random, gp or grid with the schedule full, or random with hyperband",
        received=f"the sampler {sampler or 'unnamed'} with the schedule {schedule or 'unnamed'}",
        fix="Name one of these, or leave the engine to eyetune.",
    )


def num_trials(settings: StudySettings) -> int:
    """Return the largest number of trials as KerasTuner counts them, promotions included."""
    schedule = settings.schedule
    if schedule.name == "hyperband":
        plans = hyperband_brackets(schedule.max_epochs, schedule.factor, schedule.min_epochs)
        return sum(sum(plan.places) for plan in plans) * (schedule.iterations or 1)
    return settings.budget.trials or 0


@dataclass(frozen=True)
class Task:
    """A search for KerasTuner, as a value that is sent to a worker process.

    Attributes:
        settings: Settings of the study.
        folder: Folder of the study.
        threads: Number of threads; 0 for one per core.
    """

    settings: StudySettings
    folder: Path
    threads: int = 0


def search(task: Task, executor: Executor, display: Display) -> Project:
    """Search with KerasTuner in a worker process, and show the trials meanwhile.

    Raises:
        EyetuneError: The search ended with an error; `finished` returns its trials so far.
        KeyboardInterrupt: The user pressed Ctrl-C; the worker process is ended.
    """
    future = executor.submit(search_apart, task)
    trials = _Trials(task, display)
    try:
        _follow(future, trials)
    except BaseException:
        future.cancel()
        raise
    finally:
        trials.close()
    future.result()
    return finished(task)


def _follow(future: Future[None], trials: _Trials) -> None:
    while not future.done():
        wait([future], timeout=SECONDS_BETWEEN_LOOKS)
        trials.look()


def finished(task: Task) -> Project:
    """Return the trials of a search that KerasTuner has completed.

    Raises:
        EyetuneError: Its files are missing or cannot be read.
    """
    epochs = _Epochs(task.folder)
    by_trial: dict[str, dict[int, Epoch]] = {}
    for trial, epoch in epochs.read():
        by_trial.setdefault(trial, {})[epoch.epoch] = (
            epoch  # the last attempt of a repeated trial counts
        )
    histories: Mapping[str, History] = {
        trial: tuple(found.values()) for trial, found in by_trial.items()
    }
    objectives = tuple(
        Objective(name=_theirs(one.name, epochs.accuracy), direction=one.direction)
        for one in task.settings.objectives
    )
    return read_project(task.folder / PROJECT, Known(objectives, histories))


def _theirs(name: str, accuracy: str) -> str:
    """Return the name of a metric in the network itself."""
    return {"accuracy": accuracy, "val_accuracy": f"val_{accuracy}"}.get(name, name)


# In the worker process.


def search_apart(task: Task) -> None:
    """Run KerasTuner's search in a worker process, with its output in a log file.

    Raises:
        FunctionError: The network of the model function cannot be trained on such images.
        Exception: KerasTuner raised it.
    """
    from eyetune.training.backend import start_keras

    start_keras(task.threads)
    with (
        (task.folder / LOG_FILE).open("a", encoding="utf-8", buffering=1) as log,
        (task.folder / EPOCHS_FILE).open("a", encoding="utf-8", buffering=1) as stream,
        redirect_stdout(log),
        redirect_stderr(log),
    ):
        _search(task, stream)


def _search(task: Task, stream: TextIO) -> None:
    import keras

    from eyetune.models.model_function import build_with

    settings = task.settings
    recipe = settings.recipe
    dataset = load_data(recipe)
    built = build_with(recipe.model.function, {}, dataset.image_shape, dataset.num_classes)
    _check_measured(settings.objectives, built)
    stream.write(json.dumps({"accuracy": built.fit.accuracy}) + "\n")
    if built.loaded.policy:
        keras.config.set_dtype_policy(built.loaded.policy)
    seed = SEED_FOR_ZERO if settings.seed == 0 else settings.seed
    keras.utils.set_random_seed(settings.seed)
    images = _images(
        dataset, has_channels=built.fit.has_channels, integer_labels=built.fit.integer_labels
    )
    tuner = _tuner_class(settings, _Teller(stream, built.fit.accuracy, len(dataset.train)))(
        hypermodel=built.loaded.hypermodel,
        objective=_objective(settings.objectives, built.fit.accuracy),
        seed=seed,
        max_model_size=settings.limits.parameters,
        directory=str(task.folder),
        project_name=PROJECT,
        **_length(settings),
    )
    tuner.search(
        *images["train"],
        validation_data=images["validation"],
        verbose=0,
        **_fit_arguments(settings, built, dataset),
    )


def _check_measured(objectives: tuple[Objective, ...], built: Built) -> None:
    known = [*built.fit.metrics, *(f"val_{name}" for name in built.fit.metrics)]
    missing = [one.name for one in objectives if _theirs(one.name, built.fit.accuracy) not in known]
    if (
        missing and not built.loaded.has_own_fit
    ):  # the metrics of a user's own fit are known only at its end
        raise FunctionError(
            f"Nothing measures the objective {missing[0]}.",
            expected=", ".join(known),
            received=missing[0],
            fix="Compile the model with it among its metrics.",
        )


def _length(settings: StudySettings) -> dict[str, Any]:
    schedule = settings.schedule
    if schedule.name == "hyperband":
        factor = (
            int(schedule.factor) if schedule.factor == int(schedule.factor) else schedule.factor
        )
        return {
            "max_epochs": schedule.max_epochs,
            "factor": factor,
            "hyperband_iterations": schedule.iterations or 1,
        }
    return {"max_trials": settings.budget.trials}


def _objective(objectives: tuple[Objective, ...], accuracy: str) -> Any:
    import keras_tuner

    found = [
        keras_tuner.Objective(_theirs(one.name, accuracy), one.direction) for one in objectives
    ]
    return found if len(found) > 1 else found[0]


def _images(
    dataset: Dataset, *, has_channels: bool, integer_labels: bool
) -> dict[str, tuple[Any, Any]]:
    """Return the images of the splits as float32 arrays in memory, 0 to 1."""
    from eyetune.data.dataset import normalize, one_hot

    found = {}
    for name in ("train", "validation"):
        split = dataset.split(name)
        images = normalize(split.images)
        labels = split.labels if integer_labels else one_hot(split.labels, dataset.num_classes)
        found[name] = (images if has_channels else images[..., 0], labels)
    return found


def _fit_arguments(settings: StudySettings, built: Built, dataset: Dataset) -> dict[str, Any]:
    import keras

    from eyetune.training.fit import class_weight
    from eyetune.training.model_function.user_call import DECIDED_BY_TRAINING

    section = settings.recipe.fit
    given = built.loaded.arguments
    found: dict[str, Any] = {"epochs": settings.schedule.max_epochs}
    if (
        not built.loaded.has_own_fit
    ):  # it may pass this argument itself, which would then be given twice
        found["batch_size"] = section.batch_size
    weights = class_weight(settings.recipe, dataset.train, dataset.num_classes)
    found |= {"class_weight": weights} if weights else {}
    found |= {name: value for name, value in given.items() if name not in DECIDED_BY_TRAINING}
    callbacks = list(given.get("callbacks") or [])
    if section.early_stopping:
        monitor = _theirs(section.monitor, built.fit.accuracy)
        callbacks.append(
            keras.callbacks.EarlyStopping(
                monitor,
                patience=section.early_stopping,
                mode="max" if is_better_high(monitor) else "min",
                restore_best_weights=section.restore_best,
            )
        )
    return {**found, "callbacks": callbacks}


def _tuner_class(settings: StudySettings, teller: _Teller) -> Any:
    """Return a subclass of KerasTuner's tuner that also reports each epoch."""
    import importlib.util

    import keras_tuner

    name = "Hyperband" if settings.schedule.name == "hyperband" else BY_SAMPLER[settings.sampler]

    class Watched(getattr(keras_tuner, name)):  # type: ignore[misc]
        def on_epoch_begin(self, trial: Any, model: Any, epoch: int, logs: Any = None) -> None:
            super().on_epoch_begin(trial, model, epoch, logs=logs)
            teller.begin()

        def on_batch_end(self, trial: Any, model: Any, batch: int, logs: Any = None) -> None:
            super().on_batch_end(trial, model, batch, logs)
            teller.trained_at = time.monotonic()

        def on_epoch_end(self, trial: Any, model: Any, epoch: int, logs: Any = None) -> None:
            super().on_epoch_end(trial, model, epoch, logs=logs)
            before = trial.hyperparameters.values.get("tuner/initial_epoch", 0)
            rate = float(getattr(model.optimizer, "learning_rate", 0.0))
            teller.end(trial.trial_id, epoch + 1 - before, rate, logs or {})

        if importlib.util.find_spec("tensorboard") is None:  # not part of TensorFlow 2.21 and later

            def _configure_tensorboard_dir(self, *_: Any) -> None:
                """Skip an import in each trial that only TensorBoard callbacks need."""

    return Watched


@dataclass
class _Teller:
    """Writes each epoch as a line of JSON."""

    stream: TextIO
    accuracy: str
    num_images: int
    begun_at: float = 0.0
    trained_at: float = 0.0

    def begin(self) -> None:
        self.begun_at = self.trained_at = time.monotonic()

    def end(self, trial: str, number: int, rate: float, logs: Mapping[str, Any]) -> None:
        from eyetune.training.callbacks import named

        if not {"loss", self.accuracy, "val_loss", f"val_{self.accuracy}"} <= set(logs):
            return  # a user's own fit need not validate
        epoch = Epoch(
            epoch=number,
            **named(logs, self.accuracy),
            learning_rate=rate,
            duration_seconds=time.monotonic() - self.begun_at,
            images_per_second=self.num_images
            / max(self.trained_at - self.begun_at, sys.float_info.epsilon),
        )
        self.stream.write(json.dumps({"trial": trial, "epoch": asdict(epoch)}) + "\n")


# In the process that waits for the worker.


class _Epochs:
    """Reads the epochs that a worker has written since the last call."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / EPOCHS_FILE
        self._read_up_to = 0
        self.accuracy = "accuracy"

    def read(self) -> Iterator[tuple[str, Epoch]]:
        """Yield the trial and each new epoch; an unfinished line waits for the next call."""
        for line in self._lines():
            value = json.loads(line)
            if "epoch" in value:
                yield value["trial"], Epoch(**value["epoch"])
            else:
                self.accuracy = value["accuracy"]

    def _lines(self) -> Iterator[bytes]:
        if not self._path.exists():
            return
        with self._path.open("rb") as stream:
            stream.seek(self._read_up_to)
            for line in stream:
                if not line.endswith(b"\n"):
                    return
                self._read_up_to += len(line)
                yield line


@dataclass
class _Trials:
    """Shows KerasTuner's trials, one after the other, from the recorded epochs."""

    task: Task
    display: Display
    best: dict[str, float] = field(default_factory=dict)
    current: str = ""

    def __post_init__(self) -> None:
        self.epochs = _Epochs(self.task.folder)

    def look(self) -> None:
        """Show the new epochs."""
        for trial, epoch in self.epochs.read():
            if trial != self.current:
                self.close()
                self.current = trial
                self.display.begin(
                    trial, self._label(trial), self.task.settings.schedule.max_epochs
                )
            self.best[trial] = max(self.best.get(trial, 0.0), epoch.val_accuracy)
            self.display.on_news(trial, epoch)

    def close(self) -> None:
        """Remove the row of the running trial from the display."""
        if self.current:
            self.display.end(
                self.current,
                f"{self._label(self.current)}: {self.best[self.current]:.1%} on validation",
            )
        self.current = ""

    @staticmethod
    def _label(trial: str) -> str:
        return (
            f"KerasTuner's trial {int(trial)}" if trial.isdigit() else f"KerasTuner's trial {trial}"
        )
