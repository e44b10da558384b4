"""The tuners and oracles take the arguments of the installed KerasTuner, in its order."""

from __future__ import annotations

import inspect
from inspect import Parameter
from typing import Any

import keras_tuner
import pytest

from eyetune.compat.keras_tuner import oracle, oracles, tuners
from eyetune.compat.keras_tuner.arguments import argument_names

TUNERS = ("BayesianOptimization", "GridSearch", "Hyperband", "RandomSearch")
ORACLES = tuple(f"{name}Oracle" for name in TUNERS)
OWN_ARGUMENTS = ("workers", "trackers")  # of eyetune


def arguments(function: Any) -> list[tuple[str, Any, Any]]:
    """Return name, kind and default of each argument that has a name."""
    return [
        (parameter.name, parameter.kind, parameter.default)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name not in OWN_ARGUMENTS
        and parameter.kind not in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)
    ]


@pytest.mark.parametrize("name", [*TUNERS, "Tuner"])
def test_tuner_takes_the_arguments_of_keras_tuner(name: str) -> None:
    assert arguments(getattr(tuners, name)) == arguments(getattr(keras_tuner, name))


@pytest.mark.parametrize("name", ORACLES)
def test_oracle_takes_the_arguments_of_keras_tuner(name: str) -> None:
    assert arguments(getattr(oracles, name)) == arguments(getattr(keras_tuner.oracles, name))


def test_base_class_of_oracles_takes_the_arguments_of_keras_tuner() -> None:
    assert arguments(oracle.Oracle) == arguments(keras_tuner.Oracle)


@pytest.mark.parametrize("name", TUNERS)
def test_tuner_takes_the_arguments_of_its_base_classes_by_name(name: str) -> None:
    base_classes = getattr(keras_tuner, name).__mro__
    theirs = {
        name
        for kind in base_classes
        if "__init__" in vars(kind) and kind is not object
        for name, *_ in arguments(kind)
    }
    assert theirs - {"oracle"} <= set(argument_names(getattr(tuners, name)))
