"""A model function as what a recipe trains: exact over pauses, with the user's own callbacks and
`fit`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from eyetune.api.callback import Callback
from eyetune.data import Dataset, Split
from eyetune.errors import (
    ArgumentTypeError,
    CheckpointError,
    DivergedError,
    EyetuneError,
    FatalTrialError,
    FunctionError,
)
from eyetune.models.model_function import ImageInputs, keep
from eyetune.recipe import Recipe
from eyetune.records.study import Objective
from eyetune.testing.datasets import tiny_dataset
from eyetune.training import checkpoint
from eyetune.training.evaluate import probabilities
from eyetune.training.fit import Ending, Fitted
from eyetune.training.model_files import load_classifier, save_model
from eyetune.training.model_function.scaled_images import ScaledImages
from eyetune.tuning.objectives import values_of
from eyetune.values.history import Epoch
from eyetune.values.run_files import BEST_CHECKPOINT_FILE
from tests.training.fitting import fit_recipe

DATASET = tiny_dataset(size=8)


def network(
    units: int = 4,
    rate: float = 0.01,
    *,
    loss: Any = "categorical_crossentropy",
    metrics: Any = ("accuracy",),
    last: str | None = "softmax",
    shape: tuple[int, ...] = (8, 8, 3),
) -> Any:
    model = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Flatten(),
            keras.layers.Dense(units, "relu"),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(3, last),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), loss, metrics=list(metrics))
    return model


def simple(hp: Any) -> Any:
    return network(hp.Int("units", 4, 16, step=4), hp.Choice("rate", [0.01, 0.001]))


def recipe_of(
    function: Any, folder: Path, arguments: Mapping[str, Any] | None = None, /, **edits: Any
) -> Recipe:
    word = keep(function, folder / "functions", arguments)
    return (
        Recipe()
        .with_({"model": {"function": word}, "fit.epochs": 3, "fit.batch_size": 16})
        .with_(**edits)
    )


def train(folder: Path, recipe: Recipe, dataset: Dataset = DATASET, **options: Any) -> Fitted:
    return fit_recipe(recipe, dataset, folder, **options)


def train_in_parts(folder: Path, recipe: Recipe, dataset: Dataset = DATASET) -> Fitted:
    """Train with a pause after every epoch, and go on from the checkpoint each time."""
    for stop_after in range(1, recipe.fit.epochs + 2):
        fitted = train(folder, recipe, dataset, resume=True, stop_after=stop_after)
        if fitted.ending is Ending.COMPLETE:
            return fitted
        assert (fitted.ending, len(fitted.history), fitted.kept_epoch) == (
            Ending.PAUSED,
            stop_after,
            stop_after,
        )
    raise AssertionError("it never ended")


def metrics(fitted: Fitted) -> list[tuple[float, ...]]:
    return [
        (
            *(epoch.value(name) for name in ("loss", "accuracy", "val_loss", "val_accuracy")),
            epoch.learning_rate,
            *epoch.others.values(),
        )
        for epoch in fitted.history
    ]


def assert_equal(one: Fitted, other: Fitted) -> None:
    assert metrics(one) == metrics(other)
    assert one.kept_epoch == other.kept_epoch
    for mine, theirs in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert one.hyperparameters == other.hyperparameters
    assert one.space == other.space


def test_fit_function_uses_the_given_hyperparameters(tmp_path: Path) -> None:
    recipe = recipe_of(simple, tmp_path, model__hyperparameters={"units": 8}, fit__epochs=5)
    seen: list[Epoch] = []
    fitted = train(tmp_path / "run", recipe, on_epoch=seen.append)
    assert fitted.ending is Ending.COMPLETE
    assert tuple(seen) == fitted.history
    assert fitted.history[-1].value("val_loss") < fitted.history[0].value("val_loss")
    assert all(epoch.learning_rate == pytest.approx(0.01) for epoch in fitted.history)
    assert fitted.hyperparameters == {"units": 8, "rate": 0.01}
    assert fitted.space.names == ("units", "rate")
    assert fitted.model.layers[1].units == 8
    right = (
        probabilities(fitted.model, DATASET.validation).argmax(axis=1) == DATASET.validation.labels
    )
    assert right.mean() == pytest.approx(fitted.history[-1].val_accuracy)


def test_fit_function_sees_the_images_of_the_pipeline(tmp_path: Path) -> None:
    from eyetune.models.build import build

    plain = Recipe().with_(
        {"model.blocks": [4], "model.dense": [], "fit.epochs": 2, "fit.batch_size": 16}
    )

    def same(hp: Any) -> Any:
        model = build(plain.model, (8, 8, 3), 3)
        model.compile(
            keras.optimizers.Adam(0.001), "categorical_crossentropy", metrics=["accuracy"]
        )
        return model

    mine = train(tmp_path / "function", recipe_of(same, tmp_path, fit__epochs=2))
    assert metrics(mine) == metrics(train(tmp_path / "recipe", plain))


PATIENT = {"monitor": "val_loss", "patience": 2}


class Counting(keras.callbacks.Callback):  # type: ignore[misc]
    """Changes what is learned by what it counted so far."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.seen = np.zeros(2)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.count += 1
        self.seen = self.seen + np.array([epoch, 1])
        self.model.optimizer.learning_rate = 0.01 / (self.count + self.seen[1])


