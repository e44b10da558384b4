"""Hyperparameters that are given to a tuner."""

from __future__ import annotations

from typing import Any

import keras_tuner
import pytest

from eyetune.compat.keras_tuner.hyperparameters import as_hypermodel, hyperparameters_of, preset
from eyetune.models.model_function.discovery import discover_in, space_of


def build(hp: Any) -> tuple[int, float]:
    return hp.Int("units", 4, 8), hp.Choice("rate", [0.1, 0.01])


def given(**values: Any) -> Any:
    hyperparameters = keras_tuner.HyperParameters()
    for name, value in values.items():
        hyperparameters.Fixed(name, value)
    return hyperparameters


class OwnFit(keras_tuner.HyperModel):  # type: ignore[misc]
    """Uses one hyperparameter more while it trains."""

    def build(self, hp: Any) -> Any:
        return build(hp)

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        return hp.Int("batch_size", 8, 16)


def test_preset_replaces_hyperparameters_and_finds_others() -> None:
    hp = keras_tuner.HyperParameters()
    assert preset(build, given(units=6))(hp) == (6, 0.1)
    assert [entry.name for entry in hp.space] == ["units", "rate"]


def test_preset_leaves_others_at_their_defaults() -> None:
    hp = keras_tuner.HyperParameters()
    function = preset(build, given(units=6), tune_new_entries=False)
    assert function(hp) == (6, 0.1)
    assert hp.values == {"units": 6, "rate": 0.1}
    assert discover_in(as_hypermodel(function)).names == ("units",)
    assert discover_in(as_hypermodel(preset(build, given(units=6)))).names == ("units", "rate")


def test_preset_refuses_others_where_none_are_allowed() -> None:
    hp = keras_tuner.HyperParameters()
    all_of_them = given(units=6, rate=0.5)
    assert preset(build, all_of_them, allow_new_entries=False)(hp) == (6, 0.5)
    for tune_new_entries in (True, False):
        function = preset(
            build, given(units=6), tune_new_entries=tune_new_entries, allow_new_entries=False
        )
        with pytest.raises(keras_tuner.errors.FatalError):
            function(keras_tuner.HyperParameters())


def test_preset_refuses_others_of_the_users_fit() -> None:
    hypermodel = preset(OwnFit(), given(units=6, rate=0.5), allow_new_entries=False)
    hp = keras_tuner.HyperParameters()
    model = hypermodel.build(hp)
    with pytest.raises(keras_tuner.errors.FatalError):
        hypermodel.fit(hp, model)
    allowed = preset(OwnFit(), given(units=6, rate=0.5, batch_size=9), allow_new_entries=False)
    hp = keras_tuner.HyperParameters()
    assert allowed.fit(hp, allowed.build(hp)) == 9


def test_constants_come_back_as_fixed() -> None:
    hp = given(rate=0.5, name="adam")
    hp.Choice("units", [4])
    hp.Choice("unordered", [4], ordered=False)
    hp.Choice("last", ["softmax"])
    hp.Choice("kind", ["a", "b"])
    found = hyperparameters_of(space_of(hp), hp.values)
    kinds = [type(entry).__name__ for entry in found.space]
    assert kinds == ["Fixed", "Fixed", "Choice", "Choice", "Choice", "Choice"]
    assert found.values == hp.values


def test_entries_come_back_with_the_same_configuration() -> None:
    hp = keras_tuner.HyperParameters()
    hp.Int("units", 4, 60, step=8)
    hp.Int("layers", 1, 3, default=2)
    hp.Int("size", 2, 64, step=2, sampling="log")
    hp.Float("rate", 1e-4, 1e-2, sampling="log", default=1e-3)
    hp.Choice("last", ["softmax"])
    hp.Fixed("constant", 0.5)
    with hp.conditional_scope("layers", [2]):
        hp.Boolean("wide", default=True)
    assert hyperparameters_of(space_of(hp), hp.values).get_config() == hp.get_config()
