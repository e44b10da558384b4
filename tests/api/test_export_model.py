"""Model files without a board: what they compute, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import eyetune as et
from eyetune.api.run import Run
from eyetune.device.export import onnx_file
from eyetune.device.export.model_file import open_model_file
from eyetune.errors import UsageError, WorkspaceError


def test_export_model_writes_files_of_the_same_network(trained: Run, tmp_path: Path) -> None:
    files = et.export_model(trained, tmp_path, formats=["keras", "tflite"], progress=False)
    assert set(files.files) == {"model.tflite", "model.keras", "labels.txt"}
    assert {path.name for path in tmp_path.iterdir()} == set(files.files)
    images = trained.dataset().validation.images
    expected = open_model_file(trained.folder / "model.keras").probabilities(images)
    in_keras = open_model_file(tmp_path / "model.keras").probabilities(images)
    in_int8 = open_model_file(tmp_path / "model.tflite").probabilities(images)
    assert np.array_equal(in_keras, expected)
    assert np.abs(in_int8 - expected).mean() < 0.02
    assert files.float_accuracy == trained.validation_accuracy
    assert files.num_validation_images == len(images)
    assert repr(files).startswith("<ModelExport: model.tflite, ")
    assert f"{files.int8_accuracy:.2%}" in files._repr_html_()


def test_export_model_converts_a_keras_file(trained: Run, archive: Path, tmp_path: Path) -> None:
    path = trained.folder / "model.keras"
    with pytest.raises(UsageError) as caught:
        et.export_model(path, tmp_path, progress=False)
    assert "--data" in (caught.value.expected or "")
    files = et.export_model(path, tmp_path, data=archive, progress=False)
    assert files.float_accuracy == trained.validation_accuracy
    assert (tmp_path / "model.tflite").is_file()
    with pytest.raises(UsageError, match="already contains"):
        et.export_model(path, tmp_path, data=archive, progress=False)
    with pytest.raises(UsageError, match=r"tflite file cannot"):
        et.export_model(tmp_path / "model.tflite", tmp_path / "other", progress=False)


def test_export_model_for_a_board_takes_the_scales_of_its_kernels(
    trained: Run, tmp_path: Path
) -> None:
    for board in ("esp32-s3-eye", "esp-eye"):
        et.export_model(trained, tmp_path / board, board=board, progress=False)
        assert et.fit_check(tmp_path / board / "model.tflite", board).fits
    assert not et.fit_check(tmp_path / "esp-eye" / "model.tflite", "esp32-s3-eye").fits
    with pytest.raises(UsageError, match="the same for all boards"):
        et.export_model(trained, tmp_path, formats=["keras"], board="esp-eye", progress=False)


def test_export_model_names_the_missing_package(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_file, "_PACKAGES", ("no_such_package",))
    with pytest.raises(UsageError) as caught:
        et.export_model(trained, tmp_path / "new", formats=["onnx"], progress=False)
    assert "eyetune[onnx]" in (caught.value.fix or "")
    assert not (tmp_path / "new").exists()
    with pytest.raises(UsageError, match="no format"):
        et.export_model(trained, tmp_path, formats=["onyx"])


def test_export_model_reports_an_unwritable_folder(trained: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "folder"
    with pytest.raises(WorkspaceError) as caught:
        et.export_model(trained, folder, formats=["keras"], progress=False)
    assert "--output" in (caught.value.fix or "")


def test_export_model_writes_onnx(trained: Run, tmp_path: Path) -> None:
    et.export_model(trained, tmp_path, formats=["onnx"], progress=False)
    model = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(model)
    images = trained.dataset().validation.images[:3]
    (outputs,) = ReferenceEvaluator(model).run(None, {"image": images / np.float32(255)})
    expected = open_model_file(trained.folder / "model.keras").probabilities(images)
    assert np.allclose(outputs, expected, atol=1e-4)
