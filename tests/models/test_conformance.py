"""The same model definitions through KerasTuner itself and through eyetune: same space, values and
networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import pytest

from eyetune.errors import FunctionError
from eyetune.models.model_function import ImageInputs, build_with, discover, keep, space_of
from eyetune.space.hyperparameters import Choice, Range
from eyetune.space.space import Space

SHAPE = (12, 12, 3)


def finished(model: Any, rate: float = 0.001, optimizer: Any = None) -> Any:
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(3, activation="softmax"))
    model.compile(
        optimizer or keras.optimizers.Adam(rate), "categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def started() -> Any:
    return keras.Sequential([keras.Input(SHAPE)])


def lab(hp: Any) -> Any:
    """Build the network of the lab's last step, with a tenth of its filters."""
    model = started()
    for i in range(hp.Int("conv_layers", 1, 3)):
        model.add(
            keras.layers.Conv2D(
                hp.Int(f"filters_{i}", min_value=4, max_value=16, step=4), (3, 3), activation="relu"
            )
        )
        model.add(keras.layers.MaxPooling2D((2, 2), padding="same"))
    model.add(keras.layers.Flatten())
    model.add(
        keras.layers.Dense(
            units=hp.Int("units", min_value=4, max_value=16, step=4), activation="relu"
        )
    )
    return finished(model, hp.Choice("learning_rate", values=[1e-2, 1e-3, 1e-4]))


def conditional(hp: Any) -> Any:
    kind = hp.Choice("kind", ["mlp", "cnn", "plain"])
    model = started()
    with hp.conditional_scope("kind", ["mlp"]):
        units = hp.Int("units", 4, 8)
        if kind == "mlp":
            model.add(keras.layers.Flatten())
            model.add(keras.layers.Dense(units))
        else:
            assert units is None
    with hp.conditional_scope("kind", ["cnn", "plain"]):
        filters = hp.Int("filters", 2, 8, step=2, default=6)
        if filters is not None:
            model.add(keras.layers.Conv2D(filters, 3))
    return finished(model)


def nested(hp: Any) -> Any:
    model = started()
    deep = hp.Boolean("deep")
    with hp.conditional_scope("deep", [True]):
        if deep:
            kind = hp.Choice("kind", ["wide", "narrow"], default="narrow")
            with hp.conditional_scope("kind", "wide"):
                if kind == "wide":
                    model.add(keras.layers.Conv2D(hp.Int("filters", 4, 12, 4), 3))
            with hp.conditional_scope("kind", "narrow"):
                if kind == "narrow":
                    model.add(keras.layers.DepthwiseConv2D(hp.Choice("kernel", [1, 3])))
    return finished(model)


def scoped(hp: Any) -> Any:
    model = started()
    for name in ("first", "second"):
        with hp.name_scope(name):
            model.add(keras.layers.Conv2D(hp.Int("filters", 2, 4), 3))
            assert hp.get("filters") == hp["filters"]
            with hp.name_scope("rest"):
                has_pool = hp.Boolean("pool", default=True)
                with hp.conditional_scope("pool", [True]):
                    if has_pool:
                        model.add(keras.layers.MaxPooling2D(hp.Int("size", 1, 2)))
    assert "first/filters" in hp
    assert "filters" not in hp
    return finished(model)


def late(hp: Any) -> Any:
    model = started()
    if hp.Boolean("dropout"):
        model.add(keras.layers.Dropout(hp.Float("rate", 0.1, 0.5, step=0.1)))
    return finished(model)


def fixed(hp: Any) -> Any:
    model = started()
    model.add(
        keras.layers.Conv2D(
            hp.Fixed("filters", 3), hp.Fixed("kernel", 3), activation=hp.Fixed("how", "relu")
        )
    )
    hp.Fixed("slope", 0.5)
    hp.Fixed("bias", True)
    return finished(model)


def ranges(hp: Any) -> Any:
    model = started()
    model.add(keras.layers.Conv2D(hp.Int("filters", 2, 16, step=2, sampling="log"), 3))
    model.add(keras.layers.Dropout(hp.Float("dropout", 0.01, 0.5, sampling="reverse_log")))
    hp.Int("whole", 1, 100, sampling="log", default=10)
    hp.Float("plain", 0, 1, default=0.25)
    hp.Float("reverse", 0.1, 0.9, step=2, sampling="reverse_log")
    return finished(model, hp.Float("rate", 1e-4, 1e-2, step=10, sampling="log"))


