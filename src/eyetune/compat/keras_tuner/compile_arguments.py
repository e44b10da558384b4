"""The tuners' arguments `optimizer`, `loss` and `metrics`: how each network is compiled again.

Workers get them with the model function. Objects of Keras hold variables, so each network gets
objects of its own, made from their configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

from eyetune.compat.keras_tuner.hyperparameters import with_build
from eyetune.errors import UsageError
from eyetune.models.keras_internals import compile_arguments, function_arguments

NAMES = ("optimizer", "loss", "metrics")


def recompiled(hypermodel: Any, arguments: Mapping[str, Any]) -> Any:
    """Return a model function whose networks are compiled again with other arguments.

    What is not given stays as the model function compiled it; so do its other arguments of
    `compile`.

    Args:
        hypermodel: A model function, a HyperModel or its class.
        arguments: `optimizer`, `loss` and `metrics` as Keras's `compile` takes them; those that
            are None, empty or missing are not given.

    Returns:
        The model function; the given one where no argument is given.

    Raises:
        UsageError: An object cannot be made from its configuration, or the function is given as
            `file.py:name`.
    """
    given = {name: _described(name, arguments[name]) for name in NAMES if arguments.get(name)}
    if not given:
        return hypermodel

    def wrap(build: Callable[[Any], Any]) -> Callable[[Any], Any]:
        @wraps(build)  # keeps the user's module, which the workers import
        def build_recompiled(hp: Any) -> Any:
            model = build(hp)
            model.compile(
                **{
                    **compile_arguments(model),
                    **{name: _made(value) for name, value in given.items()},
                }
            )
            return model

        return build_recompiled

    return with_build(hypermodel, wrap, argument=next(iter(given)))


@dataclass(frozen=True)
class _Description:
    """An object of Keras that can be pickled: its class, and its configuration or attributes.

    A loss has no variables, and its configuration may be incomplete: it is made from its
    attributes.
    """

    kind: type[Any]
    config: Mapping[str, Any]
    is_loss: bool

    def make(self) -> Any:
        if not self.is_loss:
            return self.kind.from_config(dict(self.config))
        loss = object.__new__(self.kind)
        vars(loss).update(self.config)
        return loss


def _described(name: str, value: Any) -> Any:
    """Return a value with descriptions instead of Keras's objects.

    Raises:
        UsageError: An object cannot be made from its configuration.
    """
    if isinstance(value, list | tuple):
        return [_described(name, item) for item in value]
    if isinstance(value, Mapping):
        return {key: _described(name, item) for key, item in value.items()}
    if not hasattr(value, "get_config") or not hasattr(type(value), "from_config"):
        return value
    import keras

    if isinstance(value, keras.losses.Loss):
        return _Description(type(value), dict(vars(value)), is_loss=True)
    try:
        description = _Description(type(value), value.get_config(), is_loss=False)
        is_complete = function_arguments(description.make()) == function_arguments(value)
        reason = "its get_config() does not contain all arguments"
    except Exception as error:  # classes of users raise any error
        is_complete, reason = False, f"{type(error).__name__}: {error}"
    if not is_complete:
        raise UsageError(
            f"Workers cannot receive the {name} of the tuner.",
            expected="an object that its class makes from its get_config()",
            received=f"{type(value).__name__}: {reason}",
            fix="Compile the model in build_model with it.",
        )
    return description


def _made(value: Any) -> Any:
    """Return a value with objects of Keras instead of their descriptions."""
    if isinstance(value, list):
        return [_made(item) for item in value]
    if isinstance(value, dict):
        return {key: _made(item) for key, item in value.items()}
    return value.make() if isinstance(value, _Description) else value
