"""TensorBoard's event files, written and read without TensorFlow.

TensorBoard's own writer and reader would load TensorFlow, which has no place in the process that
coordinates a study.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, final

_FILE_VERSION = "brain.Event:2"
_file_numbers = count()


@final
class EventFile:
    """A new event file in a folder, which is created when something is first written.

    Args:
        folder: The folder; its other event files are left as they are.
    """

    def __init__(self, folder: Path) -> None:
        host = socket.gethostname() or "localhost"
        number = next(_file_numbers)
        self._path = folder / (
            f"events.out.tfevents.{int(time.time()):010d}.{host}.{os.getpid()}.{number:06d}"
        )

    def write_scalars(self, scalars: Mapping[str, float], step: int) -> None:
        """Write scalars of one step.

        Raises:
            OSError: The file cannot be written.
        """
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        self.write(Summary(value=values), step)

    def write(self, summary: Any, step: int = 0) -> None:
        """Write a summary (of TensorBoard's protocol buffers).

        Raises:
            OSError: The file cannot be written.
        """
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as stream:
            records = RecordWriter(stream)
            if stream.tell() == 0:
                version = Event(wall_time=time.time(), file_version=_FILE_VERSION)
                records.write(version.SerializeToString())
            event = Event(wall_time=time.time(), step=step, summary=summary)
            records.write(event.SerializeToString())


def logged_tags(folder: Path) -> set[tuple[str, int]]:
    """Return the tags in the event files of a folder, each with its step."""
    from tensorboard.compat.proto.event_pb2 import Event

    logged = set()
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for data in _records(path):
            event = Event.FromString(data)
            logged |= {(value.tag, event.step) for value in event.summary.value}
    return logged


def _records(path: Path) -> Iterator[bytes]:
    """Yield the whole records of an event file; the last one may be cut off.

    A record is its length in 8 bytes, a checksum in 4, the data and a checksum in 4.
    """
    with path.open("rb") as stream:
        while len(header := stream.read(12)) == 12:
            (length,) = struct.unpack("<Q", header[:8])
            data = stream.read(length)
            if len(data) < length or len(stream.read(4)) < 4:
                return
            yield data