def parents(hp: Any) -> Any:
    model = started()
    name = hp.Choice("optimizer", ["sgd", "adam"])
    rate = hp.Choice("rate", [0.1, 0.01], default=0.01, ordered=False)
    momentum = hp.Float("momentum", 0.5, 0.9, parent_name="optimizer", parent_values=["sgd"])
    hp.Choice("true", [True, False])
    assert (momentum is None) == (name == "adam")
    return finished(
        model,
        optimizer=keras.optimizers.SGD(rate, momentum) if momentum else keras.optimizers.Adam(rate),
    )


def again(hp: Any) -> Any:
    """Use one name in two scopes of one parent."""
    model = started()
    kind = hp.Choice("kind", ["a", "b", "c"])
    for one in ("a", "b"):
        with hp.conditional_scope("kind", one):
            units = hp.Int("filters", 2, 4)
            if kind == one:
                model.add(keras.layers.Conv2D(units, 3))
    return finished(model)


class Model(keras_tuner.HyperModel):  # type: ignore[misc]
    def declare_hyperparameters(self, hp: Any) -> None:
        hp.Int("declared", 1, 3)

    def build(self, hp: Any) -> Any:
        model = started()
        model.add(keras.layers.Conv2D(hp.get("declared") if "declared" in hp else 1, 3))
        return finished(model)

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        return model.fit(*args, batch_size=hp.Choice("batch_size", [16, 32]), **kwargs)


@dataclass(frozen=True)
class Case:
    function: Callable[..., Any]
    values: tuple[Mapping[str, Any], ...] = field(default=({},))


CASES = [
    Case(
        lab,
        (
            {},
            {"conv_layers": 2, "filters_0": 8, "filters_1": 12, "units": 16, "learning_rate": 1e-4},
        ),
    ),
    Case(
        conditional, ({"kind": "mlp", "units": 8}, {"kind": "cnn"}, {"kind": "plain", "filters": 2})
    ),
    Case(nested, ({"deep": True, "kind": "wide", "filters": 8}, {"deep": True}, {})),
    Case(scoped, ({"first/filters": 3, "second/rest/pool": False}, {"first/rest/size": 2})),
    Case(late, ({"dropout": True, "rate": 0.3}, {"dropout": True}, {"dropout": False})),
    Case(fixed, ({},)),
    Case(ranges, ({"filters": 8, "rate": 1e-3, "dropout": 0.2},)),
    Case(parents, ({"optimizer": "adam"}, {"optimizer": "sgd", "momentum": 0.7})),
    Case(again, ({"kind": "b", "filters": 4}, {"kind": "c"})),
    Case(Model, ({"declared": 2}, {})),
]
BY_NAME = [pytest.param(case, id=case.function.__name__) for case in CASES]


def trial_of(tuner: Any, values: Mapping[str, Any]) -> Any:
    """Return hyperparameters as a trial has them: a value for each one that counts, and for no
    other.
    """
    hyperparameters = tuner.oracle.get_space()
    hyperparameters.values = dict(values)
    for one in hyperparameters.space:
        if hyperparameters.is_active(one):
            hyperparameters.values.setdefault(one.name, one.default)
        elif not hyperparameters.is_active(one.name):
            hyperparameters.values.pop(one.name, None)
    return hyperparameters


@pytest.mark.parametrize("case", BY_NAME)
def test_space_values_and_networks_are_those_of_keras_tuner(case: Case, tmp_path: Path) -> None:
    word = keep(case.function, tmp_path / "functions")
    hypermodel = case.function() if isinstance(case.function, type) else case.function
    tuner = keras_tuner.RandomSearch(hypermodel, "val_accuracy", max_trials=1, directory=tmp_path)
    theirs = tuner.oracle.get_space()
    mine = discover(word)
    assert mine == space_of(theirs)
    assert list(mine.names) == list(dict.fromkeys(one.name for one in theirs.space))
    for one in theirs.space:
        assert mine[one.name].default == one.default
        assert type(mine[one.name].default) is type(one.default)
        if case.function is not again:
            conditions = [
                (condition.parent, list(condition.values))
                for condition in mine[one.name].conditions
            ]
            assert conditions == [
                (condition.name, condition.values) for condition in one.conditions
            ]
    for values in case.values:
        assert_same_network(word, values, tuner)


