"""The progress of a training in a worker process, written to a file and read by the coordinator.

A file stays readable if the process is killed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from eyetune.values.history import Epoch, Progress

PROGRESS_FILE = "news.jsonl"
SECONDS_BETWEEN_PROGRESS = 1.0


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
        self._write(json.dumps({"epoch": asdict(epoch)}) + "\n")

    def on_progress(self, progress: Progress) -> None:
        """Write the progress within an epoch, at most once a second."""
        if time.monotonic() - self._written_at >= SECONDS_BETWEEN_PROGRESS:
            self._written_at = time.monotonic()
            self._write(json.dumps({"progress": asdict(progress)}) + "\n")


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
