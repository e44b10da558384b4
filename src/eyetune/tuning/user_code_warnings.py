"""Warnings about a user's own code that trains in worker processes, each once in a study."""

from __future__ import annotations

import warnings
from typing import final

from eyetune.errors import EyetuneWarning
from eyetune.training.job import Outcome

MAX_LISTED = 4


@final
class UserCodeWarnings:
    """Warns of what trainings in worker processes did that the user may not expect."""

    def __init__(self) -> None:
        self._has_warned_of_copies = False
        self._has_warned_of_network = False

    def add(self, outcome: Outcome, *, is_in_process: bool) -> None:
        """Warn of what one training did, unless an earlier one did it too.

        Args:
            outcome: Its outcome.
            is_in_process: Whether it had the user's own objects instead of copies.
        """
        if outcome.changed_copies and not is_in_process and not self._has_warned_of_copies:
            self._has_warned_of_copies = True
            _warn_of_copies(outcome.changed_copies)
        if not outcome.is_trained and not self._has_warned_of_network:
            self._has_warned_of_network = True
            warnings.warn(
                "HyperModel.fit did not train the network that it got, and gave its callbacks to "
                "no other one of the same shape: the networks of these trials are untrained. Pass "
                "the callbacks on to model.fit; then a trial has the network of the best epoch.",
                EyetuneWarning,
                stacklevel=2,
            )


def _warn_of_copies(changes: tuple[str, ...]) -> None:
    listed = ", ".join(changes[:MAX_LISTED])
    if len(changes) > MAX_LISTED:
        listed += f" and {len(changes) - MAX_LISTED} more"
    warnings.warn(
        "Each trial trains in a worker process, with copies of the model function and the "
        f"callbacks. They changed {listed}, which your own objects do not show. To see it there, "
        "train in this process with workers=0; or write it to a file.",
        EyetuneWarning,
        stacklevel=3,
    )
