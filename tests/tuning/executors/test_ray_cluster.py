"""Connecting to a Ray cluster, without one."""

from __future__ import annotations

from importlib import metadata
from types import ModuleType
from typing import Any

import pytest

from eyetune.errors import UsageError
from eyetune.tuning.executors import ray_cluster
from eyetune.tuning.executors.ray_cluster import CLIENT_SECONDS, connect, load_ray


class FakeRay(ModuleType):
    """A Ray whose cluster refuses the first connections."""

    def __init__(self, num_failures: int) -> None:
        super().__init__("ray")
        self.num_failures = num_failures
        self.addresses: list[str] = []

    def is_initialized(self) -> bool:
        return False

    def init(self, *, address: str, **_: Any) -> None:
        self.addresses.append(address)
        if len(self.addresses) <= self.num_failures:
            raise ConnectionAbortedError("Starting Ray client server failed.")


@pytest.fixture(autouse=True)
def _open_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "_check_port", lambda _: None)


def test_connect_tries_again_while_a_cluster_is_busy() -> None:
    ray = FakeRay(2)
    assert connect(ray, "ray://somewhere:10001", None, 1)
    assert ray.addresses == ["ray://somewhere:10001"] * 3


def test_connect_gives_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 1.0, CLIENT_SECONDS + 1])
    monkeypatch.setattr("eyetune.tuning.executors.ray_cluster.time.monotonic", lambda: next(times))
    ray = FakeRay(9)
    with pytest.raises(UsageError):
        connect(ray, "ray://somewhere:10001", None, 1)
    assert len(ray.addresses) == 2


def test_connect_tries_other_addresses_once() -> None:
    ray = FakeRay(1)
    with pytest.raises(UsageError):
        connect(ray, "somewhere:6379", None, 1)
    assert len(ray.addresses) == 1


def test_private_part_of_ray_is_that_of_the_pinned_version() -> None:
    """`ray_cluster` replaces a private function of Ray: look at it again with a new version."""
    load_ray()
    from ray._private import worker

    assert metadata.version("ray") == "2.60.0"
    assert callable(worker.print_to_stdstream)
