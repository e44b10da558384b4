"""Processes of this user that hold a workspace or were left over from it; on Linux only."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROCESSES = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A process.

    Attributes:
        pid: Its number.
        command: Its command line.
        is_orphan: Whether it is a worker whose coordinating process has ended. In a container whose
            first process is Python, that is not known, and it is no orphan.
    """

    pid: int
    command: str
    is_orphan: bool


def processes_in(folder: Path) -> list[Process]:
    """Return the other processes of this user that have files in a folder open, or work in it."""
    found = []
    for entry in _PROCESSES.glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or belongs to another user
            if int(entry.name) != os.getpid() and _is_in(entry, folder):
                found.append(_process(entry))
    return sorted(found, key=lambda process: process.pid)


def processes_with(path: Path) -> list[int]:
    """Return the numbers of the other processes of this user that have a file open."""
    found = []
    for entry in _PROCESSES.glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or belongs to another user
            if int(entry.name) != os.getpid() and path in _links(entry):
                found.append(int(entry.name))
    return sorted(found)


def is_running(pid: int) -> bool:
    """Return whether there is a process of this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to another user
        return True
    return True


def _is_in(entry: Path, folder: Path) -> bool:
    return any(path.is_relative_to(folder) for path in _links(entry))


def _links(entry: Path) -> list[Path]:
    """Return the working directory of a process, and the files that it has open."""
    found = []
    for link in [entry / "cwd", *(entry / "fd").iterdir()]:
        with suppress(OSError):
            found.append(link.readlink())
    return found


def _process(entry: Path) -> Process:
    command = _command(entry)
    parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
    is_worker = "multiprocessing" in command and "spawn_main" in command
    has_parent = "python" in _command(_PROCESSES / parent)
    return Process(int(entry.name), command, is_worker and not has_parent)


def _command(entry: Path) -> str:
    try:
        content = (entry / "cmdline").read_bytes()
    except OSError:
        return ""
    return content.replace(b"\0", b" ").decode("utf-8", "replace").strip()
