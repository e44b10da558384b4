"""Networks from files on the images of a data set."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

import eyetune as et
from eyetune.api.run import Run
from eyetune.device.export.quantize import quantize
from eyetune.errors import DataError, UsageError


def test_evaluate_file_agrees_with_the_run(trained: Run, archive: Path) -> None:
    path = trained.folder / "model.keras"
    result = et.evaluate_file(path, archive, progress=False)
    expected = trained.evaluation("test")
    assert result.evaluation.confusion.tolist() == expected.confusion.tolist()
    assert result.evaluation.loss == pytest.approx(expected.loss, abs=1e-4)
    value = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert value["accuracy"] == trained.test_accuracy
    assert value["text"] == result.judgement.text
    assert repr(result).startswith("<FileEvaluation: model.keras: accuracy ")
    assert result.summary.rows["accuracy"] == expected.summary.rows["accuracy"]
    few = et.evaluate_file(path, archive, split="validation", num_images=3, progress=False)
    assert few.evaluation.num_images == 3


def test_evaluate_file_runs_the_int8_network(trained: Run, archive: Path, tmp_path: Path) -> None:
    images = trained.dataset().train.images
    (tmp_path / "int8.tflite").write_bytes(quantize(trained.model(), images))
    result = et.evaluate_file(tmp_path / "int8.tflite", archive, progress=False)
    assert (result.dtype, result.pixels) == ("int8", "0-1")
    assert result.evaluation.accuracy == pytest.approx(trained.test_accuracy, abs=0.11)


@pytest.mark.parametrize(
    ("data", "shape"), [("digits", (16, 16, 3)), ("digits", (12, 12, 1)), ("cifar10", (32, 32, 1))]
)
def test_evaluate_file_names_images_as_the_training_did(
    data: str, shape: tuple[int, int, int], archive: Path, tmp_path: Path
) -> None:
    """Digits have any size, and images in color become gray (`data.grayscale`)."""
    path = tmp_path / "network.keras"
    layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)]
    keras.Sequential([keras.Input(shape), *layers]).save(path)
    source = archive if data == "cifar10" else data
    assert et.evaluate_file(path, source, progress=False).evaluation.num_images > 0


def test_evaluate_file_of_a_network_for_wide_images_takes_arrays(
    archive: Path, tmp_path: Path
) -> None:
    path = tmp_path / "network.keras"
    layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
    keras.Sequential([keras.Input((8, 16, 3)), *layers]).save(path)
    with pytest.raises(DataError) as caught:
        et.evaluate_file(path, archive, progress=False)
    assert "8 x 16 x 3 (x_train" in (caught.value.fix or "")
    images = np.random.default_rng(0).integers(0, 256, (24, 8, 16, 3), np.uint8)
    arrays = tmp_path / "arrays.npz"
    labels = np.arange(24) % 3
    np.savez(arrays, x_train=images, y_train=labels, x_test=images, y_test=labels)
    assert et.evaluate_file(path, arrays, progress=False).evaluation.num_images == 24


def test_evaluate_file_refuses_images_that_do_not_match(
    trained: Run, archive: Path, tmp_path: Path
) -> None:
    for shape, num_classes in (((8, 8, 3), 10), ((32, 32, 3), 4)):
        path = tmp_path / "network.keras"
        layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(num_classes)]
        keras.Sequential([keras.Input(shape), *layers]).save(path)
        with pytest.raises(DataError):
            et.evaluate_file(path, archive, progress=False)
    path = trained.folder / "model.keras"
    with pytest.raises(UsageError):
        et.evaluate_file(path, archive, split="train")
    with pytest.raises(UsageError):
        et.evaluate_file(path, archive, num_images=0)
