"""The whole way: a search under a board's limits, one longer training, an export and its proof."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import eyetune as et
from eyetune.device.export.export_folder import MANIFEST
from eyetune.errors import UsageError
from eyetune.testing.datasets import write_cifar10


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[et.Deployment, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("deployed")
    archive = write_cifar10(folder, images_per_batch=40)
    recipe = et.Recipe().with_(
        {"model.blocks": [4], "model.dense": [8], "fit.epochs": 2, "fit.batch_size": 16}
    )
    words: dict[str, Any] = {
        "data": str(archive),
        "output": folder / "firmware",
        "seconds": 40.0,
        "recipe": recipe,
        "name": "camera",
        "workers": 1,
        "workspace": folder / "workspace",
        "progress": False,
    }
    return et.deploy(**words), words


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_one_call_ends_with_proven_firmware_and_one_report(
    made: tuple[et.Deployment, dict[str, Any]],
) -> None:
    done, words = made
    assert done.verification.passed
    assert done.verification.split == "test"
    assert done.export.folder == Path(words["output"])
    assert (done.export.folder / "esp-idf" / "CMakeLists.txt").is_file()
    assert (
        done.run.validation_accuracy >= done.study.best_value - 1e-6
    )  # one of the two is a float32
    page = done.report.read_text()
    assert "How it was found" in page
    assert "networks were tried in study camera" in page
    kept = json.loads((done.export.folder / "deployment.json").read_text())
    assert kept["run"] == done.run.id
    assert kept["verification"]["passed"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_resumed_it_trains_nothing_again(made: tuple[et.Deployment, dict[str, Any]]) -> None:
    done, words = made
    before = len(done.study.workspace.runs.all())
    keep = {
        name: words[name]
        for name in ("output", "seconds", "name", "workspace", "workers", "progress")
    }
    again = et.deploy(**keep, resume=True)
    assert len(again.study.workspace.runs.all()) == before
    assert again.run.id == done.run.id
    assert (again.export.folder / MANIFEST).is_file()


def test_what_is_wrong_is_said_before_any_work(tmp_path: Path) -> None:
    place = tmp_path / "mine"
    place.mkdir()
    (place / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="no export"):
        et.deploy("digits", place)
    with pytest.raises(UsageError, match="no board named"):
        et.deploy("digits", board="esp-ey")
    with pytest.raises(UsageError, match="time"):
        et.deploy("digits", seconds=0)
    with pytest.raises(UsageError, match="no such format"):
        et.deploy("digits", tmp_path / "new", formats=["rust"])
    assert not (tmp_path / "new").exists()
