"""Call a user's `HyperModel.fit` with the arguments of a search, and read what it returns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from eyetune.errors import EyetuneError, FatalTrialError
from eyetune.models.model_function import Built
from eyetune.models.model_function.tracebacks import failed, is_theirs
from eyetune.recipe import Recipe
from eyetune.training.model_function.callback_copies import CallbackCopies
from eyetune.training.model_function.user_data import UserData
from eyetune.values.history import is_better_high

# Arguments that a training decides itself, whatever the user gave to `search`.
DECIDED_BY_TRAINING = (
    "x",
    "y",
    "sample_weight",
    "validation_data",
    "validation_split",
    "epochs",
    "initial_epoch",
    "verbose",
    "callbacks",
)
# Python's message for an argument that a function sets itself or does not have. There is no other
# way to learn which one it is.
REJECTED_ARGUMENT = re.compile(
    r"got (?:multiple values for|an unexpected) (?:keyword )?argument '(\w+)'"
)


def call_user_fit(
    built: Built,
    recipe: Recipe,
    data: UserData,
    copies: CallbackCopies,
    class_weight: Mapping[int, float] | None,
    has_started: Callable[[], bool],
    callbacks: Sequence[Any] = (),
) -> Any:
    """Return the result of the user's `fit`, called with what a search hands over.

    Arguments that the user's `fit` sets itself or does not accept are left out.

    Args:
        built: The network and the model function.
        recipe: For epochs and batch size.
        data: Training and validation data.
        copies: The copies of the user's callbacks for this training.
        class_weight: Weights of the classes, if any.
        has_started: Whether the network's `fit` was called, so that no second try is possible.
        callbacks: Callbacks for this training alone, beside copies of those of the search.

    Raises:
        FunctionError: The user's code raised an exception.
    """
    search_arguments = built.loaded.arguments
    offered: dict[str, Any] = {"epochs": recipe.fit.epochs, "verbose": 0}
    if not data.has_batches:
        offered["batch_size"] = recipe.fit.batch_size
    if class_weight:
        offered["class_weight"] = class_weight
    offered |= {
        name: value for name, value in search_arguments.items() if name not in DECIDED_BY_TRAINING
    }
    while True:
        arguments = {
            **data.offered,
            "callbacks": [*copies.make(), *callbacks],
            **offered,
        }
        try:
            return built.loaded.hypermodel.fit(
                built.hyperparameters, built.model, *data.train, **arguments
            )
        except (EyetuneError, MemoryError):
            raise
        except TypeError as error:
            rejected = REJECTED_ARGUMENT.search(str(error))
            if rejected is None or rejected[1] not in offered or has_started():
                raise _explained(error) from None
            del offered[rejected[1]]
        except Exception as error:
            raise _explained(error) from None


def _explained(error: Exception) -> Exception:
    """Return an error with the user's own traceback, if the exception came from their code."""
    if not is_theirs(error):
        return error
    return failed("The training of the model function raised an exception.", error)


def metrics_of(result: Any, monitor: str) -> dict[str, float]:
    """Return the metrics in the result of a user's `fit`, which count instead of the epochs'.

    Like KerasTuner, it accepts a dictionary of metrics, a single number (for `monitor`), a Keras
    History, whose metrics are recorded elsewhere, or a list of these: then the means count, of a
    History those of its best epoch.

    Args:
        result: What `fit` returned.
        monitor: Metric that chooses the best epoch, with its direction where the name does not
            imply it.

    Raises:
        FatalTrialError: It is something else.
    """
    if not isinstance(result, list) or not result:
        return _single_metrics(result, monitor)
    parts = [_single_metrics(part, monitor) or _best_metrics(part, monitor) for part in result]
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: fmean(part[name] for part in parts if name in part) for name in names}


def _single_metrics(result: Any, monitor: str) -> dict[str, float]:
    if isinstance(result, Mapping):
        return {str(name): float(value) for name, value in result.items()}
    if isinstance(result, int | float | np.number):
        return {monitor.partition(":")[0]: float(result)}
    if isinstance(getattr(result, "history", None), Mapping):
        return {}
    raise FatalTrialError(
        "HyperModel.fit did not return metrics.",
        kind="FatalTypeError",
        expected="a number, a dictionary, the result of model.fit, or a list of these",
        received=f"{type(result).__name__}: {result!r:.60}",
        fix="End it with: return model.fit(...).",
    )


def _best_metrics(history: Any, monitor: str) -> dict[str, float]:
    """Return the metrics of the best epoch of a Keras History."""
    metric, _, direction = monitor.partition(":")
    columns = history.history
    values = columns.get(metric)
    if not values:
        return {}
    maximize = direction == "max" if direction else is_better_high(metric)
    best = values.index(max(values) if maximize else min(values))
    return {name: float(column[best]) for name, column in columns.items() if best < len(column)}
