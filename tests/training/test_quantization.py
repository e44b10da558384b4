"""The quantized stage: it follows the rounding of int8, resumes exactly, and keeps its ranges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyetune.data import Dataset
from eyetune.device.estimate.tflite import read
from eyetune.device.export.calibration import calibrate
from eyetune.device.export.conversions import Method
from eyetune.device.export.litert import litert_scores
from eyetune.device.export.tflm import MicroInterpreter, is_available
from eyetune.errors import RecipeError, TrainingError
from eyetune.models.int8.folding import fold
from eyetune.models.int8.layers import folded_model
from eyetune.models.int8.range_file import read_ranges, write_ranges
from eyetune.models.int8.ranges import Range
from eyetune.recipe import Recipe
from eyetune.testing.datasets import tiny_dataset
from eyetune.training import quantization
from eyetune.training.evaluate import probabilities
from eyetune.training.fit import Ending, Fitted, fit
from eyetune.training.model_files import load_classifier, save_model
from eyetune.training.precision import Arithmetic
from eyetune.training.prepared_network import prepare_network
from eyetune.values.pixels import scaled_pixels
from tests.models.int8.networks import NUM_CLASSES, SHAPE, add_outliers, solved
from tests.training.fitting import fit_recipe

DATASET = tiny_dataset()
SMALL = Recipe().with_(
    {
        "model.blocks": [{"filters": 6, "residual": True, "stride": 2}],
        "model.batch_norm": True,
        "model.dense": [],
        "model.dropout": 0.2,
        "optimizer.learning_rate": 0.01,
        "fit.batch_size": 16,
        "fit.epochs": 1,
        "fit.quantize": "int8",
        "fit.quantize_epochs": 2,
    }
)


def train(folder: Path, recipe: Recipe = SMALL, **options: Any) -> Fitted:
    return fit_recipe(recipe, DATASET, folder, **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """Return the outcome of a training without a pause."""
    return train(tmp_path_factory.mktemp("whole"))


def metrics(fitted: Fitted) -> list[tuple[float, ...]]:
    return [
        tuple(map(epoch.value, ("loss", "val_loss", "val_accuracy"))) for epoch in fitted.history
    ]


def fake_quantized(fitted: Fitted, split: Any) -> Any:
    model = folded_model(fold(fitted.model), fitted.ranges, quantized_weights=True)
    return model.predict(scaled_pixels(split.images), verbose=0)


def test_quantized_stage_comes_last_with_a_falling_rate(whole: Fitted) -> None:
    assert whole.ending is Ending.COMPLETE
    assert (len(whole.history), whole.kept_epoch) == (3, 3)
    rates = [epoch.learning_rate for epoch in whole.history]
    assert rates[0] == pytest.approx(0.01)
    assert 0.01 / 100 > rates[1] > rates[2]


def test_start_of_the_quantized_stage_is_announced(tmp_path: Path) -> None:
    lines: list[str] = []
    train(tmp_path, stop_after=2, on_note=lines.append, on_epoch=lambda _: lines.append("epoch"))
    assert lines == ["epoch", "Training with the rounding of int8, 2 epochs ...", "epoch"]


def test_quantized_validation_is_that_of_int8(whole: Fitted) -> None:
    fake = fake_quantized(whole, DATASET.validation)
    labels = DATASET.validation.labels
    accuracy = np.mean(fake.argmax(axis=1) == labels)
    assert accuracy == pytest.approx(whole.history[-1].val_accuracy)
    loss = -np.log(fake[np.arange(len(labels)), labels]).mean()
    assert loss == pytest.approx(whole.history[-1].val_loss, rel=1e-3)
    in_float = probabilities(whole.model, DATASET.validation)
    assert 0 < np.abs(fake - in_float).max() < 0.1


def test_quantized_stage_resumes_bit_for_bit(tmp_path: Path, whole: Fitted) -> None:
    assert train(tmp_path, stop_after=1).ranges is None
    second = train(tmp_path, resume=True, stop_after=2)
    assert second.ending is Ending.PAUSED
    assert second.ranges is not None
    resumed = train(tmp_path, resume=True)
    assert metrics(resumed) == metrics(whole)
    assert resumed.ranges == whole.ranges
    for mine, theirs in zip(resumed.model.variables, whole.model.variables, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_quantized_stage_is_float32_after_bfloat16(tmp_path: Path) -> None:
    fitted = train(tmp_path, SMALL.with_(fit__precision="bfloat16", fit__quantize_epochs=1))
    assert fitted.ranges is not None
    fake = fake_quantized(fitted, DATASET.validation)
    accuracy = np.mean(fake.argmax(axis=1) == DATASET.validation.labels)
    assert accuracy == pytest.approx(fitted.history[-1].val_accuracy)


def test_keep_best_keeps_an_epoch_of_the_quantized_stage(tmp_path: Path) -> None:
    edits = {"fit.keep_best": True, "optimizer.quantize_learning_rate": 1.0}  # which does harm
    fitted = train(tmp_path, SMALL.with_(edits))
    losses = [epoch.value("val_loss") for epoch in fitted.history]
    assert losses[0] < min(losses[1:])
    assert fitted.kept_epoch == 2 + int(np.argmin(losses[1:]))
    assert fitted.ranges is not None


def test_quantization_repairs_a_channel_of_outliers(tmp_path: Path) -> None:
    """Leave a network to the quantized stage that loses much in int8; compare on 1,000 images."""
    model, train_split, validation = solved()
    add_outliers(model, 1000)
    names = tuple(map(str, range(NUM_CLASSES)))
    dataset = Dataset("solved", "solved", names, train_split, validation, validation, "solved")
    recipe = Recipe().with_(
        {
            "model.blocks": [{"filters": 12, "convolutions": 2, "pool_size": 4}],
            "model.dense": [],
            "optimizer.learning_rate": 1e-9,  # in float, the network stays as it is
            "optimizer.quantize_learning_rate": 1e-4,
            "fit.epochs": 1,
            "fit.quantize": "int8",
            "fit.quantize_epochs": 2,
        }
    )
    in_float = probabilities(model, validation)
    float_accuracy = np.mean(in_float.argmax(axis=1) == validation.labels)
    options: Any = {
        "float_probabilities": in_float,
        "per_channel_dense": True,
        "on_step": lambda *_: lambda _: None,
    }
    plain = calibrate(model, train_split, validation, **options).conversions[0]
    assert float_accuracy - plain.int8_accuracy >= 0.03
    prepared = prepare_network(recipe, dataset, seed=0, arithmetic=Arithmetic("float32"))
    prepared.model.set_weights([np.asarray(weight) for weight in model.weights])
    fitted = fit(prepared, tmp_path)
    assert fitted.model.input_shape[1:] == SHAPE
    result = calibrate(fitted.model, train_split, validation, **options, learned=fitted.ranges)
    assert result.chosen.method is Method.LEARNED
    fake = fake_quantized(fitted, validation)
    scores = litert_scores(result.content, validation.images)
    if is_available():
        scores = MicroInterpreter(result.content).scores(validation.images)
    assert len(scores) == 1000
    assert np.mean(scores.argmax(axis=1) == fake.argmax(axis=1)) >= 0.995
    assert float_accuracy - np.mean(scores.argmax(axis=1) == validation.labels) <= 0.003
    assert read(result.content).output.dtype == "int8"


def test_prepare_network_names_a_layer_that_cannot_be_quantized(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        train(tmp_path, SMALL.with_(model__activation="gelu"))
    assert "gelu" in (caught.value.received or "")


def test_ranges_are_stored_beside_the_network(tmp_path: Path, whole: Fitted) -> None:
    path = tmp_path / "ranges.json"
    write_ranges(path, whole.model, whole.ranges)
    save_model(whole.model, tmp_path / "model.keras")
    assert read_ranges(path, load_classifier(tmp_path / "model.keras")) == whole.ranges
    other = solved()[0]
    with pytest.raises(TrainingError):
        read_ranges(path, other)
    path.write_text(path.read_text().replace('"minimum": ', '"minimum": 1'))
    with pytest.raises(TrainingError):
        read_ranges(path, whole.model)
    write_ranges(path, whole.model, None)
    assert read_ranges(path, whole.model) is None


def test_training_moves_the_ranges() -> None:
    model, train_split, _ = solved()
    quantized = quantization.begin(model, train_split)
    before = quantization.finish(quantized, model)
    quantized.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    quantized.train_on_batch(scaled_pixels(train_split.images[:64]), train_split.labels[:64] * 0)
    after = quantization.finish(quantized, model)
    assert before[0] == after[0] == Range(0.0, 1.0)
    assert any(before[index] != after[index] for index in before)
