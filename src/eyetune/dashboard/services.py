"""What the pages of a dashboard share."""

from __future__ import annotations

from dataclasses import dataclass

from eyetune.dashboard.inspector import Inspector
from eyetune.dashboard.jobs import Jobs
from eyetune.dashboard.live import Live


@dataclass(frozen=True)
class Services:
    """What the pages of a dashboard share.

    Attributes:
        live: The records.
        inspector: The process that answers what needs Keras.
        jobs: The commands that were started.
    """

    live: Live
    inspector: Inspector
    jobs: Jobs
