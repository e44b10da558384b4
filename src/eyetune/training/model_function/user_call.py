"""Call a user's `HyperModel.fit` with the arguments of a search, and read what it returns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from eyetune.errors import EyetuneError
from eyetune.models.model_function import Built
from eyetune.models.model_function.tracebacks import failed, is_theirs
from eyetune.recipe import Recipe
from eyetune.training.model_function.callback_copies import CallbackCopies
from eyetune.training.model_function.user_data import UserData

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
    """Return the metrics in the result of a user's `fit`.

    Like KerasTuner, it accepts a dictionary of metrics, a single number (for `monitor`), or a
    Keras History, whose metrics are recorded elsewhere.
    """
    if isinstance(result, Mapping):
        return {str(name): float(value) for name, value in result.items()}
    if isinstance(result, int | float | np.number):
        return {monitor: float(result)}
    return {}
