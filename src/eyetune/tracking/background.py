"""Calls trackers in threads of their own, so that none can delay or end a training."""

from __future__ import annotations

import queue
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import final

from eyetune.errors import EyetuneWarning
from eyetune.tracking.tracker import Metrics, Tracked, TrackedEnd, Tracker

SECONDS_TO_FINISH = 60.0

Call = Callable[[Tracker], None]
Warn = Callable[[str], None]


def report_failure(text: str) -> None:
    """Warn that a tracker failed. It raises nothing, also where warnings are turned into errors."""
    try:
        warnings.warn(text, EyetuneWarning, stacklevel=2)
    except EyetuneWarning:
        print(f"{EyetuneWarning.__name__}: {text}", file=sys.stderr)


@final
class BackgroundTrackers(Tracker):
    """Hands each call on to trackers, and returns at once.

    Args:
        trackers: The trackers.
        warn: Called with one sentence where a tracker fails, once for each tracker. Default: it
            becomes an `EyetuneWarning`.
        seconds_to_finish: How long `close` waits for each of them, in seconds.
    """

    def __init__(
        self,
        trackers: Sequence[Tracker],
        warn: Warn = report_failure,
        *,
        seconds_to_finish: float = SECONDS_TO_FINISH,
    ) -> None:
        self._channels = [_Channel(tracker, warn) for tracker in trackers]
        self._seconds_to_finish = seconds_to_finish

    def begin(self, item: Tracked) -> None:
        """Hand it on."""
        self._send(lambda tracker: tracker.begin(item))

    def log_epoch(self, item: Tracked, epoch: int, metrics: Metrics) -> None:
        """Hand it on."""
        self._send(lambda tracker: tracker.log_epoch(item, epoch, metrics))

    def end(self, item: Tracked, end: TrackedEnd) -> None:
        """Hand it on."""
        self._send(lambda tracker: tracker.end(item, end))

    def catch_up(self, item: Tracked, end: TrackedEnd | None) -> None:
        """Hand it on."""
        self._send(lambda tracker: tracker.catch_up(item, end))

    def close(self) -> None:
        """Close the trackers, and wait until they have done all that was handed on."""
        self._send(lambda tracker: tracker.close())
        for channel in self._channels:
            channel.finish(self._seconds_to_finish)

    def _send(self, call: Call) -> None:
        for channel in self._channels:
            channel.calls.put(call)


class _Channel:
    """A tracker, its waiting calls and the thread that makes them."""

    def __init__(self, tracker: Tracker, warn: Warn) -> None:
        self.calls: queue.Queue[Call | None] = queue.Queue()
        self._tracker = tracker
        self._warn = warn
        self._is_working = True
        self._thread = threading.Thread(
            target=self._work, name=f"eyetune: {tracker.name}", daemon=True
        )
        self._thread.start()

    def finish(self, seconds: float) -> None:
        self.calls.put(None)
        self._thread.join(seconds)
        if self._thread.is_alive() and self._is_working:
            self._is_working = False
            self._warn(
                f"{self._tracker.name} has not answered for {seconds:.0f} seconds: about "
                f"{self.calls.qsize()} updates are not logged there."
            )

    def _work(self) -> None:
        for call in iter(self.calls.get, None):
            if not self._is_working:
                continue
            try:
                call(self._tracker)
            except Exception as error:  # whatever it is, the training must not end by it
                if self._is_working:
                    self._is_working = False
                    self._warn(
                        f"{self._tracker.name} failed and logs nothing more in this run of the "
                        f"command, which continues: {type(error).__name__}: {error}"
                    )
