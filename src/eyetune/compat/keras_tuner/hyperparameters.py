"""KerasTuner's hyperparameters: preset before a search, and returned after it."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from eyetune.errors import UsageError
from eyetune.models.model_function import SEARCHED_NAMES
from eyetune.records.study import SchedulerSettings, StudyRecord
from eyetune.records.trial import TrialRecord
from eyetune.space.hyperparameters import Choice, Condition, Range, Value
from eyetune.space.space import Space
from eyetune.tuning.schedulers.plans import hyperband_brackets


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
        build_preset = _with_preset(build, config, allow_new_entries=allow_new_entries)
        if not tune_new_entries:
            names = frozenset(entry.name for entry in hyperparameters.space)
            setattr(build_preset, SEARCHED_NAMES, names)
        return build_preset

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
    build: Callable[[Any], Any], config: dict[str, Any], *, allow_new_entries: bool
) -> Callable[[Any], Any]:
    @wraps(build)  # keeps the user's module, which the workers import
    def build_preset(hp: Any) -> Any:
        import keras_tuner

        given = keras_tuner.HyperParameters.from_config(config)
        hp.merge(given, overwrite=False)
        model = build(hp)
        if not allow_new_entries:
            _check_entries(config, hp)
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


def hyperparameters_of_trial(study: StudyRecord, trial: TrialRecord) -> Any:
    """Return the `keras_tuner.HyperParameters` of a recorded trial, with all that it used.

    Args:
        study: Its study; with Hyperband, the values include the trial's place in its plan.
        trial: The trial.
    """
    values = {**trial.all_values, **hyperband_values(study.settings.schedule, trial)}
    space = study.space
    if trial.more_hyperparameters:
        names = space.names
        more = [entry for entry in trial.more_hyperparameters if entry.name not in names]
        space = Space.make([*space.distributions, *more])
    return hyperparameters_of(space, values)


def hyperband_values(schedule: SchedulerSettings, trial: TrialRecord) -> dict[str, Value]:
    """Return what KerasTuner's Hyperband adds to the values of a trial; nothing for others.

    Scripts read from it how long to train a network.

    Args:
        schedule: The scheduler of the study.
        trial: The trial. KerasTuner counts brackets downwards, and those of each iteration again.

    Example:
        >>> schedule = SchedulerSettings(name="hyperband", max_epochs=10)
        >>> state = {"state": "COMPLETE", "values": {}}
        >>> trial = TrialRecord(number=7, bracket=0, rung=2, epochs_granted=10, **state)
        >>> hyperband_values(schedule, trial)  # doctest: +NORMALIZE_WHITESPACE
        {'tuner/epochs': 10, 'tuner/initial_epoch': 4, 'tuner/bracket': 2, 'tuner/round': 2,
         'tuner/trial_id': '0007'}
    """
    if schedule.name != "hyperband":
        return {}
    brackets = hyperband_brackets(schedule.max_epochs, schedule.factor, schedule.min_epochs)
    place = trial.bracket % len(brackets)
    values: dict[str, Value] = {
        "tuner/epochs": trial.epochs_granted,
        "tuner/initial_epoch": brackets[place].epochs[trial.rung - 1] if trial.rung else 0,
        "tuner/bracket": len(brackets) - 1 - place,
        "tuner/round": trial.rung,
    }
    if trial.rung:
        values["tuner/trial_id"] = trial_id(trial.number, None)
    return values


def trial_id(number: int, max_trials: int | None) -> str:
    """Return KerasTuner's id of a trial: its number, with leading zeros.

    Example:
        >>> trial_id(3, 10), trial_id(3, None)
        ('03', '0003')
    """
    return f"{number:0{len(str(max_trials))}d}"


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
        if not distribution.whole:
            return {"class_name": "Float", "config": config | bounds}
        if distribution.default == distribution.low:
            config["default"] = None  # as KerasTuner writes it where no default is given
        return {"class_name": "Int", "config": config | bounds}
    has_bools_only = all(isinstance(value, bool) for value in distribution.values)
    if has_bools_only and set(distribution.values) == {True, False}:
        return {"class_name": "Boolean", "config": config}
    if distribution.is_constant:
        constant = {"name": distribution.name, "value": distribution.values[0]}
        return {"class_name": "Fixed", "config": constant | {"conditions": config["conditions"]}}
    choices = {"values": list(distribution.values), "ordered": distribution.ordered}
    return {"class_name": "Choice", "config": config | choices}


def _condition(condition: Condition) -> dict[str, Any]:
    config = {"name": condition.parent, "values": list(condition.values)}
    return {"class_name": "Parent", "config": config}
