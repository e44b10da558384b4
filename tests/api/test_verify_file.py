"""Verification of networks in files."""

from __future__ import annotations

from pathlib import Path

import pytest

import eyetune as et
from eyetune.api.run import Run
from eyetune.device.export import tflm
from eyetune.errors import UsageError


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


def test_verify_file_refuses_what_is_no_network(archive: Path, tmp_path: Path) -> None:
    text = tmp_path / "model.tflite"
    text.write_text("nothing")
    for arguments in ((text, "test"), (tmp_path / "missing.keras", "test")):
        with pytest.raises(UsageError):
            et.verify_file(arguments[0], archive, split=arguments[1], progress=False)