def assert_same_network(word: str, values: Mapping[str, Any], tuner: Any) -> None:
    hyperparameters = trial_of(tuner, values)
    keras.utils.clear_session(free_memory=False)
    theirs = tuner.hypermodel.build(hyperparameters)
    built = build_with(word, values, ImageInputs(SHAPE, 3))
    assert built.model.get_config() == theirs.get_config()
    assert [one.shape for one in built.model.weights] == [one.shape for one in theirs.weights]
    assert built.model.optimizer.get_config() == theirs.optimizer.get_config()
    assert built.values == {
        name: value for name, value in hyperparameters.values.items() if name in built.values
    }
    assert {name for name in values if hyperparameters.is_active(name)} <= set(built.values)
    assert set(built.values) <= set(built.space.names)


def test_no_value_of_a_grid_is_another_than_keras_tuners(tmp_path: Path) -> None:
    from keras_tuner.engine import hyperparameters as kinds

    for one in [
        kinds.Int("a", 6, 13, step=3),
        kinds.Int("a", 1, 5),
        kinds.Int("a", 2, 40, step=2, sampling="log"),
        kinds.Int("a", 2, 40, step=3, sampling="reverse_log"),
        kinds.Float("a", 0.001, 10, step=10, sampling="log"),
        kinds.Float("a", 0.1, 0.9, step=2, sampling="reverse_log"),
        kinds.Float("a", 0.5, 2.25, step=0.25),
    ]:
        hyperparameters = keras_tuner.HyperParameters()
        hyperparameters.merge([one])
        grid = space_of(hyperparameters)["a"].grid()
        assert grid is not None
        theirs = [int(value) if isinstance(one, kinds.Int) else value for value in one.values]
        assert sorted(grid) == pytest.approx(sorted(set(theirs)))
    for sampling in ("log", "reverse_log"):
        without_step = kinds.Int("a", 3, 9, sampling=sampling)
        found = {without_step.prob_to_value(index / 1000) for index in range(1000)}
        assert found == set(
            Range(name="a", low=3, high=9, sampling=sampling, whole=True).grid() or ()
        )


def test_step_reaches_the_upper_end_as_keras_tuner_documents(tmp_path: Path) -> None:
    """KerasTuner's documentation promises 0, 0.2 ... 1.0; its code loses the last value to
    rounding.
    """
    assert Range(name="a", low=0.0, high=1.0, step=0.2, whole=False).grid() == pytest.approx(
        (0, 0.2, 0.4, 0.6, 0.8, 1)
    )


def test_discover_includes_unused_hyperparameters() -> None:
    hyperparameters = keras_tuner.HyperParameters()
    hyperparameters.Fixed("x", 3)
    expected = Choice(name="x", values=(3,), is_constant=True)
    assert space_of(hyperparameters) == Space(distributions=(expected,))


def test_discover_ends_with_an_unreachable_scope(tmp_path: Path) -> None:
    def contradictory(hp: Any) -> Any:
        hp.Choice("kind", ["a", "b"])
        with hp.conditional_scope("kind", ["a"]):
            hp.Boolean("inner")
        # KerasTuner forces the parent to a value that the function takes back, and builds forever.
        hp.values["kind"] = "b"
        with hp.conditional_scope("kind", ["a"]):
            hp.Int("never", 1, 2)
        return finished(started())

    assert discover(keep(contradictory, tmp_path)).names == ("kind", "inner", "never")


def test_space_of_rejects_one_name_for_two_hyperparameters(tmp_path: Path) -> None:
    def twice(hp: Any) -> Any:
        hp.Choice("kind", ["a", "b"])
        with hp.conditional_scope("kind", ["a"]):
            hp.Int("units", 1, 2)
        with hp.conditional_scope("kind", ["b"]):
            hp.Int("units", 10, 20)
        return finished(started())

    with pytest.raises(FunctionError, match="two different hyperparameters named units") as caught:
        discover(keep(twice, tmp_path))
    assert "name scope" in str(caught.value.fix)
