"""Fixtures and settings that all tests share."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from eyetune.api.run import Run

# One thread per test process, also in the processes that tests start: the networks are too small to
# gain from more, and two test processes on two cores would compete. Set before NumPy is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
collect_ignore = ["fuzz"]  # `make fuzz` runs it
settings.register_profile("eyetune", deadline=None)  # a busy machine is not a failure
settings.load_profile("eyetune")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep modules and tests, which live until the end, out of garbage collection.

    There are 650,000 of their objects, and a collection that visits them takes half a second.
    Collections are also rarer than usual: they took a twentieth of the time of trainings.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000)
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the files with slow tests first, so that two test processes finish at the same time."""
    slow_files = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow_files)


@pytest.fixture(scope="session", autouse=True)
def cache_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep the tests, and the processes that they start, out of the user's image cache."""
    path = tmp_path_factory.mktemp("cache")
    os.environ["EYETUNE_CACHE"] = str(path)
    return path


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test its own workspace."""
    path = tmp_path / "workspace"
    monkeypatch.setenv("EYETUNE_WORKSPACE", str(path))
    return path


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a CIFAR-10 archive with few images."""
    from eyetune.testing.datasets import write_cifar10

    return write_cifar10(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Run:
    """Return a complete run on the small archive; tests must not change its workspace."""
    from eyetune.api.train import train
    from eyetune.recipe import Recipe

    edits = {"model.blocks": [4], "model.dense": [8], "fit.epochs": 3, "fit.batch_size": 16}
    return train(
        Recipe().with_(edits),
        archive,
        name="trained",
        workspace=tmp_path_factory.mktemp("trained"),
        progress=False,
    )


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the pictures of trainings, which take longer than a small training."""
    monkeypatch.setattr("eyetune.api.run.Run.save_plots", lambda *_, **__: [])


@pytest.fixture
def real_data() -> Path:
    """Return the folder of the real CIFAR-10 images; skip the test if there is none."""
    directory = os.environ.get("EYETUNE_DATA")
    if not directory:
        pytest.skip("EYETUNE_DATA does not name a folder with the real CIFAR-10 archive")
    return Path(directory)
