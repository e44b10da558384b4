"""Functions that workers call in tests; they must be importable, so they are in a module."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal

from eyetune.errors import UsageError

LIMIT_SECONDS = 120.0  # for what takes a second on an idle machine


def add(first: int, second: int) -> int:
    return first + second


def divide(numerator: int, denominator: int) -> float:
    return numerator / denominator


def own_pid() -> int:
    return os.getpid()


def own_node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


def variables(*names: str) -> list[str | None]:
    return [os.environ.get(name) for name in names]


def kill_own_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def exit_process(status: int) -> None:
    sys.exit(status)


def raise_usage_error() -> None:
    raise UsageError("Nothing works.", expected="something", received="nothing")


def raise_memory_error() -> None:
    raise MemoryError("no room for 10 PB")


class TwoPartsError(Exception):
    """Cannot be unpickled: it takes two arguments and keeps one."""

    def __init__(self, first: str, *, second: str) -> None:
        super().__init__(f"{first} and {second}")


def raise_unreadable_error() -> None:
    raise TwoPartsError("this", second="that")


def raise_error_of_own_module(folder: str) -> None:
    Path(folder, "only_in_the_worker.py").write_text("class StrangeError(Exception): ...\n")
    sys.path.append(folder)
    importlib.invalidate_caches()
    raise importlib.import_module("only_in_the_worker").StrangeError("odd")


def hold_memory(megabytes: int, seconds: float) -> int:
    data = bytearray(b"x") * (megabytes * 1_000_000)
    time.sleep(seconds)
    return len(data)


def write_pid_and_sleep(path: str, seconds: float) -> int:
    write_line(path, str(os.getpid()))
    time.sleep(seconds)
    return os.getpid()


def write_pid_and_wait(path: str, end: str) -> int:
    """Write the id of this process and wait for a file."""
    write_line(path, str(os.getpid()))
    read_when_written(Path(end))
    return os.getpid()


def write_node_and_wait(path: str, end: str) -> int:
    """Write machine and id of this process and wait for a file."""
    write_line(path, f"{own_node()} {os.getpid()}")
    read_when_written(Path(end))
    return os.getpid()


def write_line(path: str, text: str) -> None:
    draft = Path(f"{path}.draft")
    draft.write_text(text)
    draft.replace(path)


def read_when_written(path: Path) -> str:
    """Return the text of a file that another process writes."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} was not written"
        time.sleep(0.05)
    return path.read_text()


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_for_end(pid: int) -> None:
    """Return when a process has ended."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still alive"
        time.sleep(0.05)


def acquire_and_release(lock: Any) -> None:
    with lock:
        pass


def print_bytes(count: int) -> None:
    for start in range(0, count, 100):
        print("x" * min(99, count - start))


def start_process(path: str, *, then: Literal["return", "die", "sleep"]) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    write_line(path, str(process.pid))
    if then == "die":
        kill_own_process()
    if then == "sleep":
        time.sleep(600)
