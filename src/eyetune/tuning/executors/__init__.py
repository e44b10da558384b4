"""Who does the jobs: processes on this machine, or those of a Ray cluster, behind one seam.

A study needs nothing of an executor but to hand over a job and to be told what came of it. A worker
that dies, runs out of time or takes too much memory is one job's failure, and harms no other.
"""

from eyetune.tuning.executors.executor import Executor
from eyetune.tuning.executors.local import LocalExecutor, default_workers
from eyetune.tuning.executors.make_executor import make_executor
from eyetune.tuning.executors.ray import RayExecutor

__all__ = [
    "Executor",
    "LocalExecutor",
    "RayExecutor",
    "default_workers",
    "make_executor",
]
