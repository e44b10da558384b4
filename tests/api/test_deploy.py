"""Deployment: a search under a board's limits, a longer training, an export, a verification."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import eyetune as et
from eyetune.api.deploy import verification_images
from eyetune.api.run import Run
from eyetune.device.export.export_folder import MANIFEST
from eyetune.errors import UsageError
from eyetune.testing.datasets import write_cifar10


@pytest.fixture(scope="module")
def deployed(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[et.Deployment, dict[str, Any]]:
    """Return a deployment and its arguments."""
    folder = tmp_path_factory.mktemp("deployed")
    archive = write_cifar10(folder, images_per_batch=40)
    # The space has two points, so that the search ends long before its time is over. So does the
    # final training, after three epochs.
    space = folder / "space.toml"
    space.write_text('["optimizer.learning_rate"]\nvalues = [1e-3, 3e-3]\n', encoding="utf-8")
    edits = {"model.blocks": [4], "model.dense": [8], "fit.epochs": 2, "fit.batch_size": 64}
    arguments: dict[str, Any] = {
        "data": str(archive),
        "output": folder / "firmware",
        "board": "esp32-s3-eye",
        "seconds": 600.0,
        "space": space,
        "recipe": et.Recipe().with_(edits),
        "name": "camera",
        "unknown": 0.1,
        "workers": 1,
        "workspace": folder / "workspace",
        "progress": False,
        "trackers": [et.TensorBoardTracker(folder / "logs")],
    }
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("eyetune.tuning.final_training.MAX_FINAL_EPOCHS", 3)
        return et.deploy(**arguments), arguments


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_deploy_ends_with_verified_firmware(
    deployed: tuple[et.Deployment, dict[str, Any]],
) -> None:
    deployment, arguments = deployed
    assert deployment.verification.passed
    assert deployment.verification.split == "test"
    assert deployment.export.folder == arguments["output"]
    assert (deployment.export.folder / "esp-idf" / "CMakeLists.txt").is_file()
    final = deployment.study.final_trial
    assert final is not None
    assert deployment.trial == final
    assert final.run == deployment.run.id
    assert len(deployment.run.history) == 3
    tried = deployment.export.manifest.tried
    assert len(tried) > 1
    assert all(network.latency_ms for network in tried)
    page = deployment.report.read_text()
    assert "predicted time per image" in page
    assert all(step in page for step in deployment.export.manifest.steps)
    kept = json.loads((deployment.export.folder / "deployment.json").read_text())
    assert kept["run"] == deployment.run.id
    assert kept["best"]["hyperparameters"] == final.all_values
    assert kept["verification"]["passed"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_deploy_holds_out_images_for_the_threshold(
    deployed: tuple[et.Deployment, dict[str, Any]],
) -> None:
    deployment, _ = deployed
    report = deployment.export.manifest.unknown
    assert report is not None
    assert report.is_held_out
    assert (report.calibration_images, report.num_compared) == (13, 1)
    assert deployment.run.record.data.num_validation == 40 - 13


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_deploy_logs_its_study(deployed: tuple[et.Deployment, dict[str, Any]]) -> None:
    deployment, arguments = deployed
    study = deployment.study
    (logs,) = (arguments["workspace"].parent / "logs").iterdir()
    assert logs.name == f"camera-{study.record.id}"
    trained = {f"trial-{trial.number:04d}" for trial in study.trials if trial.run is not None}
    assert trained <= {folder.name for folder in logs.iterdir()}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_deploy_resumed_trains_nothing_again(
    deployed: tuple[et.Deployment, dict[str, Any]],
) -> None:
    deployment, arguments = deployed
    num_runs = len(deployment.study.workspace.runs.all())
    settings = deployment.study.record.settings
    kept = ("output", "name", "workspace", "workers", "progress", "unknown")
    again = et.deploy(**{name: arguments[name] for name in kept}, resume=True)
    assert len(again.study.workspace.runs.all()) == num_runs
    assert again.run.id == deployment.run.id
    assert again.study.record.settings.budget == settings.budget  # the time that was given
    assert (again.export.folder / MANIFEST).is_file()
    assert f"study {deployment.study.name}, exported for ESP32-S3-EYE" in repr(again)
    page = again._repr_html_()
    assert again.export._repr_html_() in page
    assert again.verification._repr_html_() in page


def test_verification_images_fall_back_to_validation(
    trained: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyetune.api.deploy.usable_cores", lambda: 2)
    data = replace(trained.record.data, num_validation=1000, num_test=0)
    assert verification_images(data, 12_500_000, 5.0) == ("validation", 952)
    assert verification_images(data, 12_500_000, 0.1) == ("validation", 200)
    data = replace(data, num_test=150)
    assert verification_images(data, 12_500_000, 10.0) == ("test", 150)


def test_deploy_refuses_arguments_before_any_work(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    new = tmp_path / "new"
    refused: list[tuple[dict[str, Any], str]] = [
        ({"output": folder}, "thesis.txt"),
        ({"output": new, "board": "esp-ey"}, "esp-ey"),
        ({"output": new, "seconds": 0}, "0"),
        ({"output": new, "formats": ["rust"]}, "rust"),
        ({"output": new, "fps": 0}, "0"),
        ({"output": new, "constraints": "speed > 3"}, "speed > 3"),
    ]
    for arguments, received in refused:
        with pytest.raises(UsageError) as caught:
            et.deploy("digits", **arguments)
        assert caught.value.received == received
    assert not new.exists()
