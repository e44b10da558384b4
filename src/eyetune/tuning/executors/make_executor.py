"""Makes an executor by its name."""

from __future__ import annotations

from eyetune.errors import UsageError
from eyetune.tuning.executors.executor import Executor
from eyetune.tuning.executors.in_process import InProcessExecutor
from eyetune.tuning.executors.local import LocalExecutor, default_workers
from eyetune.tuning.executors.ray import RayExecutor
from eyetune.tuning.executors.ray_cluster import CLIENT_SCHEME

NAMES = ("local", "ray", f"{CLIENT_SCHEME}HOST:PORT")


def make_executor(
    name: str = "local",
    num_workers: int | None = None,
    *,
    cpus_per_job: float = 1,
    gpus_per_job: float = 0,
) -> Executor:
    """Return an executor by its name.

    Args:
        name: `local` (processes on this machine), `ray` (the cluster that RAY_ADDRESS names, or
            else a Ray of this machine alone) or `ray://HOST:PORT` (a cluster elsewhere).
        num_workers: Number of jobs in parallel, or 0 to run them in this process; default: as many
            as suit this machine, or the cluster.
        cpus_per_job: Cores that Ray reserves for each job.
        gpus_per_job: GPUs that Ray reserves for each job.

    Raises:
        UsageError: The name is unknown, a number is out of its range, Ray is not installed, or its
            cluster cannot be reached.

    Example:
        >>> with make_executor("local", 1) as executor:
        ...     executor.submit(divmod, 7, 2).result()
        (3, 1)
    """
    if name == "local":
        if (cpus_per_job, gpus_per_job) != (1, 0):
            raise UsageError(
                "Only Ray reserves processors for jobs.",
                received=f"local, {cpus_per_job:g} CPUs and {gpus_per_job:g} GPUs per job",
                fix="Name the executor ray, or leave both out.",
            )
        if num_workers == 0:
            return InProcessExecutor()
        return LocalExecutor(default_workers() if num_workers is None else num_workers)
    is_client = name.startswith(CLIENT_SCHEME) and name != CLIENT_SCHEME
    if name == "ray" or is_client:
        if num_workers == 0:
            raise UsageError(
                "workers=0 trains in this process, not on a cluster.",
                received=f"the executor {name}",
                fix="Name the executor local, or leave workers out.",
            )
        address = name if is_client else None
        return RayExecutor(
            num_workers, address, cpus_per_job=cpus_per_job, gpus_per_job=gpus_per_job
        )
    raise UsageError(
        f"{name} is not a known executor.",
        received=name,
        expected=f"one of {', '.join(NAMES)}",
    )