class Drawing(keras.callbacks.Callback):  # type: ignore[misc]
    """Changes what is learned by chance."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.model.optimizer.learning_rate = 0.01 * random.random() + 0.01 * float(
            np.random.random_sample()
        )


def averaged(hp: Any) -> Any:
    model = network()
    decay = keras.optimizers.schedules.ExponentialDecay(0.1, 4, 0.9)
    optimizer = keras.optimizers.SGD(decay, use_ema=True, ema_momentum=0.8)
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    return model


class OwnFit(keras_tuner.HyperModel):  # type: ignore[misc]
    def build(self, hp: Any) -> Any:
        return network(hp.Int("units", 4, 8))

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        return model.fit(
            *args,
            batch_size=hp.Choice("batch_size", [8, 16]),
            epochs=hp.Int("epochs", 2, 4),
            **kwargs,
        )


class OwnImages(keras_tuner.HyperModel):  # type: ignore[misc]
    def build(self, hp: Any) -> Any:
        return averaged(hp)

    def fit(self, hp: Any, model: Any, x: Any, y: Any, validation_data: Any, **kwargs: Any) -> Any:
        shift = hp.Float("shift", 0.5, 1.0)
        assert 0 < float(np.max(x)) <= 1
        return model.fit(
            x - shift, y, validation_data=(validation_data[0] - shift, validation_data[1]), **kwargs
        )


class TwoCalls(keras_tuner.HyperModel):  # type: ignore[misc]
    def build(self, hp: Any) -> Any:  # noqa: ARG002
        return network()

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        kwargs.pop("epochs")
        model.layers[1].trainable = False
        model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        model.fit(*args, epochs=1, **kwargs)
        model.layers[1].trainable = True
        model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
        return model.fit(*args, epochs=2, **kwargs)


@pytest.mark.parametrize(
    ("function", "arguments", "epochs"),
    [
        (
            simple,
            {
                "callbacks": [
                    keras.callbacks.ReduceLROnPlateau(patience=1, min_delta=0.5),
                    Counting(),
                ]
            },
            3,
        ),
        (simple, {"callbacks": [Drawing()]}, 3),
        (averaged, {}, 2),
        (OwnImages(), {"batch_size": 30}, 2),
        (TwoCalls, {}, 3),
    ],
    ids=["callbacks", "chance", "averaged", "own images", "two calls"],
)
def test_fit_with_pauses_equals_an_uninterrupted_one(
    tmp_path: Path, function: Any, arguments: dict[str, Any], epochs: int
) -> None:
    recipe = recipe_of(function, tmp_path, arguments, fit__epochs=epochs)
    whole = train(tmp_path / "whole", recipe)
    assert whole.ending is Ending.COMPLETE
    assert_equal(whole, train_in_parts(tmp_path / "parts", recipe))
    assert_equal(whole, train(tmp_path / "whole", recipe, resume=True))  # nothing is left to train


def test_fit_function_sets_no_tensorflow_seed_in_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []
    original = tf.random.set_seed

    def set_seed(seed: int) -> None:
        seeds.append(seed)
        original(seed)

    monkeypatch.setattr("tensorflow.random.set_seed", set_seed)
    train(tmp_path / "short", recipe_of(simple, tmp_path, fit__epochs=1))
    of_one_epoch = len(seeds)
    train(tmp_path / "long", recipe_of(simple, tmp_path, fit__epochs=3))
    assert len(seeds) == 2 * of_one_epoch > 0


def test_users_early_stopping_restores_its_best_weights(tmp_path: Path) -> None:
    stop = keras.callbacks.EarlyStopping(restore_best_weights=True, **PATIENT)
    recipe = recipe_of(lambda _: network(rate=0.5), tmp_path, {"callbacks": [stop]}, fit__epochs=30)
    whole = train(tmp_path / "whole", recipe)
    losses = [epoch.value("val_loss") for epoch in whole.history]
    best = losses.index(min(losses)) + 1
    assert whole.ending is Ending.COMPLETE
    assert whole.kept_epoch == best == len(losses) - 2 < 28
    right = (
        probabilities(whole.model, DATASET.validation).argmax(axis=1) == DATASET.validation.labels
    )
    assert right.mean() == pytest.approx(whole.history[best - 1].val_accuracy)
    assert_equal(whole, train_in_parts(tmp_path / "parts", recipe))


def test_keep_best_overrides_the_users_callbacks(tmp_path: Path) -> None:
    edits = {"fit.keep_best": True, "fit.monitor": "val_acc", "fit.epochs": 4}

    def build_model(_: Any) -> Any:
        return network(rate=0.2, loss="sparse_categorical_crossentropy", metrics=["acc"])

    fitted = train(tmp_path / "run", recipe_of(build_model, tmp_path).with_(edits))
    accuracies = [epoch.value("val_accuracy") for epoch in fitted.history]
    assert fitted.kept_epoch == accuracies.index(max(accuracies)) + 1
    assert (tmp_path / "run" / BEST_CHECKPOINT_FILE).exists()
    right = (
        probabilities(fitted.model, DATASET.validation).argmax(axis=1) == DATASET.validation.labels
    )
    assert right.mean() == pytest.approx(max(accuracies))


def test_keep_best_works_without_a_function(tmp_path: Path) -> None:
    edits = {
        "model.blocks": [4],
        "model.dense": [],
        "fit.epochs": 4,
        "optimizer.learning_rate": 0.3,
    }
    fitted = train(tmp_path / "run", Recipe().with_({**edits, "fit.keep_best": True}))
    losses = [epoch.value("val_loss") for epoch in fitted.history]
    assert fitted.kept_epoch == losses.index(min(losses)) + 1 < 4
    assert len(losses) == 4


def test_every_metric_is_found_by_its_own_name(tmp_path: Path) -> None:
    def build_model(_: Any) -> Any:
        named = [
            "sparse_categorical_accuracy",
            keras.metrics.SparseTopKCategoricalAccuracy(2, name="top2"),
        ]
        return network(loss="sparse_categorical_crossentropy", metrics=named)

    epoch = train(tmp_path / "run", recipe_of(build_model, tmp_path, fit__epochs=1)).history[0]
    assert epoch.value("val_sparse_categorical_accuracy") == epoch.val_accuracy
    assert epoch.value("sparse_categorical_accuracy") == epoch.accuracy
    assert epoch.val_accuracy <= epoch.value("val_top2") <= 1
    assert set(epoch.others) == {
        f"{prefix}{name}"
        for prefix in ("", "val_")
        for name in ("sparse_categorical_accuracy", "top2")
    }


def test_fit_function_supports_gray_images_and_logits(tmp_path: Path) -> None:
    def gray(split: Split) -> Split:
        return Split(split.images[..., :1], split.labels)

    dataset = replace(DATASET, train=gray(DATASET.train), validation=gray(DATASET.validation))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    recipe = recipe_of(
        lambda _: network(loss=loss, last=None, shape=(8, 8)),
        tmp_path,
        augment__noise=0.05,
        data__camera="ov2640",
    )
    fitted = train(tmp_path / "run", recipe, dataset)
    said = probabilities(fitted.model, dataset.validation)
    assert said.sum(axis=1) == pytest.approx(1)
    right = said.argmax(axis=1) == dataset.validation.labels
    assert right.mean() == pytest.approx(fitted.history[-1].val_accuracy)


def test_hyperparameters_of_the_users_fit_are_returned(tmp_path: Path) -> None:
    values = {"epochs": 2, "batch_size": 8}
    seen: list[Any] = []
    recipe = recipe_of(OwnFit, tmp_path, fit__epochs=9, model__hyperparameters=values)
    fitted = train(tmp_path / "run", recipe, on_progress=seen.append)
    assert (fitted.ending, len(fitted.history)) == (Ending.COMPLETE, 2)
    assert fitted.hyperparameters == {"units": 4, **values}
    assert fitted.space.names == ("units", "batch_size", "epochs")
    assert [one.images for one in seen[:3]] == [8, 16, 24]
    assert len(train(tmp_path / "short", recipe.with_(fit__epochs=1)).history) == 1


def test_scaled_images_are_computed_only_if_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the images were copied")

    monkeypatch.setattr(ScaledImages, "__array__", refuse)
    assert (
        train(tmp_path / "run", recipe_of(simple, tmp_path, fit__epochs=1)).ending
        is Ending.COMPLETE
    )


def test_scaled_images_behave_like_an_array() -> None:
    images = DATASET.train.images
    scaled, plain = ScaledImages(images), images.astype(np.float32) / 255
    np.testing.assert_array_equal(scaled[3:9, ::2], plain[3:9, ::2])
    np.testing.assert_array_equal(np.concatenate([scaled, scaled])[60:], plain)
    np.testing.assert_array_equal(1 - scaled, 1 - plain)
    assert (scaled.shape, scaled.dtype, len(scaled), scaled.ndim) == (
        plain.shape,
        plain.dtype,
        60,
        4,
    )
    assert np.mean(scaled) == pytest.approx(plain.mean())
    assert scaled.reshape(60, -1).shape == (60, 192)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(scaled)), plain
    )


class OwnLoop(keras_tuner.HyperModel):  # type: ignore[misc]
    """Trains as KerasTuner's guide on custom training loops does."""

    def build(self, hp: Any) -> Any:  # noqa: ARG002
        return network()

    def fit(
        self, hp: Any, model: Any, x: Any, y: Any, validation_data: Any, callbacks: Any = None
    ) -> Any:
        import tensorflow as tf

        for images, labels in tf.data.Dataset.from_tensor_slices((x, y)).batch(
            hp.Int("size", 10, 20)
        ):
            model.train_on_batch(images, labels)
        assert all(isinstance(each, keras.callbacks.Callback) for each in callbacks)
        return {"val_score": float(np.mean(model.predict(validation_data[0], verbose=0)))}


