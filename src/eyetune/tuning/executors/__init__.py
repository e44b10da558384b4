"""Executors run jobs: in parallel on this machine or a Ray cluster, or in this process.

A study needs nothing of an executor but `submit`. A worker process that dies, runs out of time or
takes too much memory is the failure of one job and harms no other.
"""

from eyetune.tuning.executors.executor import Executor
from eyetune.tuning.executors.in_process import InProcessExecutor
from eyetune.tuning.executors.local import LocalExecutor, default_workers
from eyetune.tuning.executors.make_executor import make_executor
from eyetune.tuning.executors.ray import RayExecutor

__all__ = [
    "Executor",
    "InProcessExecutor",
    "LocalExecutor",
    "RayExecutor",
    "default_workers",
    "make_executor",
]
