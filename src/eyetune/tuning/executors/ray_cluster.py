"""Connects to a Ray cluster or starts one on this machine, and counts the jobs it has room for."""

from __future__ import annotations

import importlib
import logging
import math
import os
import socket
import time
from types import ModuleType
from typing import Any

from eyetune.errors import UsageError
from eyetune.tuning.executors.local import default_workers

CLIENT_SCHEME = "ray://"
PORT_SECONDS = 5.0  # how long to wait for an open port
CLIENT_SECONDS = 180.0  # how long a cluster may take to start a server for a client
OBJECT_STORE_BYTES = 256 * 1024 * 1024  # results are small; Ray would take a third of the memory


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
        address: `HOST:PORT`, `ray://HOST:PORT` or `auto`; None for what RAY_ADDRESS names, or else
            a Ray of this machine alone.
        num_workers: Number of jobs that a Ray of this machine alone has room for.
        cpus_per_job: Cores of each job.

    Returns:
        Whether this call connected it.

    Raises:
        UsageError: The cluster cannot be reached.
    """
    if ray.is_initialized():
        return False
    _silence()
    address = address or os.environ.get("RAY_ADDRESS")
    if not address:
        cpus = default_workers() if num_workers is None else num_workers * cpus_per_job
        _start(ray, max(1, math.ceil(cpus), math.ceil(cpus_per_job)))
        return True
    try:
        _check_port(address)
        _join(ray, address)
    except Exception as error:  # of many kinds: no connection, another version, an invalid address
        message = " ".join(str(error).split())[:200]
        raise UsageError(
            "The Ray cluster cannot be reached.",
            expected="HOST:PORT, ray://HOST:PORT or auto; the same Ray and Python there",
            received=f"{address} ({message})",
            fix="Start one with `ray start --head`, which shows its address.",
        ) from None
    return True


def _check_port(address: str) -> None:
    """Fail at once where no port is open: Ray itself tries for minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon:
        endpoint = (host.strip("[]"), int(port))
        socket.create_connection(endpoint, timeout=PORT_SECONDS).close()


def _join(ray: ModuleType, address: str) -> None:
    """Connect to a cluster.

    A cluster starts a server for each client, and Ray gives up after 30 seconds, which a busy
    machine may need: a client tries again.
    """
    deadline = time.monotonic() + CLIENT_SECONDS
    while True:
        try:
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
            return
        except ConnectionError:
            if not address.startswith(CLIENT_SCHEME) or time.monotonic() > deadline:
                raise


def _start(ray: ModuleType, num_cpus: int) -> None:
    ray.init(
        address="local",
        num_cpus=num_cpus,
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        logging_level=logging.ERROR,
        log_to_driver=False,
    )


def _silence() -> None:
    """Keep Ray from writing to standard output, which belongs to results.

    The lines of its daemons about a dead machine are printed whatever `log_to_driver` says, and
    there is no setting for them.
    """
    worker: Any = importlib.import_module("ray._private.worker")
    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = _log


def _log(data: dict[str, Any], ignore_prefix: bool) -> None:  # noqa: ARG001
    logging.getLogger("ray").debug("\n".join(data["lines"]))


def capacity(ray: ModuleType, cpus_per_job: float, gpus_per_job: float) -> int:
    """Return how many jobs the cluster has room for in parallel.

    Raises:
        UsageError: It has no room for a single one.
    """
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = sum(_num_jobs(machine, cpus_per_job, gpus_per_job) for machine in machines)
    if room == 0:
        sizes = ", ".join(
            f"{machine.get('CPU', 0):g} CPUs and {machine.get('GPU', 0):g} GPUs"
            for machine in machines
        )
        raise UsageError(
            "No machine of the cluster has room for a job.",
            expected=f"{cpus_per_job:g} CPUs and {gpus_per_job:g} GPUs on one machine",
            received=sizes or "no machine",
            fix="Reserve less for each job.",
        )
    return room


def _num_jobs(machine: dict[str, float], cpus_per_job: float, gpus_per_job: float) -> int:
    jobs = [math.floor(machine.get("CPU", 0) / cpus_per_job)]
    if gpus_per_job > 0:
        jobs.append(math.floor(machine.get("GPU", 0) / gpus_per_job))
    return min(jobs)