def test_users_own_loop_is_one_epoch_and_runs_once(tmp_path: Path) -> None:
    recipe = recipe_of(OwnLoop, tmp_path, fit__epochs=9, fit__monitor="val_score")
    fitted = train(tmp_path / "run", recipe)
    assert (fitted.ending, len(fitted.history), fitted.kept_epoch) == (Ending.COMPLETE, 1, 1)
    assert fitted.history[0].value("val_score") == pytest.approx(1 / 3, abs=1e-3)
    assert fitted.hyperparameters == {"size": 10}
    assert_equal(fitted, train(tmp_path / "run", recipe, resume=True))


SEEN: list[str] = []


class Elsewhere(OwnLoop):
    """Trains nothing, and fills a list of the script."""

    def fit(self, hp: Any, model: Any, *_: Any, **__: Any) -> Any:  # noqa: ARG002
        SEEN.append("fit")
        return {"val_score": 1.0}


def test_untrained_network_and_changes_outside_are_noticed(tmp_path: Path) -> None:
    recipe = recipe_of(Elsewhere, tmp_path, fit__monitor="val_score")
    fitted = train(tmp_path / "run", recipe)
    assert not fitted.is_trained
    assert fitted.changed_copies == ("fit: SEEN",)
    trained = train(tmp_path / "own", recipe_of(OwnLoop, tmp_path, fit__monitor="val_score"))
    assert trained.is_trained
    assert trained.changed_copies == ()


