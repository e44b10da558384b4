"""Schedulers distribute epochs over trials: rungs at which trials pause, and rules of promotion."""

from eyetune.tuning.schedulers.make_scheduler import make_scheduler
from eyetune.tuning.schedulers.plans import (
    BracketPlan,
    halving_rungs,
    hyperband_brackets,
    median_rungs,
)
from eyetune.tuning.schedulers.scheduler import Promotion, Scheduler

__all__ = [
    "BracketPlan",
    "Promotion",
    "Scheduler",
    "halving_rungs",
    "hyperband_brackets",
    "make_scheduler",
    "median_rungs",
]
