"""Networks of model functions, trained on data that was given as arrays as Keras trains them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from eyetune.data import ArrayDataset
from eyetune.data.array_store import GivenData, keep_samples, open_samples
from eyetune.errors import FunctionError
from eyetune.models.model_function import build_with, keep
from eyetune.recipe import Recipe
from eyetune.training.evaluate import sample_probabilities
from eyetune.training.fit import Ending, Fitted
from eyetune.training.job import Job, work
from eyetune.training.load_data import inputs_of
from eyetune.training.model_files import load_classifier, load_compiled, save_fitted
from eyetune.values.run_files import MODEL_FILE, WEIGHTS_FILE
from tests.training.fitting import fit_recipe

RANDOM = np.random.default_rng(0)
TABLE = RANDOM.normal(size=(40, 5))
SEQUENCES = RANDOM.normal(size=(40, 6, 2)).astype(np.float32)
CLASSES = np.arange(40) % 3
NUMBERS = TABLE[:, :1] * 2 + 1


def dense(*widths: int, last: str | None = None) -> keras.Sequential:
    layers = [keras.layers.Dense(width, "relu") for width in widths[:-1]]
    return keras.Sequential([*layers, keras.layers.Dense(widths[-1], last)])


def regression(_: Any) -> Any:
    model = dense(4, 1)
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def sequences(_: Any) -> Any:
    model = keras.Sequential([keras.Input((6, 2)), keras.layers.Flatten(), keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    return model


def binary(_: Any) -> Any:
    model = dense(4, 1, last="sigmoid")
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    return model


def several(_: Any) -> Any:
    table, sequence = keras.Input((5,), name="table"), keras.Input((6, 2), name="sequence")
    hidden = keras.layers.Concatenate()([table, keras.layers.Flatten()(sequence)])
    outputs = {
        "number": keras.layers.Dense(1, name="number")(hidden),
        "label": keras.layers.Dense(3, "softmax", name="label")(hidden),
    }
    model = keras.Model({"table": table, "sequence": sequence}, outputs)
    losses = {"number": "mse", "label": "sparse_categorical_crossentropy"}
    model.compile("sgd", losses, metrics={"label": ["accuracy"]})
    return model


class Own(keras.Model):  # type: ignore[misc]
    """A network that Keras cannot save, since it has no get_config."""

    def __init__(self, width: int, labels: list[str]) -> None:
        super().__init__()
        self.labels = labels
        self.inner = keras.layers.Dense(width, "relu")
        self.outer = keras.layers.Dense(len(labels), "softmax")

    def call(self, inputs: Any) -> Any:
        return self.outer(self.inner(inputs))


def subclassed(hp: Any) -> Any:
    model = Own(hp.Int("width", 2, 8), ["a", "b", "c"])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class OwnStep(keras.Model):  # type: ignore[misc]
    """A network whose training step reports a metric of its own, and no loss."""

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            loss = 2 * self.compute_loss(x, y, self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"twice": loss}


def own_step(_: Any) -> Any:
    inputs = keras.Input((5,))
    model = OwnStep(inputs, keras.layers.Dense(1)(inputs))
    model.compile(keras.optimizers.SGD(0.01), "mse")
    return model


def wrong(_: Any) -> Any:
    model = keras.Sequential([keras.Input((7,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def dataset(folder: Path, *given: Any, **options: Any) -> ArrayDataset:
    options = {"validation_split": 0.25, **options}
    return open_samples(keep_samples(folder / "arrays", GivenData(*given), **options))


def recipe_of(
    folder: Path, function: Callable[[Any], Any], *, arguments: Any = None, **edits: Any
) -> Recipe:
    word = keep(function, folder / "functions", arguments)
    return Recipe().with_(
        {"model": {"function": word}, "fit.epochs": 3, "fit.batch_size": 8, **edits}
    )


CASES = {
    "table": (regression, (TABLE, NUMBERS), "val_loss"),
    "weights": (regression, (TABLE, NUMBERS, RANDOM.random(40)), "val_loss"),
    "logits": (sequences, (SEQUENCES, CLASSES), "val_accuracy"),
    "binary": (binary, (TABLE.astype(np.float16), CLASSES > 0), "val_accuracy"),
    "several": (
        several,
        (
            {"table": TABLE, "sequence": SEQUENCES},
            {"number": NUMBERS, "label": CLASSES.astype(np.uint8)},
        ),
        "val_loss",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_training_equals_that_of_keras(tmp_path: Path, name: str) -> None:
    function, given, monitor = CASES[name]
    data = dataset(tmp_path, *given)
    recipe = recipe_of(tmp_path, function, arguments={"shuffle": False}, **{"fit.monitor": monitor})
    fitted = fit_recipe(recipe, data, tmp_path / "run")
    theirs = build_with(recipe.model.function, {}, inputs_of(data), seed=0).model
    x, y, *weights = given
    history = theirs.fit(
        x,
        y,
        sample_weight=weights[0] if weights else None,
        batch_size=8,
        epochs=3,
        validation_split=0.25,
        shuffle=False,
        verbose=0,
    ).history
    assert fitted.ending is Ending.COMPLETE
    for metric, values in history.items():
        ours = [epoch.value(metric) for epoch in fitted.history]
        np.testing.assert_allclose(ours, values, rtol=1e-4, err_msg=metric)
    assert fitted.history[0].measures("accuracy") == ("accuracy" in history)


def test_training_in_parts_equals_a_whole_one(tmp_path: Path) -> None:
    data = dataset(tmp_path, TABLE, NUMBERS)
    recipe = recipe_of(tmp_path, regression, **{"fit.monitor": "val_loss"})
    whole = fit_recipe(recipe, data, tmp_path / "whole")
    for stop_after in (1, 2, None):
        parts = fit_recipe(recipe, data, tmp_path / "parts", resume=True, stop_after=stop_after)
    assert [epoch.val_loss for epoch in parts.history] == [e.val_loss for e in whole.history]
    for mine, other in zip(parts.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_training_without_validation_data(tmp_path: Path) -> None:
    data = dataset(tmp_path, TABLE, NUMBERS, validation_split=0.0)
    recipe = recipe_of(tmp_path, regression, **{"fit.monitor": "loss"})
    fitted = fit_recipe(recipe, data, tmp_path / "run")
    assert not any(epoch.measures("val_loss") for epoch in fitted.history)
    with pytest.raises(FunctionError):
        fit_recipe(recipe.with_({"fit.monitor": "val_loss"}), data, tmp_path / "other")


@pytest.mark.parametrize(
    ("function", "given", "edits"),
    [
        (wrong, (TABLE, NUMBERS), {}),
        (binary, (TABLE, NUMBERS[:, 0][:, np.newaxis].repeat(2, axis=1)), {}),
        (regression, (TABLE, NUMBERS), {"augment.flip": True}),
        (regression, (TABLE, NUMBERS), {"fit.class_weight": "balanced"}),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, function: Any, given: tuple[Any, ...], edits: dict[str, Any]
) -> None:
    recipe = recipe_of(tmp_path, function, **{"fit.monitor": "val_loss", **edits})
    with pytest.raises(FunctionError) as caught:
        fit_recipe(recipe, dataset(tmp_path, *given), tmp_path / "run")
    assert caught.value.received


def worked(folder: Path, function: Any, given: tuple[Any, ...]) -> tuple[Any, Recipe, ArrayDataset]:
    recipe = recipe_of(folder, function, **{"fit.epochs": 1, "fit.monitor": "val_loss"})
    data = dataset(folder, *given)
    run = folder / "run"
    run.mkdir()
    (run / "recipe.toml").write_text(recipe.to_toml())
    outcome = work(Job(recipe, run, 0, "float32", splits=("validation", "test")), data)
    return outcome, recipe, data


def test_classifier_has_predictions(tmp_path: Path) -> None:
    outcome, _, data = worked(tmp_path, sequences, (SEQUENCES, CLASSES))
    probabilities, labels = outcome.predictions["validation"]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)  # not logits
    assert labels.tolist() == CLASSES[30:].tolist()
    assert (probabilities.argmax(axis=1) == labels).mean() == pytest.approx(
        outcome.history[-1].val_accuracy
    )
    assert set(outcome.predictions) == {"validation"}
    assert data.validation is not None


def test_one_output_stands_for_two_classes(tmp_path: Path) -> None:
    outcome, _, _ = worked(tmp_path, binary, (TABLE, CLASSES > 0))
    probabilities, labels = outcome.predictions["validation"]
    assert probabilities.shape == (10, 2)
    assert (probabilities.argmax(axis=1) == labels).mean() == pytest.approx(
        outcome.history[-1].val_accuracy
    )


def test_regression_has_no_predictions(tmp_path: Path) -> None:
    outcome, _, _ = worked(tmp_path, regression, (TABLE, NUMBERS))
    assert outcome.is_over
    assert outcome.is_saved
    assert not outcome.predictions


@pytest.mark.parametrize(
    ("function", "given"),
    [(sequences, (SEQUENCES, CLASSES)), (subclassed, (TABLE, CLASSES))],
    ids=["of Keras", "without get_config"],
)
def test_network_comes_back_as_it_was_compiled(
    tmp_path: Path, function: Any, given: tuple[Any, ...]
) -> None:
    outcome, _, data = worked(tmp_path, function, given)
    folder = tmp_path / "run"
    assert (folder / MODEL_FILE).exists() != (folder / WEIGHTS_FILE).exists()
    model = load_compiled(folder, lambda: inputs_of(data))
    assert type(model.optimizer) is keras.optimizers.Adam
    assert int(model.optimizer.iterations) == 4  # steps of the epoch: its state is kept
    assert np.abs(np.asarray(model.optimizer.variables[2])).max() > 0
    x, y = given
    loss, accuracy = model.evaluate(x[30:], y[30:], verbose=0)
    assert loss == pytest.approx(outcome.history[-1].val_loss, rel=1e-4)
    assert accuracy == pytest.approx(outcome.history[-1].val_accuracy)
    model.fit(x, y, verbose=0)
    assert int(model.optimizer.iterations) == 6


def test_softmax_is_added_for_images_only(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    wrapped = keras.Sequential([model, keras.layers.Softmax()])
    fitted = Fitted(Ending.COMPLETE, (), 0, wrapped, network=model)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    save_fitted(fitted, tmp_path)
    assert len(load_classifier(tmp_path / MODEL_FILE).layers) == 2
    assert load_compiled(tmp_path, lambda: pytest.fail("not needed")).loss.from_logits


def test_sample_probabilities_of_logits_of_one_output(tmp_path: Path) -> None:
    def function(_: Any) -> Any:
        model = dense(1)
        model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
        return model

    data = dataset(tmp_path, TABLE, CLASSES > 0)
    built = build_with(keep(function, tmp_path / "functions"), {}, inputs_of(data))
    assert (built.fit.num_classes, built.fit.accuracy) == (2, None)
    found = sample_probabilities(built.model, data.train, built.fit)
    logits = built.model.predict(TABLE[:30], verbose=0)[:, 0]
    np.testing.assert_allclose(found[:, 1], 1 / (1 + np.exp(-logits)), rtol=1e-4)


@pytest.mark.parametrize("monitor", ["val_loss", "twice:min"])
def test_loss_that_a_train_step_leaves_out_is_none(tmp_path: Path, monitor: str) -> None:
    recipe = recipe_of(tmp_path, own_step, **{"fit.monitor": monitor, "fit.keep_best": True})
    shown: list[Any] = []
    fitted = fit_recipe(
        recipe, dataset(tmp_path, TABLE, NUMBERS), tmp_path / "run", on_progress=shown.append
    )
    assert [epoch.loss for epoch in fitted.history] == [None] * 3
    assert {position.loss for position in shown} == {None}
    values = [epoch.value(monitor.partition(":")[0]) for epoch in fitted.history]
    assert all(value > 0 for value in values)
    assert fitted.kept_epoch == values.index(min(values)) + 1
