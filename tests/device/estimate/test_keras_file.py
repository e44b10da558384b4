"""Loading .keras files, and the reasons why one cannot be loaded."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

from eyetune.device.estimate.keras_file import check_keras_file, load_keras_file
from eyetune.errors import UsageError


def save(folder: Path, *stack: Any) -> Path:
    """Save a model of these layers and return its file."""
    path = folder / "model.keras"
    keras.Sequential([layers.Input((8, 8, 1)), *stack]).save(path)
    return path


def test_load_keras_file_returns_the_model(tmp_path: Path) -> None:
    path = save(tmp_path, layers.Conv2D(2, 3), layers.Flatten())
    check_keras_file(path)
    assert load_keras_file(path).count_params() == 20


def test_load_keras_file_runs_code_only_if_unsafe(tmp_path: Path) -> None:
    path = save(tmp_path, layers.Lambda(lambda values: 2 * values), layers.Flatten())
    with pytest.raises(UsageError) as caught:
        load_keras_file(path)
    assert "--unsafe" in (caught.value.fix or "")
    assert load_keras_file(path, unsafe=True).layers


def test_load_keras_file_names_unregistered_classes(tmp_path: Path) -> None:
    class Unregistered(layers.Layer):  # type: ignore[misc]
        def call(self, values: Any) -> Any:
            return values

    path = save(tmp_path, Unregistered(), layers.Flatten())
    with pytest.raises(UsageError) as caught:
        load_keras_file(path)
    assert caught.value.received == f"{path}: Unregistered"


@pytest.mark.parametrize(
    "config",
    [
        None,
        "{}",
        "[",
        '{"class_name": 3, "module": 4}',
        '{"class_name": "A", "module": "b", "registered_name": []}',
    ],
)
def test_load_keras_file_reports_other_archives(tmp_path: Path, config: str | None) -> None:
    path = tmp_path / "other.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json" if config is not None else "other", config or "")
    with pytest.raises(UsageError) as caught:
        load_keras_file(path)
    assert str(path) in (caught.value.received or "")


@pytest.mark.parametrize("content", [None, b"", b"not a zip"])
def test_check_keras_file_needs_a_zip_archive(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "model.keras"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        check_keras_file(path)
    assert caught.value.received == str(path)
