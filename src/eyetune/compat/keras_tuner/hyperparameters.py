"""KerasTuner's hyperparameters that are given before a search or returned after it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from eyetune.errors import UsageError
from eyetune.space.space import Choice, Condition, Range, Space, Value


def preset(hypermodel: Any, hyperparameters: Any, *, tune_new_entries: bool) -> Any:
    """Return a model function in which given hyperparameters replace those of the same name.

    Args:
        hypermodel: The model function, or a HyperModel.
        hyperparameters: A `keras_tuner.HyperParameters`; None leaves the function unchanged.
        tune_new_entries: Whether other hyperparameters are searched or keep their defaults.

    Raises:
        UsageError: The function is named by its file.
    """
    if hyperparameters is None:
        return hypermodel
    if isinstance(hypermodel, str | Path):
        raise UsageError(
            "`hyperparameters` requires a function, not the name of one.",
            received=str(hypermodel),
            fix="Import the function and hand it over itself.",
        )
    config = hyperparameters.get_config()
    if not hasattr(hypermodel, "build"):
        return _building(hypermodel, config, tune_new_entries=tune_new_entries)
    changed = copy.copy(hypermodel)
    changed.build = _building(hypermodel.build, config, tune_new_entries=tune_new_entries)
    return changed


def _building(
    build: Callable[[Any], Any], config: dict[str, Any], *, tune_new_entries: bool
) -> Callable[[Any], Any]:
    @wraps(build)  # in the user's own module, which is sent to the workers
    def build_preset(hp: Any) -> Any:
        import keras_tuner

        hp.merge(keras_tuner.HyperParameters.from_config(config), overwrite=False)
        return build(hp if tune_new_entries else hp.copy())

    return build_preset


def as_hypermodel(given: Any) -> Any:
    """Return the `keras_tuner.HyperModel` of a model function, or the one that is given."""
    import keras_tuner

    if isinstance(given, keras_tuner.HyperModel):
        return given
    hypermodel = keras_tuner.HyperModel()
    hypermodel.build = given
    return hypermodel


def hyperparameters_of(space: Space, values: Mapping[str, Value]) -> Any:
    """Return a `keras_tuner.HyperParameters` of a space with these values.

    Example:
        >>> space = Space.make([Choice(name="units", values=(32, 64))])
        >>> found = hyperparameters_of(space, {"units": 64})
        >>> found.get("units"), found.Choice("units", [32, 64]), [one.name for one in found.space]
        (64, 64, ['units'])
    """
    import keras_tuner

    late = (
        space.complete(values).keys() - values.keys()
    )  # it appeared after the trial, and would need a value
    entries = [_entry(one) for one in space.distributions if one.name not in late]
    return keras_tuner.HyperParameters.from_config({"space": entries, "values": dict(values)})


def _entry(one: Choice | Range) -> dict[str, Any]:
    """Return a distribution in KerasTuner's format of a hyperparameter."""
    config: dict[str, Any] = {
        "name": one.name,
        "default": one.default,
        "conditions": [_condition(each) for each in one.conditions],
    }
    if isinstance(one, Range):
        kind = "Int" if one.whole else "Float"
        ends = {
            "min_value": one.low,
            "max_value": one.high,
            "step": one.step,
            "sampling": one.sampling,
        }
        return {"class_name": kind, "config": config | ends}
    if set(one.values) == {True, False} and all(isinstance(value, bool) for value in one.values):
        return {"class_name": "Boolean", "config": config}
    return {
        "class_name": "Choice",
        "config": config | {"values": list(one.values), "ordered": one.ordered},
    }


def _condition(one: Condition) -> dict[str, Any]:
    return {"class_name": "Parent", "config": {"name": one.parent, "values": list(one.values)}}
