"""KerasTuner's hyperparameters: preset before a search, and returned after it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from eyetune.errors import UsageError
from eyetune.space.hyperparameters import Choice, Condition, Range, Value
from eyetune.space.space import Space


def preset(hypermodel: Any, hyperparameters: Any, *, tune_new_entries: bool) -> Any:
    """Return a model function whose hyperparameters are replaced by given ones of the same name.

    Args:
        hypermodel: A model function or a HyperModel.
        hyperparameters: A `keras_tuner.HyperParameters`; None leaves the function as it is.
        tune_new_entries: Whether other hyperparameters are searched too or keep their defaults.

    Raises:
        UsageError: The function is given as `file.py:name`.
    """
    if hyperparameters is None:
        return hypermodel
    if isinstance(hypermodel, str | Path):
        raise UsageError(
            "hyperparameters need the model function itself.",
            expected="a function or a HyperModel",
            received=str(hypermodel),
            fix="Import the function and pass it.",
        )
    config = hyperparameters.get_config()
    if not hasattr(hypermodel, "build"):
        return _with_preset(hypermodel, config, tune_new_entries=tune_new_entries)
    preset_hypermodel = copy.copy(hypermodel)
    preset_hypermodel.build = _with_preset(
        hypermodel.build, config, tune_new_entries=tune_new_entries
    )
    return preset_hypermodel


def _with_preset(
    build: Callable[[Any], Any], config: dict[str, Any], *, tune_new_entries: bool
) -> Callable[[Any], Any]:
    @wraps(build)  # keeps the user's module, which the workers import
    def build_preset(hp: Any) -> Any:
        import keras_tuner

        hp.merge(keras_tuner.HyperParameters.from_config(config), overwrite=False)
        return build(hp if tune_new_entries else hp.copy())

    return build_preset


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
    choices = {"values": list(distribution.values), "ordered": distribution.ordered}
    return {"class_name": "Choice", "config": config | choices}


def _condition(condition: Condition) -> dict[str, Any]:
    config = {"name": condition.parent, "values": list(condition.values)}
    return {"class_name": "Parent", "config": config}
