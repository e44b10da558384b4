"""Fixtures and settings that all tests share."""

from __future__ import annotations

import gc
import os
import sqlite3
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

    from eyetune.api.run import Run

TIERS = ("browser", "faults")  # folders with longer tests, which have targets of their own

# One thread per test process, also in the processes that tests start: the networks are too small to
# gain from more, and two test processes on two cores would compete. Set before NumPy is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
collect_ignore = ["fuzz"]  # `make fuzz` runs it
settings.register_profile("eyetune", deadline=None)  # a busy machine is not a failure
settings.load_profile("eyetune")


def pytest_configure(config: pytest.Config) -> None:
    """Remove at the end what the tests, and the processes that they start, leave behind.

    Processes that tests kill cannot clean up, and examples in docstrings stay short. Only pytest's
    own folders (`tmp_path`) remain in the usual place, to look at after a failure.
    """
    if hasattr(config, "workerinput"):
        return  # a test process uses the folder of the process that started it
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    folder = tempfile.TemporaryDirectory(prefix="eyetune-", ignore_cleanup_errors=True)
    config.add_cleanup(folder.cleanup)
    os.environ["TMPDIR"] = tempfile.tempdir = folder.name


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the tests that have a target of their own in the Makefile, unless it names them."""
    if collection_path.parent != Path(__file__).parent or collection_path.name not in TIERS:
        return None
    named = [Path(argument.partition("::")[0]).resolve() for argument in config.args]
    is_named = any(path.is_relative_to(collection_path) for path in named)
    return None if is_named else True


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


@pytest.fixture(scope="session", autouse=True)
def quick_databases() -> Iterator[None]:
    """Make databases quickly, and do not wait for the disk.

    The first new database runs all migrations, and the others make the tables that result.
    Databases that are not new are migrated as always. Waiting for the disk protects against power
    failures alone, not against processes that are killed.
    """
    from alembic import command
    from sqlalchemy import Engine, event

    migrate = command.upgrade
    statements: list[str] = []

    def upgrade(config: Config, revision: str) -> None:
        connection: Connection = config.attributes["connection"]
        schema = "select sql from sqlite_master where sql is not null and name not like 'sqlite_%'"
        is_new = connection.exec_driver_sql(schema).first() is None
        if revision != "head" or not is_new:
            migrate(config, revision)
        elif statements:
            for statement in statements:
                connection.exec_driver_sql(statement)
        else:
            migrate(config, revision)
            version = connection.exec_driver_sql("select * from alembic_version").scalar_one()
            statements.extend(connection.exec_driver_sql(schema).scalars())
            statements.append(f"insert into alembic_version values ('{version}')")

    @event.listens_for(Engine, "connect")
    def do_not_wait(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "upgrade", upgrade)
        patch.setattr(os, "fsync", lambda _: None)
        yield


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
