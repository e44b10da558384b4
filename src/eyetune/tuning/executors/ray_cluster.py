"""Finding a Ray cluster, or starting one on this machine, quietly; and how many jobs it has room
for.
"""

from __future__ import annotations

import importlib
import logging
import math
import os
import socket
from types import ModuleType
from typing import Any

from eyetune.errors import UsageError
from eyetune.tuning.executors.local import default_workers

KNOCK_SECONDS = 5.0
OBJECT_STORE_BYTES = 256 * 1024 * 1024  # outcomes are small; Ray would take a third of the machine


def load_ray() -> ModuleType:
    """Import Ray, which then sends no statistics of its use.

    Raises:
        UsageError: It is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise UsageError("Ray is not installed.", fix="pip install 'eyetune[ray]'") from None


def connect(
    ray: ModuleType, address: str | None, num_workers: int | None, cpus_per_job: float
) -> bool:
    """Connect this process to a cluster, unless it is connected already.

    Args:
        ray: The module.
        address: As for `RayExecutor`.
        num_workers: How many jobs a Ray of this machine alone should have room for.
        cpus_per_job: Cores of each.

    Returns:
        Whether this call connected it.

    Raises:
        UsageError: The cluster cannot be reached.
    """
    if ray.is_initialized():
        return False
    _silence()
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    address = address or os.environ.get("RAY_ADDRESS")
    if not address:
        cpus = default_workers() if num_workers is None else num_workers * cpus_per_job
        _start(ray, max(1, math.ceil(cpus), math.ceil(cpus_per_job)), quiet)
        return True
    try:
        _knock(address)
        ray.init(address=address, **quiet)
    except (
        Exception
    ) as error:  # of many kinds: no connection, another version, an address that is none
        raise UsageError(
            "The Ray cluster cannot be reached.",
            expected="HOST:PORT, ray://HOST:PORT or auto, of a cluster with the same Ray and Python",
            received=f"{address} ({' '.join(str(error).split())[:200]})",
            fix="Start one with `ray start --head`, which shows its address.",
        ) from None
    return True


def _knock(address: str) -> None:
    """Fail at once where nobody answers: Ray itself tries for minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon:
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_SECONDS).close()


def _start(ray: ModuleType, cpus: int, quiet: dict[str, Any]) -> None:
    ray.init(
        address="local",
        num_cpus=cpus,
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        **quiet,
    )


def _silence() -> None:
    """Keep Ray from writing on standard output, which belongs to results.

    What its daemons say of a machine that died is printed whatever `log_to_driver` says; there is
    no setting for it.
    """
    worker: Any = importlib.import_module("ray._private.worker")
    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = _log


def _log(data: dict[str, Any], ignore_prefix: bool) -> None:  # noqa: ARG001
    logging.getLogger("ray").debug("\n".join(data["lines"]))


def capacity(ray: ModuleType, cpus_per_job: float, gpus_per_job: float) -> int:
    """Return how many jobs the cluster has room for at once.

    Raises:
        UsageError: Not one.
    """
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = sum(_jobs(machine, cpus_per_job, gpus_per_job) for machine in machines)
    if room == 0:
        largest = ", ".join(
            f"{each.get('CPU', 0):g} CPUs and {each.get('GPU', 0):g} GPUs" for each in machines
        )
        raise UsageError(
            "No machine of the cluster has room for a job.",
            expected=f"{cpus_per_job:g} CPUs and {gpus_per_job:g} GPUs on one machine",
            received=largest or "no machine",
            fix="Ask for less for each job.",
        )
    return room


def _jobs(machine: dict[str, float], cpus_per_job: float, gpus_per_job: float) -> int:
    jobs = [math.floor(machine.get("CPU", 0) / cpus_per_job)]
    if gpus_per_job > 0:
        jobs.append(math.floor(machine.get("GPU", 0) / gpus_per_job))
    return min(jobs)
