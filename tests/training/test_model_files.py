"""Networks of runs on disk: files that would take too much memory are refused."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from eyetune.errors import TrainingError
from eyetune.inputs.limits import WEIGHTS_BYTES
from eyetune.training.model_files import load_as_saved, load_classifier
from eyetune.values.run_files import MODEL_FILE

LIMIT_BYTES = 1_000_000


@pytest.mark.parametrize(
    "load",
    [
        lambda folder: load_classifier(folder / MODEL_FILE),
        lambda folder: load_as_saved(folder / MODEL_FILE),
    ],
    ids=["classifier", "as-saved"],
)
def test_load_refuses_a_file_that_unpacks_to_too_much(
    load: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WEIGHTS_BYTES.variable, str(LIMIT_BYTES))
    with zipfile.ZipFile(tmp_path / MODEL_FILE, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(2 * LIMIT_BYTES))
    with pytest.raises(TrainingError) as caught:
        load(tmp_path)
    assert WEIGHTS_BYTES.variable in str(caught.value.fix)
