"""The report that the user's own objects lack what a training changed in its copies of them."""

from __future__ import annotations

import warnings
from typing import final

from eyetune.errors import EyetuneWarning

MAX_LISTED = 4


@final
class CopiesReport:
    """Reports once in a study what trainings in worker processes changed in their copies."""

    def __init__(self) -> None:
        self._has_reported = False

    def add(self, changes: tuple[str, ...]) -> None:
        """Report the changes of a training, unless there are none or some were reported before.

        Args:
            changes: From `Outcome.changed_copies`, such as "LossLog.losses".
        """
        if not changes or self._has_reported:
            return
        self._has_reported = True
        listed = ", ".join(changes[:MAX_LISTED])
        if len(changes) > MAX_LISTED:
            listed += f" and {len(changes) - MAX_LISTED} more"
        warnings.warn(
            f"Each trial trains in a worker process, with copies of the callbacks. They changed "
            f"{listed}, which your own objects do not show. To see it there, train in this process "
            "with workers=0; or write it to a file in the callback.",
            EyetuneWarning,
            stacklevel=2,
        )