class OwnScore(OwnFit):
    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        history = super().fit(hp, model, *args, **kwargs)
        assert len(history.history["val_accuracy"]) == len(history.epoch)
        return {"val_best": max(history.history["val_accuracy"])}


def test_result_of_the_users_fit_is_a_metric(tmp_path: Path) -> None:
    recipe = recipe_of(OwnScore, tmp_path, fit__epochs=2)
    whole = train(tmp_path / "whole", recipe)
    assert whole.history[-1].value("val_best") == max(
        epoch.value("val_accuracy") for epoch in whole.history
    )
    assert_equal(whole, train_in_parts(tmp_path / "parts", recipe))


class OwnNumber(OwnFit):
    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        return min(super().fit(hp, model, *args, **kwargs).history["val_loss"])


@pytest.mark.parametrize(
    ("function", "objective"),
    [
        (OwnScore, Objective(name="val_best", direction="max")),
        (OwnNumber, Objective(name="default_objective", direction="min")),
    ],
)
def test_result_of_the_users_fit_can_be_the_objective(
    tmp_path: Path, function: Any, objective: Objective
) -> None:
    monitor = f"{objective.name}:{objective.direction}"
    edits = {"fit.keep_best": True, "fit.early_stopping": 1, "fit.epochs": 2}
    recipe = recipe_of(function, tmp_path, fit__monitor=monitor).with_(edits)
    fitted = train(tmp_path / "run", recipe)
    assert (fitted.ending, len(fitted.history), fitted.kept_epoch) == (Ending.COMPLETE, 2, 2)
    (value,) = values_of([objective], fitted.history, {})
    if function is OwnScore:
        assert value == max(epoch.value("val_accuracy") for epoch in fitted.history)
    else:
        assert value == min(epoch.value("val_loss") for epoch in fitted.history)


