"""Executors by name."""

from __future__ import annotations

import sys

import pytest

from eyetune.errors import UsageError
from eyetune.tuning.executors import LocalExecutor, default_workers, make_executor


def test_make_executor_local() -> None:
    with make_executor("local", 1) as executor:
        assert isinstance(executor, LocalExecutor)
        assert executor.num_workers == 1
    with make_executor("local") as executor:
        assert executor.num_workers == default_workers()


@pytest.mark.parametrize("name", ["slurm", "ray://", "Local"])
def test_make_executor_refuses_unknown_names(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_executor(name)
    assert caught.value.received == name
    assert "ray://HOST:PORT" in (caught.value.expected or "")


def test_make_executor_reserves_processors_with_ray_only() -> None:
    with pytest.raises(UsageError):
        make_executor("local", 1, gpus_per_job=1)


def test_make_executor_explains_how_to_install_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError) as caught:
        make_executor("ray")
    assert caught.value.fix == "pip install 'eyetune[ray]'"
