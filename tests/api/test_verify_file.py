"""Verification of networks in files."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import eyetune as et
from eyetune.api.run import Run
from eyetune.device.export import tflm
from eyetune.errors import UsageError
from eyetune.values.pixels import Pixels
from tests.device.export.ports import with_ports


def test_verify_file_takes_keras_and_tflite(trained: Run, archive: Path, tmp_path: Path) -> None:
    path = trained.folder / "model.keras"
    converted = et.verify_file(path, archive, progress=False)
    assert converted.passed
    assert converted.float_accuracy == trained.test_accuracy
    assert (converted.arena is not None) == tflm.is_available()
    et.export_model(path, tmp_path, data=archive, progress=False)
    stored = et.verify_file(tmp_path / "model.tflite", archive, progress=False)
    assert stored.float_accuracy is None
    assert stored.confusion == converted.confusion


def test_files_that_convert_from_and_to_int8(
    trained: Run, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, folder = tmp_path / "network.tflite", tmp_path / "firmware"
    images = trained.dataset().train.images[:20]
    path.write_bytes(with_ports(trained.model(), images, tf.float32))
    result = et.verify_file(path, archive)
    assert result.passed
    assert "network.tflite takes float32 and returns float32." in capsys.readouterr().err
    export = et.export(path, folder, formats=["c"], data=archive, progress=False)
    assert "network.tflite takes float32 and returns float32." in export.notes[0]
    assert et.open_export(folder).notes == export.notes
    assert et.verify(folder, progress=False).confusion == result.confusion
    answers = et.predict(path, [picture(tmp_path)], data=archive, progress=False)
    assert answers.pictures[0].int8_answer is not None
    assert "network.tflite takes float32" in answers.notes[0]
    evaluated = et.evaluate_file(path, archive, progress=False)
    assert evaluated.evaluation.accuracy == pytest.approx(result.int8_accuracy, abs=0.01)
    stored, check = et.fit_check(folder / "model.tflite"), et.fit_check(path)
    assert check.footprint.arena_bytes == stored.footprint.arena_bytes
    assert "with int8 at both ends" in check.label
    assert "with int8 at both ends" not in stored.label


def test_files_that_are_too_large_are_refused(tmp_path: Path, archive: Path) -> None:
    path = tmp_path / "network.tflite"
    path.write_bytes(b"\0\0\0\0TFL3")
    os.truncate(path, 3_000_000_000)
    for function in (et.verify_file, et.evaluate_file):
        with pytest.raises(UsageError):
            function(path, archive, progress=False)


def picture(folder: Path) -> Path:
    """Return the path of a picture."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    return folder / "a.png"


@pytest.mark.parametrize(
    ("first", "pixels", "inferred"),
    [
        (keras.layers.Rescaling(1 / 255), "auto", "0-255"),
        (keras.layers.Rescaling(0.5, offset=0.5), "-1-1", "-1-1"),
    ],
)
def test_files_may_take_pixels_of_other_ranges(
    first: keras.layers.Layer,
    pixels: Pixels,
    inferred: str,
    trained: Run,
    archive: Path,
    tmp_path: Path,
) -> None:
    path, folder = tmp_path / "network.keras", tmp_path / "firmware"
    keras.Sequential([keras.Input((32, 32, 3)), first, trained.model()]).save(path)
    result = et.verify_file(path, archive, pixels=pixels, progress=False)
    assert result.passed
    assert result.float_accuracy == trained.test_accuracy
    assert result.int8_accuracy == pytest.approx(trained.test_accuracy, abs=0.11)

    export = et.export(path, folder, formats=["c"], data=archive, pixels=pixels, progress=False)
    assert export.manifest.source_file is not None
    assert export.manifest.source_file.pixels == inferred
    assert export.manifest.float_validation_accuracy == trained.validation_accuracy
    verified = et.verify(folder, progress=False)
    assert verified.confusion == result.confusion
    assert verified.float_accuracy == trained.test_accuracy
    # The int8 file is evaluated with the same pixels.
    stored = et.verify_file(folder / "model.tflite", archive, pixels=pixels, progress=False)
    assert stored.confusion == result.confusion


def test_files_may_end_with_logits_or_one_output(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (400, 8, 8, 3), np.uint8)
    labels = images.mean(axis=(1, 2, 3)) > 127.5
    np.savez(tmp_path / "data.npz", images=images, labels=labels.astype(np.int64))
    brightness = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1, name="last")]
    network = keras.Sequential([keras.Input((8, 8, 3)), *brightness])
    network.get_layer("last").set_weights([np.full((3, 1), 100.0), np.array([-150.0])])
    network.save(tmp_path / "network.keras")
    result = et.verify_file(tmp_path / "network.keras", tmp_path / "data.npz", progress=False)
    assert result.float_accuracy == 1
    assert result.int8_accuracy > 0.8
    folder = tmp_path / "firmware"
    export = et.export(
        tmp_path / "network.keras",
        folder,
        formats=["c"],
        data=tmp_path / "data.npz",
        progress=False,
    )
    assert export.manifest.returns_probabilities
    assert et.verify(folder, progress=False).confusion == result.confusion


def test_verify_file_refuses_what_is_no_network(archive: Path, tmp_path: Path) -> None:
    text = tmp_path / "model.tflite"
    text.write_text("nothing")
    for path in (text, tmp_path / "missing.keras"):
        with pytest.raises(UsageError):
            et.verify_file(path, archive, progress=False)


def test_verify_file_refuses_invalid_arguments(trained: Run, archive: Path) -> None:
    path = trained.folder / "model.keras"
    with pytest.raises(UsageError) as caught:
        et.verify_file(path, archive, split="train", progress=False)
    assert caught.value.received == "train"
    with pytest.raises(UsageError) as caught:
        et.verify_file(path, archive, num_images=0, progress=False)
    assert caught.value.received == "0"
