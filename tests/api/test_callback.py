"""`Callback`: trainings by Keras's own `fit`, recorded as runs."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import eyetune as et
from eyetune.errors import UsageError
from eyetune.records import RunState, Workspace
from eyetune.records.run import RunFailure
from tests.cli.conftest import Terminal

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(40, 4)).astype(np.float32)
LABELS = (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 0)
X_VAL, LABELS_VAL = X[:20] + 0.1, LABELS[:20]


def classifier(units: int = 8, last: str | None = "softmax") -> Any:
    keras.utils.set_random_seed(units)
    layers = [keras.Input((4,)), keras.layers.Dense(units, "relu"), keras.layers.Dense(3, last)]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=last is None)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    return model


def regression(rate: float = 0.01) -> Any:
    model = keras.Sequential([keras.layers.Dense(1)])  # built by its first batch
    model.compile(keras.optimizers.SGD(rate), "mse", metrics=["mae"])
    return model


def fit(model: Any, *callbacks: Any, epochs: int = 2, **options: Any) -> Any:
    return model.fit(
        X,
        LABELS,
        batch_size=10,
        epochs=epochs,
        validation_data=(X_VAL, LABELS_VAL),
        callbacks=list(callbacks),
        verbose=0,
        **options,
    )


class Raising(keras.callbacks.Callback):  # type: ignore[misc]
    """Raises an error in an epoch."""

    def __init__(self, error: BaseException, epoch: int) -> None:
        super().__init__()
        self.error = error
        self.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        if epoch == self.epoch:
            raise self.error


@pytest.fixture
def eyetune(capfd: pytest.CaptureFixture[str]) -> Terminal:
    """Return the command `eyetune`."""
    return Terminal(capfd)


def test_callback_records_a_classifier() -> None:
    recording = et.Callback("mine", class_names=["low", "middle", "high"])
    model = classifier()
    history = fit(model, recording).history
    run = et.open_run("mine")
    assert run.id == recording.run.id
    assert run.state is RunState.COMPLETE
    assert [epoch.val_loss for epoch in run.history] == pytest.approx(history["val_loss"])
    assert [epoch.accuracy for epoch in run.history] == pytest.approx(history["accuracy"])
    assert all(epoch.images_per_second > 0 for epoch in run.history)
    assert run.record.network.parameters == model.count_params()
    assert (run.record.data.num_train, run.record.data.num_validation) == (40, 20)
    assert run.record.data.class_names == ("low", "middle", "high")
    settings = run.record.keras_fit or {}
    assert (settings["epochs"], settings["batch_size"]) == (2, 10)
    assert settings["optimizer"]["learning_rate"] == pytest.approx(0.01)
    assert run.validation_accuracy == pytest.approx(history["val_accuracy"][-1])
    assert run.results.validation_loss == pytest.approx(history["val_loss"][-1], rel=1e-3)
    assert run.evaluation("validation").confusion.shape == (3, 3)
    np.testing.assert_allclose(
        run.model().predict(X_VAL, verbose=0), model.predict(X_VAL, verbose=0)
    )
    _, accuracy = run.model().evaluate(X_VAL, LABELS_VAL, verbose=0)
    assert accuracy == pytest.approx(run.validation_accuracy)
    assert json.loads(json.dumps(run.to_json(), allow_nan=False))["recipe"] is None
    assert "data:image/png;base64," in run._repr_html_()


def test_commands_show_runs_of_the_callback(eyetune: Terminal, tmp_path: Path) -> None:
    for name, units in (("small", 4), ("large", 16)):
        fit(classifier(units, last=None), et.Callback(name), epochs=3)
    assert {row["name"] for row in eyetune.json("runs")["runs"]} == {"small", "large"}
    for arguments in (["runs"], ["show", "small"], ["evaluate", "small", "--split", "validation"]):
        assert eyetune(*arguments) == 0, eyetune.errors
    assert eyetune("show", "small") == 0
    assert "model.fit" in eyetune.output
    pictures = eyetune.json("plot", "small", "--output", tmp_path)["pictures"]
    assert {Path(path).stem for path in pictures} == {"curves", "confusion", "network"}
    assert eyetune("plot", "small", "large", "--output", tmp_path) == 0
    assert eyetune("report", "small", "large", "--output", tmp_path / "report.html") == 0
    value = eyetune.json("compare", "small", "large", "--output", tmp_path)
    assert value["baseline"]["label"] == "small"
    for arguments in (["train", "small"], ["train", "--resume", "small"]):
        assert eyetune.error(*arguments)["type"] == "UsageError"


def test_callback_records_a_regression_without_validation() -> None:
    recording = et.Callback()
    model = regression()
    model.fit(X, X[:, 2], epochs=2, callbacks=[recording], verbose=0)
    run = recording.run
    assert run.state is RunState.COMPLETE
    assert run.record.network.parameters == 5
    (first, _) = run.history
    assert (first.accuracy, first.val_loss) == (None, None)
    assert first.value("mae") > 0
    assert run.record.results is not None
    assert "nan" not in json.dumps(run.to_json(), allow_nan=False)
    with pytest.raises(UsageError):
        _ = run.validation_accuracy
    with pytest.raises(UsageError):
        et.compare(run, run)


@pytest.mark.parametrize("is_first", [True, False])
def test_ctrl_c_pauses_a_run_that_can_continue(is_first: bool) -> None:
    recording, model = et.Callback("paused"), classifier()
    callbacks = [Raising(KeyboardInterrupt(), 1), recording]
    with pytest.raises(KeyboardInterrupt):
        fit(model, *(callbacks if is_first else callbacks[::-1]), epochs=3)
    assert et.open_run("paused").state is RunState.PAUSED
    num_epochs = len(recording.run.history)
    assert num_epochs == (1 if is_first else 2)
    fit(model, recording, epochs=4, initial_epoch=num_epochs)
    assert [run.label for run in Workspace().runs.all()] == [recording.run.record.label]
    assert recording.run.state is RunState.COMPLETE
    assert len(recording.run.history) == recording.run.record.num_epochs_planned == 4


def test_ctrl_c_within_a_step_pauses_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    recording, model = et.Callback(), classifier()
    original = model.make_train_function

    def interrupting() -> None:
        original()
        step = model.train_function

        def train(iterator: Any) -> Any:
            if len(recording.run.history) == 1:
                raise KeyboardInterrupt
            return step(iterator)

        model.train_function = train

    monkeypatch.setattr(model, "make_train_function", interrupting)
    with pytest.raises(KeyboardInterrupt):
        fit(model, recording)
    assert recording.run.state is RunState.PAUSED


def test_exception_fails_a_run_and_a_new_fit_begins_another() -> None:
    recording, model = et.Callback(), classifier()
    with pytest.raises(OSError, match="gone"):
        fit(model, recording, Raising(OSError("gone"), 0))
    failed = recording.run
    assert (failed.state, failed.record.failure) == (RunState.FAILED, RunFailure.OTHER)
    assert "gone" in str(failed.record.error)
    fit(model, recording)
    assert recording.run.id != failed.id
    assert recording.run.state is RunState.COMPLETE


def test_diverged_training_fails_the_run_and_continues() -> None:
    recording = et.Callback()
    model = regression(rate=1e30)
    history = model.fit(X, X[:, 2], epochs=3, callbacks=[recording], verbose=0)
    assert len(history.epoch) == 3
    assert recording.run.state is RunState.FAILED
    assert recording.run.record.diverged


def test_callback_keeps_what_early_stopping_restores() -> None:
    model = classifier()
    model.optimizer.learning_rate = 1.0
    stop = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    recording = et.Callback()
    fit(model, recording, stop, epochs=30)
    run = recording.run
    assert run.results.kept_epoch == stop.best_epoch + 1 == len(run.history) - 2
    assert run.validation_accuracy == pytest.approx(run.history[stop.best_epoch].val_accuracy)
    saved, trained = run.model().get_weights(), model.get_weights()
    for mine, theirs in zip(saved, trained, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_callback_has_no_run_before_a_training() -> None:
    with pytest.raises(UsageError):
        _ = et.Callback().run
    with pytest.raises(UsageError):
        et.Callback("latest")


def test_train_refuses_the_callback() -> None:
    with pytest.raises(UsageError):
        et.train(callbacks=et.Callback(), progress=False)


def test_callback_records_a_share_of_the_data_as_validation() -> None:
    recording, model = et.Callback(), classifier()
    history = model.fit(
        X, LABELS, batch_size=10, validation_split=0.25, callbacks=[recording], verbose=0
    ).history
    run = recording.run
    assert (run.record.data.num_train, run.record.data.num_validation) == (30, 10)
    assert run.evaluation("validation").num_images == 10
    assert run.validation_accuracy == pytest.approx(history["val_accuracy"][-1])


def batches(num_batches: int | None = None) -> Any:
    """Yield batches of 10 samples, without an end or as many as are asked for."""
    numbers = itertools.count() if num_batches is None else range(num_batches)
    for number in numbers:
        rows = slice(10 * number % 40, 10 * number % 40 + 10)
        yield X[rows], LABELS[rows]


def test_callback_records_a_fit_on_a_generator(eyetune: Terminal) -> None:
    recording = et.Callback("batches")
    classifier().fit(
        batches(),
        steps_per_epoch=3,
        epochs=2,
        validation_data=batches(),
        validation_steps=2,
        callbacks=[recording],
        verbose=0,
    )
    run = recording.run
    assert run.state is RunState.COMPLETE
    assert [epoch.measures("val_accuracy") for epoch in run.history] == [True, True]
    settings = run.record.keras_fit or {}
    assert (settings["steps_per_epoch"], settings["batch_size"]) == (3, None)
    assert not run.has_predictions
    assert eyetune("show", "batches") == 0
    for text in ("0 train", "0 images", "0 samples", "image"):
        assert text not in eyetune.output


def test_callback_begins_with_a_later_epoch() -> None:
    recording = et.Callback()
    fit(classifier(), recording, epochs=7, initial_epoch=5)
    run = recording.run
    assert run.record.num_epochs_done == run.record.num_epochs_planned == 2
    assert (run.record.keras_fit or {})["initial_epoch"] == 5


def test_error_in_the_users_generator_fails_the_run() -> None:
    def broken() -> Any:
        yield from batches(4)
        raise OSError("gone")

    recording, model = et.Callback(), classifier()
    with pytest.raises(tf.errors.OpError, match="gone"):
        model.fit(broken(), steps_per_epoch=3, epochs=2, callbacks=[recording], verbose=0)
    assert recording.run.state is RunState.FAILED
    assert len(recording.run.history) == 1
    assert "evaluate" not in vars(model)


def test_ctrl_c_in_the_validation_pauses_the_run() -> None:
    recording, model = et.Callback(), classifier()

    class Interrupting(keras.callbacks.Callback):  # type: ignore[misc]
        def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(model, recording, Interrupting())
    assert recording.run.state is RunState.PAUSED
    assert recording.run.history == ()


@pytest.mark.parametrize("has_two", [True, False])
def test_callback_twice_in_a_fit_is_refused(has_two: bool) -> None:
    recording, model = et.Callback(), classifier()
    with pytest.raises(UsageError):
        fit(model, recording, et.Callback() if has_two else recording)
    assert Workspace().runs.all() == []
    fit(model, recording)
    assert recording.run.state is RunState.COMPLETE


class FitWithin(keras.callbacks.Callback):  # type: ignore[misc]
    """Fits another model after an epoch."""

    def __init__(self, *callbacks: Any) -> None:
        super().__init__()
        self.callbacks = callbacks
        self.error: Exception | None = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        try:
            fit(classifier(2), *self.callbacks, epochs=3)
        except UsageError as error:
            self.error = error


def test_callback_records_one_fit_at_a_time() -> None:
    recording = et.Callback()
    other = FitWithin(recording)
    fit(classifier(), recording, other)
    assert other.error is not None
    (record,) = Workspace().runs.all()
    assert (record.state, record.num_epochs_done) == (RunState.COMPLETE, 2)


def test_two_fits_at_once_have_a_callback_each() -> None:
    outer, inner = et.Callback("outer"), et.Callback("inner")
    with ThreadPoolExecutor(2) as pool:
        fits = [pool.submit(fit, classifier(4), outer), pool.submit(fit, classifier(8), inner)]
    for done, recording in zip(fits, (outer, inner), strict=True):
        losses = [epoch.loss for epoch in recording.run.history]
        assert losses == pytest.approx(done.result().history["loss"])
        assert recording.run.state is RunState.COMPLETE


def test_callback_records_a_fit_that_reports_no_loss(eyetune: Terminal) -> None:
    class OwnStep(keras.Model):  # type: ignore[misc]
        def train_step(self, data: Any) -> Any:
            self(data[0], training=True)
            return {"score": 2.0}

    inputs = keras.Input((4,))
    model = OwnStep(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd", "mse")
    recording = et.Callback("own")
    model.fit(X, LABELS, epochs=2, callbacks=[recording], verbose=0)
    first, _ = recording.run.history
    assert (first.loss, first.value("score")) == (None, 2.0)
    for command in ("show", "report", "plot"):
        assert eyetune(command, "own") == 0
        assert "None" not in eyetune.output
    history = eyetune.json("show", "own")["history"]
    assert "score" in json.dumps(history)
    assert "loss" not in history


def test_search_refuses_the_callback_before_it_starts() -> None:
    arguments = {"callbacks": [et.Callback()]}
    with pytest.raises(UsageError):
        et.tune(lambda hp: hp, (X, LABELS), fit_arguments=arguments, progress=False)
    assert not Workspace().exists