def test_interrupt_keeps_whole_epochs(tmp_path: Path) -> None:
    def interrupt(position: Any) -> None:
        if position.epoch == 2:
            raise KeyboardInterrupt

    recipe = recipe_of(simple, tmp_path)
    broken = train(tmp_path / "run", recipe, on_progress=interrupt)
    assert (broken.ending, len(broken.history), broken.kept_epoch) == (Ending.INTERRUPTED, 1, 1)
    assert train(tmp_path / "run", recipe, resume=True).ending is Ending.COMPLETE


def raising(_: Any) -> Any:
    return network(rate=1e25, last="linear", loss="mse")


class BrokenFit(OwnFit):
    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        return model.fit(*args, **kwargs) / int(hp.Fixed("zero", 0))


class RefusedFit(OwnFit):
    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        raise ArgumentTypeError("The user's code called eyetune with a wrong type.")


class TakesSplit(OwnFit):
    def fit(self, hp: Any, model: Any, x: Any, y: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        return model.fit(x[:30], y[:30], **kwargs)


@pytest.mark.parametrize(
    ("function", "edits", "error", "name"),
    [
        (raising, {"fit.epochs": 9}, DivergedError, "epoch 1"),
        (RefusedFit, {}, ArgumentTypeError, "wrong type"),
        (BrokenFit, {}, FunctionError, "unsupported operand"),
        (simple, {"fit.monitor": "val_f1"}, FunctionError, "val_accuracy"),
        (TakesSplit, {"augment.noise": 0.1}, FunctionError, "augment"),
        (TakesSplit, {"data.camera": "ov2640"}, FunctionError, "camera"),
        (
            lambda _: network(loss="sparse_categorical_crossentropy"),
            {"augment.mixup": 0.2},
            FunctionError,
            "mixup",
        ),
    ],
)
def test_fit_function_reports_errors(
    tmp_path: Path, function: Any, edits: Any, error: type[EyetuneError], name: str
) -> None:
    with pytest.raises(error, match=name):
        train(tmp_path / "run", recipe_of(function, tmp_path).with_({"fit.epochs": 1, **edits}))


def test_checkpoint_of_another_function_is_rejected(tmp_path: Path) -> None:
    train(tmp_path / "run", recipe_of(simple, tmp_path, fit__epochs=1))
    with pytest.raises(CheckpointError, match="recipe"):
        train(tmp_path / "run", recipe_of(averaged, tmp_path, fit__epochs=1), resume=True)


LAYERS = """
import keras
class Doubled(keras.layers.Layer):
    def call(self, images):
        return 2 * images
def build_model(hp):
    model = keras.Sequential([
        keras.Input((8, 8, 3)),
        Doubled(),
        keras.layers.Lambda(lambda images: images - 1),
        keras.layers.Flatten(),
        keras.layers.Dense(3, "softmax"),
    ])
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model
"""


def test_network_with_the_users_own_layers_is_saved_and_loaded(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(LAYERS)
    recipe = recipe_of(tmp_path / "model.py", tmp_path, fit__epochs=1)
    fitted = train(tmp_path / "run", recipe)
    save_model(fitted.model, tmp_path / "run" / "model.keras")
    (tmp_path / "run" / "recipe.toml").write_text(recipe.to_toml())
    inputs = ImageInputs(DATASET.image_shape, DATASET.num_classes)
    again = load_classifier(tmp_path / "run" / "model.keras", inputs)
    np.testing.assert_array_equal(
        probabilities(again, DATASET.test), probabilities(fitted.model, DATASET.test)
    )


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
        max_leaves=5,
    )
)
@example(np.random.default_rng(0).bit_generator.state)  # numbers of 128 bits
@example(-(2**63))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_checkpoint_keeps_its_state(tmp_path: Path, value: Any) -> None:
    model = SimpleNamespace(layers=[], variables=[], optimizer=SimpleNamespace(variables=[]))
    state = {"values": value, "array": [np.arange(3), {"array": np.eye(2)}]}
    checkpoint.save(tmp_path / "checkpoint.npz", model, (), {}, state=state)
    stored = checkpoint.load(tmp_path / "checkpoint.npz").state
    np.testing.assert_equal(stored, state)


class Recording(keras_tuner.HyperModel):  # type: ignore[misc]
    """A `fit` that records its training, which the search does."""

    def build(self, hp: Any) -> Any:
        return simple(hp)

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        callbacks = [*kwargs.pop("callbacks"), Callback()]
        return model.fit(*args, callbacks=callbacks, **kwargs)


def test_fit_that_records_its_training_ends_the_study(tmp_path: Path) -> None:
    with pytest.raises(FatalTrialError) as caught:
        train(tmp_path / "run", recipe_of(Recording(), tmp_path))
    assert caught.value.fix
