"""KerasTuner's own search, as a worker process does it.

See https://keras.io/keras_tuner/api/tuners/.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from eyetune.compat.keras_tuner.epoch_log import EPOCHS_FILE, EpochLogWriter, network_metric
from eyetune.data import AnyDataset
from eyetune.models.model_function import Built
from eyetune.records.study import Objective, StudySettings
from eyetune.training.load_data import load_any_data
from eyetune.values.history import is_better_high

PROJECT = "keras-tuner"  # KerasTuner's project folder, in the folder of the study
LOG_FILE = "keras-tuner.log"
SEED_FOR_ZERO = 2**31 - 1  # KerasTuner treats the seed 0 as none

TUNER_CLASSES: Mapping[str, str] = {
    "random": "RandomSearch",
    "gp": "BayesianOptimization",
    "grid": "GridSearch",
}


@dataclass(frozen=True)
class SearchTask:
    """A search by KerasTuner, as a value for a worker process.

    Attributes:
        settings: Settings of the study.
        folder: Folder of the study.
        threads: Number of threads; 0 for one per core.
    """

    settings: StudySettings
    folder: Path
    threads: int = 0


def search_in_worker(task: SearchTask) -> None:
    """Let KerasTuner search; its output goes to a file in the study's folder.

    Raises:
        FunctionError: The network of the model function cannot be trained on such images.
        Exception: Any error of KerasTuner.
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


def _search(task: SearchTask, stream: TextIO) -> None:
    import keras

    from eyetune.models.model_function import build_with
    from eyetune.training.load_data import inputs_of
    from eyetune.training.model_function.scaled_images import plain
    from eyetune.training.model_function.user_data import user_data

    settings = task.settings
    recipe = settings.recipe
    dataset = load_any_data(recipe)
    built = build_with(recipe.model.function, {}, inputs_of(dataset))
    epoch_log = EpochLogWriter(stream, built.fit.accuracy, len(dataset.train))
    if built.loaded.policy:
        keras.config.set_dtype_policy(built.loaded.policy)
    keras.utils.set_random_seed(settings.seed)
    data = user_data(dataset, built, recipe)
    tuner = _tuner_class(settings, epoch_log)(
        hypermodel=built.loaded.hypermodel,
        objective=_objective(settings.objectives, built.fit.accuracy),
        seed=settings.seed or SEED_FOR_ZERO,
        max_model_size=settings.limits.parameters,
        directory=str(task.folder),
        project_name=PROJECT,
        **_length(settings),
    )
    tuner.search(
        *map(plain, data.train),
        verbose=0,
        **plain(dict(data.offered)),
        **_fit_arguments(settings, built, dataset, has_batches=data.has_batches),
    )


def _length(settings: StudySettings) -> dict[str, Any]:
    """Return the arguments of KerasTuner's class that limit the search."""
    schedule = settings.schedule
    if schedule.name != "hyperband":
        return {"max_trials": settings.budget.trials}
    is_whole = schedule.factor == int(schedule.factor)
    return {
        "max_epochs": schedule.max_epochs,
        "factor": int(schedule.factor) if is_whole else schedule.factor,
        "hyperband_iterations": schedule.iterations or 1,
    }


def _objective(objectives: tuple[Objective, ...], accuracy: str | None) -> Any:
    import keras_tuner

    translated = []
    for objective in objectives:
        name = network_metric(objective.name, accuracy)
        translated.append(keras_tuner.Objective(name, objective.direction))
    return translated if len(translated) > 1 else translated[0]


def _fit_arguments(
    settings: StudySettings, built: Built, dataset: AnyDataset, *, has_batches: bool
) -> dict[str, Any]:
    from eyetune.training.model_function.function_training import weights_of_classes
    from eyetune.training.model_function.user_call import DECIDED_BY_TRAINING

    user_arguments = built.loaded.arguments
    arguments: dict[str, Any] = {"epochs": settings.schedule.max_epochs}
    if not (
        built.loaded.has_own_fit or has_batches
    ):  # which may choose the batch size and would get two
        arguments["batch_size"] = settings.recipe.fit.batch_size
    weights = weights_of_classes(settings.recipe, dataset)
    if weights:
        arguments["class_weight"] = weights
    arguments |= {
        name: value for name, value in user_arguments.items() if name not in DECIDED_BY_TRAINING
    }
    arguments["callbacks"] = [
        *(user_arguments.get("callbacks") or []),
        *_early_stopping(settings, built.fit.accuracy),
    ]
    return arguments


def _early_stopping(settings: StudySettings, accuracy: str | None) -> list[Any]:
    import keras

    section = settings.recipe.fit
    if not section.early_stopping:
        return []
    monitor = network_metric(section.monitor, accuracy)
    return [
        keras.callbacks.EarlyStopping(
            monitor,
            patience=section.early_stopping,
            mode="max" if is_better_high(monitor) else "min",
            restore_best_weights=section.restore_best,
        )
    ]


def _tuner_class(settings: StudySettings, epoch_log: EpochLogWriter) -> Any:
    """Return KerasTuner's class for a search, extended to log each epoch."""
    import importlib.util

    import keras_tuner

    is_hyperband = settings.schedule.name == "hyperband"
    class_name = "Hyperband" if is_hyperband else TUNER_CLASSES[settings.sampler]
    has_tensorboard = importlib.util.find_spec("tensorboard") is not None

    class LoggingTuner(getattr(keras_tuner, class_name)):  # type: ignore[misc]
        def on_epoch_begin(self, trial: Any, model: Any, epoch: int, logs: Any = None) -> None:
            super().on_epoch_begin(trial, model, epoch, logs=logs)
            epoch_log.begin_epoch()

        def on_batch_end(self, trial: Any, model: Any, batch: int, logs: Any = None) -> None:
            super().on_batch_end(trial, model, batch, logs)
            epoch_log.end_batch()

        def on_epoch_end(self, trial: Any, model: Any, epoch: int, logs: Any = None) -> None:
            super().on_epoch_end(trial, model, epoch, logs=logs)
            epochs_before = trial.hyperparameters.values.get("tuner/initial_epoch", 0)
            learning_rate = float(getattr(model.optimizer, "learning_rate", 0.0))
            number = epoch + 1 - epochs_before
            epoch_log.end_epoch(trial.trial_id, number, learning_rate, logs or {})

        if not has_tensorboard:  # TensorFlow from 2.21 on does not include it

            def _configure_tensorboard_dir(self, *_: Any) -> None:
                """Skip the import of TensorBoard, which only its own callbacks need."""

    return LoggingTuner
