"""What `run_trial` and `load_model` of a tuner do unless a subclass overrides them.

It imports Keras: import it late.
"""

from __future__ import annotations

import gc
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
from keras_tuner import errors

from eyetune.compat.keras_tuner.hyperparameters import as_hypermodel
from eyetune.errors import FunctionError
from eyetune.models.model_function import deep_copies
from eyetune.training.model_function.own_loop import weights_digest
from eyetune.training.model_function.tensorboard_logs import configure_tensorboard

if TYPE_CHECKING:
    from eyetune.compat.keras_tuner.tuner import Tuner

WEIGHTS_FILE = "checkpoint.weights.h5"
BUILD_FILE = "build_config.json"
EPOCHS, INITIAL_EPOCH = "tuner/epochs", "tuner/initial_epoch"  # Hyperband's plan for a trial


class TrialHooks(keras.callbacks.Callback):  # type: ignore[misc]
    """Calls the methods of a tuner for the epochs and batches of a trial.

    Args:
        tuner: The tuner.
        trial: The trial.
    """

    def __init__(self, tuner: Tuner, trial: Any) -> None:
        super().__init__()
        self._tuner = tuner
        self._trial = trial

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Call the tuner's method at the beginning of an epoch."""
        self._tuner.on_epoch_begin(self._trial, self.model, epoch, logs=logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Call the tuner's method at the end of an epoch."""
        self._tuner.on_epoch_end(self._trial, self.model, epoch, logs=logs)

    def on_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Call the tuner's method at the beginning of a training batch."""
        self._tuner.on_batch_begin(self._trial, self.model, batch, logs)

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        """Call the tuner's method at the end of a training batch."""
        self._tuner.on_batch_end(self._trial, self.model, batch, logs)


class BestWeights(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves the weights of the best epoch of all executions of a trial.

    Where the objective is not measured in each epoch, the last one is saved.

    Args:
        path: File of the weights.
        objective: Name of the first objective.
        sign: 1 if it is maximized, -1 if it is minimized.
    """

    def __init__(self, path: Path, objective: str, sign: int) -> None:
        super().__init__()
        self._path = path
        self._objective = objective
        self._sign = sign
        self._best = -math.inf
        self.has_saved = False

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Save the weights if the epoch is the best one so far."""
        if self._objective in (logs or {}):
            score = self._sign * float(logs[self._objective])
            if self.has_saved and not score > self._best:
                return
            self._best = max(self._best, score)
        self.save(self.model)

    def save(self, model: Any) -> None:
        """Save the weights of a model."""
        save_weights(model, self._path)
        self.has_saved = True


def train_trial(
    tuner: Tuner, trial: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> list[Any]:
    """Build and train the network of a trial, once for each execution.

    Args:
        tuner: The tuner.
        trial: The trial, with its hyperparameters.
        arguments: Positional arguments of `HyperModel.fit`.
        keywords: Keyword arguments of it. Each execution has a copy of the callbacks.

    Returns:
        What `HyperModel.fit` returned, for each execution.

    Raises:
        FatalError: The callbacks cannot be copied, or the model function returned no Keras model.
        FailedTrialError: The network is larger than `max_model_size`.
    """
    hyperparameters = trial.hyperparameters
    keywords = dict(keywords)
    callbacks = keywords.pop("callbacks", None)
    planned = hyperparameters.values
    if EPOCHS in planned:
        keywords |= {"epochs": planned[EPOCHS], "initial_epoch": planned[INITIAL_EPOCH]}
    folder = Path(tuner.get_trial_dir(trial.trial_id))
    objective = tuner.objectives[0]
    keeper = BestWeights(
        folder / WEIGHTS_FILE, objective.name, 1 if objective.direction == "max" else -1
    )
    results = []
    for execution in range(tuner.executions_per_trial):
        try:
            copies = deep_copies(callbacks)
        except FunctionError as error:
            raise errors.FatalValueError(str(error)) from None
        logs = configure_tensorboard(
            copies, f"{trial.trial_id}/execution{execution}", hyperparameters
        )
        model = _built(tuner, hyperparameters)
        if planned.get(INITIAL_EPOCH):
            _restore(model, folder)
        before = weights_digest(model) if model.built else None
        hooks = TrialHooks(tuner, trial)
        results.append(
            _hypermodel(tuner).fit(
                hyperparameters,
                model,
                *arguments,
                **keywords,
                callbacks=[*copies, *logs, hooks, keeper],
            )
        )
        _write_build_config(model, folder)
        is_trained = model.built and weights_digest(model) != before
        if is_trained and not keeper.has_saved:  # its own loop does not call the callbacks
            keeper.save(model)
    return results


def trained_model(tuner: Tuner, trial: Any) -> Any:
    """Return the network of a trial with the weights that `train_trial` saved.

    Raises:
        FileNotFoundError: There are none.
    """
    model = _built(tuner, trial.hyperparameters)
    _restore(model, Path(tuner.get_trial_dir(trial.trial_id)))
    return model


def save_weights(model: Any, path: Path) -> None:
    """Write the weights of a model for `trained_model`."""
    model.save_weights(path)
    _write_build_config(model, path.parent)


def _built(tuner: Tuner, hyperparameters: Any) -> Any:
    keras.backend.clear_session()
    gc.collect()
    model = _hypermodel(tuner).build(hyperparameters)
    if not isinstance(model, keras.Model):
        raise errors.FatalTypeError(
            f"The model function must return a Keras model, not {type(model).__name__}."
        )
    limit = tuner.max_model_size
    if limit and model.built:
        size = sum(math.prod(weights.shape) for weights in model.trainable_weights)
        if size > limit:
            raise errors.FailedTrialError(
                f"The network has {size:,} trainable parameters, more than max_model_size={limit}."
            )
    return model


def _hypermodel(tuner: Tuner) -> Any:
    """Return the hypermodel with the arguments of the tuner, such as preset hyperparameters."""
    function = tuner.model_function
    if function is None:
        raise errors.FatalValueError(
            "The tuner has no hypermodel that super().run_trial() or load_model() could build. "
            "Pass one, or override these methods completely."
        )
    return as_hypermodel(function)


def _restore(model: Any, folder: Path) -> None:
    build_config = folder / BUILD_FILE
    if not model.built and build_config.exists():
        model.build_from_config(json.loads(build_config.read_text(encoding="utf-8")))
    model.load_weights(folder / WEIGHTS_FILE)


def _write_build_config(model: Any, folder: Path) -> None:
    config = model.get_build_config() if model.built else None
    if config:
        (folder / BUILD_FILE).write_text(json.dumps(config), encoding="utf-8")
