"""The progress of a training in a worker process, written to a file and read by the coordinator.

A file stays readable if the process is killed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict
from pathlib import Path

from eyetune.values.history import Epoch, Progress

PROGRESS_FILE = "news.jsonl"
SECONDS_BETWEEN_PROGRESS = 1.0

_on_line: ContextVar[Callable[[], object] | None] = ContextVar("on_line", default=None)


@contextmanager
def followed(on_line: Callable[[], object]) -> Iterator[None]:
    """Call a function after each line that a `ProgressLog` of this thread writes meanwhile.

    A coordinator that trains in its own process reads its progress in this way. A training in
    another process or thread is not affected.
    """
    token = _on_line.set(on_line)
    try:
        yield
    finally:
        _on_line.reset(token)


class ProgressLog:
    """Writes the epochs and the progress of a training as lines of JSON.

    Args:
        write: Called with each line.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._written_at = 0.0

    def on_epoch(self, epoch: Epoch) -> None:
        """Write a whole epoch."""
        self._write_line({"epoch": asdict(epoch)})

    def on_progress(self, progress: Progress) -> None:
        """Write the progress within an epoch, at most once a second."""
        if time.monotonic() - self._written_at >= SECONDS_BETWEEN_PROGRESS:
            self._written_at = time.monotonic()
            self._write_line({"progress": asdict(progress)})

    def _write_line(self, value: object) -> None:
        self._write(json.dumps(value) + "\n")
        on_line = _on_line.get()
        if on_line is not None:
            on_line()


class ProgressLogReader:
    """Reads what a `ProgressLog` wrote into a run's folder since the last read.

    Args:
        folder: Folder of the run. The log of an earlier attempt is deleted: its epochs are reported
            again from the checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / PROGRESS_FILE
        self._path.unlink(missing_ok=True)
        self._read_up_to = 0

    def read(self) -> Iterator[Epoch | Progress]:
        """Yield what is new, in order. An incomplete line is left for the next read."""
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._read_up_to)
                lines = stream.readlines()
        except FileNotFoundError:
            return
        for line in lines:
            if not line.endswith(b"\n"):
                return
            self._read_up_to += len(line)
            value = json.loads(line)
            yield Epoch(**value["epoch"]) if "epoch" in value else Progress(**value["progress"])

    def close(self) -> None:
        """Delete the log, when everything in it is recorded."""
        self._path.unlink(missing_ok=True)
