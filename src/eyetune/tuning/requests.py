"""What others ask of a running study: to pause, to stop, or to try values of theirs."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from typing import final

from eyetune.errors import EyetuneWarning
from eyetune.records import Workspace
from eyetune.records.requests import Request, RequestKind
from eyetune.space.space import Space

SECONDS_BETWEEN_LOOKS = 1.0
PAUSED = "Paused at the request of the dashboard or another program"


@final
class StudyRequests:
    """The requests to a study, as its coordinating process sees them.

    Args:
        workspace: Workspace of the study.
        study_id: Id of the study.
    """

    def __init__(self, workspace: Workspace, study_id: str) -> None:
        self._workspace = workspace
        self._study_id = study_id
        self._pending: list[Request] = []
        self._looked_at = -SECONDS_BETWEEN_LOOKS

    def raise_if_paused(self) -> None:
        """Look for requests, but not too often.

        Raises:
            KeyboardInterrupt: The study is asked to pause, as by Ctrl-C.
        """
        if time.monotonic() - self._looked_at >= SECONDS_BETWEEN_LOOKS:
            self._pending = self._workspace.requests.pending(self._study_id)
            self._looked_at = time.monotonic()
        if self._take(RequestKind.PAUSE):
            raise KeyboardInterrupt(PAUSED)

    def take_stop(self) -> bool:
        """Return whether the study was asked to end with the results so far."""
        return self._take(RequestKind.STOP)

    def next_trial(self, space: Space) -> Request | None:
        """Return the next request for a trial, with all active values; it stays until `remove`.

        One that is not of the study's space is removed, with a warning: the record of a request
        can have been written by another program.

        Args:
            space: The space of the study.
        """
        for request in [each for each in self._pending if each.kind is RequestKind.TRIAL]:
            values = request.hyperparameters
            complete = space.complete(values)
            if values.keys() <= complete.keys() and space.contains(complete):
                return replace(request, hyperparameters=complete)
            self.remove(request)
            warnings.warn(
                "A trial that was asked for is left out: its values are not of the study's space: "
                + ", ".join(f"{name}={value}" for name, value in values.items()),
                EyetuneWarning,
                stacklevel=2,
            )
        return None

    def remove(self, *met: Request) -> None:
        """Remove requests that have been met."""
        self._workspace.requests.remove(*met)
        ids = {request.id for request in met}
        self._pending = [each for each in self._pending if each.id not in ids]

    def _take(self, kind: RequestKind) -> bool:
        """Remove the requests of a kind, and return whether there were any."""
        found = [each for each in self._pending if each.kind is kind]
        if found:
            self.remove(*found)
        return bool(found)
