"""What all tests share: a cache and a workspace of their own, and one small trained run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from eyetune.api.run import Run
from eyetune.recipe import Recipe
from eyetune.testing.datasets import write_cifar10

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
settings.register_profile("eyetune", deadline=None)  # a busy machine is no failure
settings.load_profile("eyetune")


@pytest.fixture(scope="session", autouse=True)
def cache_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep the tests out of the user's cache, also in the processes that they start."""
    path = tmp_path_factory.mktemp("cache")
    os.environ["EYETUNE_CACHE"] = str(path)
    return path


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a workspace of its own."""
    path = tmp_path / "workspace"
    monkeypatch.setenv("EYETUNE_WORKSPACE", str(path))
    return path


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a CIFAR-10 archive with few images."""
    return write_cifar10(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Run:
    """Return a complete run on the small archive, in a workspace of its own that tests must not
    change.
    """
    from eyetune.api.train import train

    edits = {"model.blocks": [4], "model.dense": [8], "fit.epochs": 3, "fit.batch_size": 16}
    recipe = Recipe().with_(edits)
    return train(
        recipe,
        archive,
        name="trained",
        workspace=tmp_path_factory.mktemp("trained"),
        progress=False,
    )


@pytest.fixture
def real_data() -> Path:
    """Return the folder of the real images, or skip the test where there are none."""
    directory = os.environ.get("EYETUNE_DATA")
    if not directory:
        pytest.skip("EYETUNE_DATA names no folder with the real CIFAR-10 archive")
    return Path(directory)
