"""KerasTuner's hyperparameters: preset before a search, and returned after it."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from eyetune.errors import UsageError
from eyetune.records.study import TrialRecord
from eyetune.space.hyperparameters import Choice, Condition, Range, Value
from eyetune.space.space import Space


def preset(
    hypermodel: Any,
    hyperparameters: Any,
    *,
    tune_new_entries: bool = True,
    allow_new_entries: bool = True,
) -> Any:
    """Return a model function whose hyperparameters are replaced by given ones of the same name.

    Args:
        hypermodel: A model function or a HyperModel.
        hyperparameters: A `keras_tuner.HyperParameters`; None leaves the function as it is.
        tune_new_entries: Whether other hyperparameters are searched too or keep their defaults.
        allow_new_entries: Whether the function may use other hyperparameters at all; if not, a
            network with such a one raises KerasTuner's `FatalRuntimeError`.

    Raises:
        UsageError: The function is given as `file.py:name`.
    """
    if hyperparameters is None:
        return hypermodel
    config = hyperparameters.get_config()

    def wrap(build: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return _with_preset(
            build, config, tune_new_entries=tune_new_entries, allow_new_entries=allow_new_entries
        )

    changed = with_build(hypermodel, wrap, argument="hyperparameters")
    if not allow_new_entries and hasattr(changed, "fit"):
        changed.fit = _with_check(changed.fit, config)
    return changed


def with_build(
    hypermodel: Any, wrap: Callable[[Callable[[Any], Any]], Callable[[Any], Any]], *, argument: str
) -> Any:
    """Return a model function or HyperModel with another `build`.

    Args:
        hypermodel: A model function, a HyperModel or its class.
        wrap: Returns the new `build` for the present one.
        argument: The argument that demands it, for errors.

    Raises:
        UsageError: The function is given as `file.py:name`.
    """
    if isinstance(hypermodel, str | Path):
        raise UsageError(
            f"{argument} needs the model function itself.",
            expected="a function or a HyperModel",
            received=str(hypermodel),
            fix="Import the function and pass it.",
        )
    if not hasattr(hypermodel, "build"):
        return wrap(hypermodel)
    changed: Any = hypermodel() if inspect.isclass(hypermodel) else copy.copy(hypermodel)
    changed.build = wrap(changed.build)
    return changed


def _with_preset(
    build: Callable[[Any], Any],
    config: dict[str, Any],
    *,
    tune_new_entries: bool,
    allow_new_entries: bool,
) -> Callable[[Any], Any]:
    @wraps(build)  # keeps the user's module, which the workers import
    def build_preset(hp: Any) -> Any:
        import keras_tuner

        given = keras_tuner.HyperParameters.from_config(config)
        hp.merge(given, overwrite=False)
        used = hp if tune_new_entries else hp.copy()
        model = build(used)
        if not allow_new_entries:
            _check_entries(config, used)
        return model

    return build_preset


def _with_check(fit: Callable[..., Any], config: dict[str, Any]) -> Callable[..., Any]:
    @wraps(fit)
    def checked_fit(hp: Any, *args: Any, **kwargs: Any) -> Any:
        result = fit(hp, *args, **kwargs)
        _check_entries(config, hp)
        return result

    return checked_fit


def _check_entries(config: dict[str, Any], used: Any) -> None:
    """Refuse hyperparameters that were not given, with the error that ends a search."""
    import keras_tuner

    given = keras_tuner.HyperParameters.from_config(config)
    names = {entry.name for entry in given.space}
    new = [entry.name for entry in used.space if entry.name not in names]
    if new:
        raise keras_tuner.errors.FatalRuntimeError(
            f"allow_new_entries is False, but the model function uses {', '.join(new)}."
        )


def as_hypermodel(build_model: Any) -> Any:
    """Return a model function as a `keras_tuner.HyperModel`; a HyperModel is returned as it is."""
    import keras_tuner

    if isinstance(build_model, keras_tuner.HyperModel):
        return build_model
    hypermodel = keras_tuner.HyperModel()
    hypermodel.build = build_model
    return hypermodel


def hyperparameters_of(space: Space, values: Mapping[str, Value]) -> Any:
    """Return a `keras_tuner.HyperParameters` of a space with these values.

    Example:
        >>> space = Space.make([Choice(name="units", values=(32, 64))])
        >>> hp = hyperparameters_of(space, {"units": 64})
        >>> hp.get("units"), hp.Choice("units", [32, 64]), [entry.name for entry in hp.space]
        (64, 64, ['units'])
    """
    import keras_tuner

    # Hyperparameters that were discovered after the trial have no value in it.
    later_names = space.complete(values).keys() - values.keys()
    entries = [
        _entry(distribution)
        for distribution in space.distributions
        if distribution.name not in later_names
    ]
    return keras_tuner.HyperParameters.from_config({"space": entries, "values": dict(values)})


def _entry(distribution: Choice | Range) -> dict[str, Any]:
    """Return a distribution in KerasTuner's serialized form."""
    config: dict[str, Any] = {
        "name": distribution.name,
        "default": distribution.default,
        "conditions": [_condition(condition) for condition in distribution.conditions],
    }
    if isinstance(distribution, Range):
        bounds = {
            "min_value": distribution.low,
            "max_value": distribution.high,
            "step": distribution.step,
            "sampling": distribution.sampling,
        }
        class_name = "Int" if distribution.whole else "Float"
        return {"class_name": class_name, "config": config | bounds}
    has_bools_only = all(isinstance(value, bool) for value in distribution.values)
    if has_bools_only and set(distribution.values) == {True, False}:
        return {"class_name": "Boolean", "config": config}
    if len(distribution.values) == 1 and not distribution.ordered:
        constant = {"name": distribution.name, "value": distribution.values[0]}
        return {"class_name": "Fixed", "config": constant | {"conditions": config["conditions"]}}
    choices = {"values": list(distribution.values), "ordered": distribution.ordered}
    return {"class_name": "Choice", "config": config | choices}


def _condition(condition: Condition) -> dict[str, Any]:
    config = {"name": condition.parent, "values": list(condition.values)}
    return {"class_name": "Parent", "config": config}


def hyperband_values(trial: TrialRecord) -> dict[str, int]:
    """Return what KerasTuner's Hyperband adds to the values of a trial.

    Scripts read from these how long to train the best network.
    """
    return {"tuner/epochs": trial.epochs_granted, "tuner/initial_epoch": 0}
