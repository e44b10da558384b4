"""How a study gives out epochs: schedules, the rungs at which trials pause, and the rules for who
may go on.
"""

from eyetune.tuning.schedulers.make_scheduler import make_schedule
from eyetune.tuning.schedulers.plans import (
    BracketPlan,
    halving_rungs,
    hyperband_brackets,
    median_rungs,
)
from eyetune.tuning.schedulers.ranking import ranking
from eyetune.tuning.schedulers.scheduler import Grant, Schedule

__all__ = [
    "BracketPlan",
    "Grant",
    "Schedule",
    "halving_rungs",
    "hyperband_brackets",
    "make_schedule",
    "median_rungs",
    "ranking",
]
