"""An executor by its name on the command line."""

from __future__ import annotations

from eyetune.errors import UsageError
from eyetune.tuning.executors.executor import Executor
from eyetune.tuning.executors.local import LocalExecutor, default_workers
from eyetune.tuning.executors.ray import CLIENT_SCHEME, RayExecutor

KNOWN = ("local", "ray", f"{CLIENT_SCHEME}HOST:PORT")


def make_executor(
    word: str = "local",
    num_workers: int | None = None,
    *,
    cpus_per_job: float = 1,
    gpus_per_job: float = 0,
) -> Executor:
    """Return the executor that a word names.

    Args:
        word: `local` (processes on this machine), `ray` (the cluster that RAY_ADDRESS names, or
            else a Ray of this machine alone) or `ray://HOST:PORT` (a cluster elsewhere).
        num_workers: How many jobs at once; by default as many as suit this machine, or the cluster.
        cpus_per_job: Cores that Ray reserves for each job.
        gpus_per_job: Graphics processors that Ray reserves for each job.

    Raises:
        UsageError: The word is unknown, a number out of its range, Ray is not installed or its
            cluster not there.

    Example:
        >>> with make_executor("local", 1) as executor:
        ...     executor.submit(divmod, 7, 2).result()
        (3, 1)
    """
    if word == "local":
        _refuse_without_ray(cpus_per_job, gpus_per_job)
        return LocalExecutor(default_workers() if num_workers is None else num_workers)
    if word == "ray" or (word.startswith(CLIENT_SCHEME) and word != CLIENT_SCHEME):
        address = None if word == "ray" else word
        return RayExecutor(
            num_workers, address, cpus_per_job=cpus_per_job, gpus_per_job=gpus_per_job
        )
    raise UsageError(
        "There is no such executor.", received=word, expected=f"one of {', '.join(KNOWN)}"
    )


def _refuse_without_ray(cpus_per_job: float, gpus_per_job: float) -> None:
    if (cpus_per_job, gpus_per_job) != (1, 0):
        raise UsageError(
            "Processors are reserved for jobs by Ray alone.",
            received=f"{cpus_per_job:g} CPUs and {gpus_per_job:g} GPUs per job, with the executor local",
            fix="Name the executor ray, or leave both out.",
        )
