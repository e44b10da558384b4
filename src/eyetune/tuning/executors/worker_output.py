"""What worker processes print: shown on standard error up to a limit, the rest in a log file.

All workers of an executor write into one pipe, which a thread of the coordinating process reads. A
pipe needs no locks between processes, so a worker may be killed at any time.
"""

from __future__ import annotations

import os
import select
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, final

SHOWN_BYTES = 20_000  # after the start of each job: a few hundred lines
LOG_BYTES = 5_000_000  # of the log file, which then becomes FILE.1 in place of an earlier one
SECONDS_BETWEEN_CHECKS = 0.2
SECONDS_TO_DRAIN = 2.0
_CHUNK_BYTES = 65_536
_STANDARD_ERROR = 2


@final
class WorkerOutput:
    """Passes on what workers write into a pipe, until it is closed.

    Attributes:
        writer: The end of the pipe that workers write to.
        log_path: The log file, which is made when there is something to write to it; None: what is
            not shown is dropped.
    """

    def __init__(self) -> None:
        self.log_path: Path | None = None
        self._reader, self.writer = os.pipe()
        self._left = SHOWN_BYTES
        self._log: BinaryIO | None = None
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self._thread.start()

    def allow_more(self) -> None:
        """Show more: a job begins."""
        self._left = SHOWN_BYTES

    def close(self) -> None:
        """Show what workers that have ended have written, and close the pipe."""
        os.close(self.writer)
        self._is_closing.set()
        self._thread.join(SECONDS_TO_DRAIN)

    def _pass_on(self) -> None:
        try:
            while True:
                ready, _, _ = select.select([self._reader], [], [], SECONDS_BETWEEN_CHECKS)
                chunk = os.read(self._reader, _CHUNK_BYTES) if ready else b""
                if chunk:
                    self._take(chunk)
                elif ready or self._is_closing.is_set():  # every writer has ended, or should have
                    return
        finally:
            os.close(self._reader)
            if self._log is not None:
                self._log.close()

    def _take(self, chunk: bytes) -> None:
        left = self._left
        shown, rest = chunk[:left], chunk[left:]
        # A job that began in the meantime keeps its whole share.
        self._left = max(0, self._left - len(shown))
        _show(shown)
        if not rest:
            return
        if left > 0:
            where = f"More is written to {self.log_path}." if self.log_path else "No more is shown."
            _show(f"\nThe workers print more than {SHOWN_BYTES:,} bytes. {where}\n".encode())
        with suppress(OSError):  # a full disk must not stop the workers
            self._write_log(rest)

    def _write_log(self, text: bytes) -> None:
        if self.log_path is None:
            return
        if self._log is not None and self._log.tell() + len(text) > LOG_BYTES:
            self._log.close()
            self._log = None
            self.log_path.replace(self.log_path.with_name(self.log_path.name + ".1"))
        if self._log is None:
            self._log = self.log_path.open("ab", buffering=0)
        self._log.write(text)


def _show(text: bytes) -> None:
    """Write to standard error, where Python and C++ code of this process write too."""
    with suppress(OSError):  # the terminal is gone
        while text:
            text = text[os.write(_STANDARD_ERROR, text) :]
