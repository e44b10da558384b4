"""Worker processes: they do what they are given, die without harm, end in time and with their coordinator."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eyetune.errors import OutOfTimeError, UsageError, WorkerLostError
from eyetune.tuning.executors import LocalExecutor, default_workers, result_of

# What workers call has to be importable by them, so it lives at the top of a module.


def own_pid() -> int:
    return os.getpid()


def add(one: int, other: int) -> int:
    return one + other


def kill_own_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def raise_usage_error() -> None:
    raise UsageError("Nothing works.", expected="something", received="nothing")


def sleep_after_writing_pid(path: str, seconds: float) -> int:
    Path(path).write_text(str(os.getpid()))
    time.sleep(seconds)
    return os.getpid()


def wait_for(path: Path) -> str:
    for _ in range(300):
        if path.exists() and path.read_text():
            return path.read_text()
        time.sleep(0.1)
    raise AssertionError(f"{path} never came")


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_workers_call_functions_and_lose_nothing_of_an_error() -> None:
    with LocalExecutor(1) as executor:
        assert result_of(executor.submit(add, 1, 2)) == 3
        with pytest.raises(UsageError) as caught:
            result_of(executor.submit(raise_usage_error))
        assert caught.value.details() == {"expected": "something", "received": "nothing"}
        assert result_of(executor.submit(own_pid)) != os.getpid()


def test_a_dead_worker_is_replaced() -> None:
    with LocalExecutor(1) as executor:
        before = result_of(executor.submit(own_pid))
        with pytest.raises(WorkerLostError) as caught:
            result_of(executor.submit(kill_own_process))
        assert "SIGKILL" in str(caught.value)
        assert result_of(executor.submit(own_pid)) != before


def test_the_death_of_an_idle_worker_costs_nothing() -> None:
    with LocalExecutor(2) as executor:
        pids = {result_of(executor.submit(own_pid)) for _ in range(8)}
        for worker in multiprocessing.active_children():
            os.kill(worker.pid or 0, signal.SIGKILL)
        time.sleep(1.0)
        assert result_of(executor.submit(add, 1, 1)) == 2
        assert result_of(executor.submit(own_pid)) not in pids


def test_a_job_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with LocalExecutor(1) as executor:
        late = executor.submit(sleep_after_writing_pid, str(tmp_path / "pid"), 600.0, limit_seconds=1.5)
        started = time.monotonic()
        with pytest.raises(OutOfTimeError):
            result_of(late)
        assert time.monotonic() - started < 30
        assert result_of(executor.submit(add, 2, 2)) == 4


def test_a_process_ends_after_so_many_jobs() -> None:
    with LocalExecutor(1, jobs_per_process=2) as executor:
        pids = [result_of(executor.submit(own_pid)) for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_ctrl_c_is_not_a_workers_business(tmp_path: Path) -> None:
    with LocalExecutor(1) as executor:
        future = executor.submit(sleep_after_writing_pid, str(tmp_path / "pid"), 1.0)
        pid = int(wait_for(tmp_path / "pid"))
        os.kill(pid, signal.SIGINT)
        assert result_of(future) == pid


def test_leaving_ends_the_workers_at_once(tmp_path: Path) -> None:
    with LocalExecutor(1) as executor:
        executor.submit(sleep_after_writing_pid, str(tmp_path / "pid"), 600.0)
        pid = int(wait_for(tmp_path / "pid"))
    assert not is_alive(pid)


def test_workers_end_with_a_coordinator_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from test_executors import *\n"
        "if __name__ == '__main__':\n"
        "    with LocalExecutor(1) as executor:\n"
        "        result_of(executor.submit(sleep_after_writing_pid, sys.argv[2], 600.0))\n"
    )
    path = tmp_path / "coordinator.py"
    path.write_text(script)
    with subprocess.Popen([sys.executable, path, Path(__file__).parent, tmp_path / "pid"]) as coordinator:
        pid = int(wait_for(tmp_path / "pid"))
        coordinator.kill()
    for _ in range(100):
        if not is_alive(pid):
            break
        time.sleep(0.1)
    assert not is_alive(pid)


def test_several_workers_get_one_thread_each_and_one_gets_all() -> None:
    assert LocalExecutor(1).threads == 0
    assert LocalExecutor(2).threads == 1
    with pytest.raises(UsageError, match="number of workers"):
        LocalExecutor(0)


def test_there_is_a_worker_by_default_and_not_more_than_cores() -> None:
    assert 1 <= default_workers() <= (os.cpu_count() or 1)
