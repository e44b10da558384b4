"""Worker processes: they do what they are given, die without harm, end in time and with their
coordinator.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import wait
from pathlib import Path

import pytest

from eyetune.errors import (
    OutOfMemoryError,
    OutOfTimeError,
    TrainingError,
    UsageError,
    WorkerLostError,
)
from eyetune.tuning.executors import LocalExecutor, default_workers, make_executor
from eyetune.tuning.executors.machine import memory_bytes, usable_cores

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
        assert executor.submit(add, 1, 2).result() == 3
        with pytest.raises(UsageError) as caught:
            executor.submit(raise_usage_error).result()
        assert caught.value.details() == {"expected": "something", "received": "nothing"}
        assert executor.submit(own_pid).result() != os.getpid()


def test_a_dead_worker_is_replaced() -> None:
    with LocalExecutor(1) as executor:
        before = executor.submit(own_pid).result()
        with pytest.raises(WorkerLostError) as caught:
            executor.submit(kill_own_process).result()
        assert "SIGKILL" in str(caught.value)
        assert executor.submit(own_pid).result() != before


def test_the_death_of_an_idle_worker_costs_nothing() -> None:
    with LocalExecutor(2) as executor:
        pids = {executor.submit(own_pid).result() for _ in range(8)}
        for worker in multiprocessing.active_children():
            os.kill(worker.pid or 0, signal.SIGKILL)
        time.sleep(1.0)
        assert executor.submit(add, 1, 1).result() == 2
        assert executor.submit(own_pid).result() not in pids


def test_a_job_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with LocalExecutor(1) as executor:
        late = executor.submit(
            sleep_after_writing_pid, str(tmp_path / "pid"), 600.0, limit_seconds=1.5
        )
        started = time.monotonic()
        with pytest.raises(OutOfTimeError):
            late.result()
        assert time.monotonic() - started < 30
        assert executor.submit(add, 2, 2).result() == 4


def test_a_process_ends_after_so_many_jobs() -> None:
    with LocalExecutor(1, jobs_per_process=2) as executor:
        pids = [executor.submit(own_pid).result() for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_ctrl_c_is_not_a_workers_business(tmp_path: Path) -> None:
    with LocalExecutor(1) as executor:
        future = executor.submit(sleep_after_writing_pid, str(tmp_path / "pid"), 1.0)
        pid = int(wait_for(tmp_path / "pid"))
        os.kill(pid, signal.SIGINT)
        assert future.result() == pid


def test_leaving_ends_the_workers_at_once(tmp_path: Path) -> None:
    with LocalExecutor(1) as executor:
        executor.submit(sleep_after_writing_pid, str(tmp_path / "pid"), 600.0)
        pid = int(wait_for(tmp_path / "pid"))
    assert not is_alive(pid)


def test_workers_end_with_a_coordinator_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from tests.tuning.executors.test_local import *\n"
        "if __name__ == '__main__':\n"
        "    with LocalExecutor(1) as executor:\n"
        "        executor.submit(sleep_after_writing_pid, sys.argv[2], 600.0).result()\n"
    )
    path = tmp_path / "coordinator.py"
    path.write_text(script)
    with subprocess.Popen(
        [sys.executable, path, Path(__file__).parents[3], tmp_path / "pid"]
    ) as coordinator:
        pid = int(wait_for(tmp_path / "pid"))
        coordinator.kill()
    for _ in range(100):
        if not is_alive(pid):
            break
        time.sleep(0.1)
    assert not is_alive(pid)


@pytest.mark.parametrize(
    ("cores", "workers", "threads"),
    [(1, 2, 1), (2, 2, 1), (2, 3, 1), (4, 3, 1), (16, 8, 2), (16, 3, 5), (16, 1, 0)],
)
def test_workers_share_out_the_cores_as_threads_and_a_single_one_gets_all(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int, threads: int
) -> None:
    monkeypatch.setattr("eyetune.tuning.executors.local.usable_cores", lambda: cores)
    assert LocalExecutor(workers).threads == threads


def test_without_a_worker_there_is_no_executor() -> None:
    with pytest.raises(UsageError, match="number of workers"):
        LocalExecutor(0)


def test_there_is_a_worker_by_default_and_not_more_than_cores() -> None:
    assert 1 <= default_workers() <= (os.cpu_count() or 1)


def hold(megabytes: int, seconds: float) -> int:
    held = bytearray(b"x") * (megabytes * 1_000_000)
    time.sleep(seconds)
    return len(held)


def raise_memory_error() -> None:
    raise MemoryError("no room for 10 PB")


def test_a_job_that_takes_too_much_memory_is_ended_and_says_so() -> None:
    with LocalExecutor(1) as executor:
        assert executor.submit(hold, 10, 0.3, limit_bytes=400_000_000).result() == 10_000_000
        started = time.monotonic()
        with pytest.raises(OutOfMemoryError) as caught:
            executor.submit(hold, 600, 600.0, limit_bytes=400_000_000).result()
        assert time.monotonic() - started < 30
        assert caught.value.expected == "at most 400 MB"
        assert 400 < int((caught.value.received or "").split()[0].replace(",", "")) < 900
        assert executor.submit(add, 1, 1, limit_bytes=400_000_000).result() == 2


def test_a_memory_error_is_out_of_memory_too() -> None:
    with LocalExecutor(1) as executor:
        with pytest.raises(OutOfMemoryError, match="no room for 10 PB"):
            executor.submit(raise_memory_error).result()
        assert executor.submit(add, 1, 1).result() == 2


class TwoPartsError(Exception):
    def __init__(self, one: str, *, other: str) -> None:
        super().__init__(f"{one} and {other}")


def raise_what_cannot_be_read() -> None:
    raise TwoPartsError("this", other="that")


def raise_of_a_module_of_its_own(folder: str) -> None:
    Path(folder, "only_in_the_worker.py").write_text("class StrangeError(Exception): ...\n")
    sys.path.append(folder)
    importlib.invalidate_caches()
    raise importlib.import_module("only_in_the_worker").StrangeError("odd")


def end_by_itself(status: int) -> None:
    sys.exit(status)


def divide(one: int, other: int) -> float:
    return one / other


def test_an_error_keeps_its_traceback() -> None:
    with LocalExecutor(1) as executor:
        with pytest.raises(ZeroDivisionError) as caught:
            executor.submit(divide, 1, 0).result()
        assert "return one / other" in "".join(traceback.format_exception(caught.value))


def test_errors_that_cannot_come_here_come_as_words(tmp_path: Path) -> None:
    with LocalExecutor(1) as executor:
        with pytest.raises(TrainingError, match="TwoPartsError: this and that"):
            executor.submit(raise_what_cannot_be_read).result()
        with pytest.raises(TrainingError, match=r"only_in_the_worker\.StrangeError: odd"):
            executor.submit(raise_of_a_module_of_its_own, str(tmp_path)).result()
        assert "only_in_the_worker" not in sys.modules
        with pytest.raises(TrainingError, match="SystemExit: 3"):
            executor.submit(end_by_itself, 3).result()
        assert executor.submit(add, 1, 1).result() == 2


def test_a_job_that_workers_cannot_read_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def one() -> int:\n    return 1\n")
    with LocalExecutor(1) as executor:
        assert executor.submit(add, 1, 1).result() == 2  # the worker has begun, without this folder
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(ModuleNotFoundError, match="only_here"):
            executor.submit(importlib.import_module("only_here").one).result()
        assert executor.submit(add, 1, 1).result() == 2


def test_a_result_that_cannot_be_sent_is_an_error_of_its_job() -> None:
    with LocalExecutor(1) as executor:
        with pytest.raises(TypeError, match="pickle"):
            executor.submit(threading.Lock).result()
        assert executor.submit(add, 1, 1).result() == 2


def test_cancelling_ends_a_job(tmp_path: Path) -> None:
    with LocalExecutor(1) as executor:
        future = executor.submit(sleep_after_writing_pid, str(tmp_path / "pid"), 600.0)
        pid = int(wait_for(tmp_path / "pid"))
        assert future.cancel()
        assert wait([future], timeout=30).done == {future}
        assert executor.submit(own_pid).result() != pid
        assert not is_alive(pid)


def test_a_script_needs_no_guard_and_runs_once(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from eyetune.tuning.executors import LocalExecutor\n"
        "print('top level')\n"
        "def double(number):\n"
        "    return 2 * number\n"
        "with LocalExecutor(2) as executor:\n"
        "    futures = [executor.submit(divmod, 7, 2), executor.submit(double, 21)]\n"
        "    print(*map(executor.result, futures))\n"
    )
    for words in ([str(script)], ["-m", "script"]):
        done = subprocess.run(
            [sys.executable, *words],
            check=False,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert (done.stdout, done.stderr) == ("top level\n(3, 1) 42\n", "")


def test_other_processes_of_a_program_start_as_ever(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing\n"
        "from eyetune.tuning.executors import LocalExecutor\n"
        "def shout():\n"
        "    print('shouted')\n"
        "if __name__ == '__main__':\n"
        "    with LocalExecutor(1) as executor:\n"
        "        executor.submit(divmod, 7, 2).result()\n"
        "        process = multiprocessing.get_context('spawn').Process(target=shout)\n"
        "        process.start()\n"
        "        process.join()\n"
    )
    done = subprocess.run(
        [sys.executable, script], check=False, capture_output=True, text=True, timeout=100
    )
    assert done.stdout == "shouted\n"


def test_ctrl_c_while_workers_start_is_quiet(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import time\n"
        "from eyetune.tuning.executors import LocalExecutor\n"
        "with LocalExecutor(2) as executor:\n"
        "    try:\n"
        "        future = executor.submit(divmod, 7, 2)\n"
        "        print('begun', flush=True)\n"
        "        time.sleep(600)\n"
        "    except KeyboardInterrupt:\n"
        "        print(future.result())\n"
    )
    with subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.05)  # the interpreters of the workers are starting
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=100)
    assert (out, err) == ("(3, 1)\n", "")


def test_a_container_has_the_cores_and_memory_that_it_was_given(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == len(os.sched_getaffinity(0))
    unlimited = memory_bytes(tmp_path)
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "memory.max").write_text("1000000000\n")
    assert usable_cores(tmp_path) == 1
    assert memory_bytes(tmp_path) == 1_000_000_000
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert usable_cores(tmp_path) == len(os.sched_getaffinity(0))
    assert memory_bytes(tmp_path) == unlimited > 1_000_000_000


@pytest.mark.parametrize("word", ["slurm", "ray://", "Local"])
def test_an_unknown_executor_is_refused_with_the_known_ones(word: str) -> None:
    with pytest.raises(UsageError, match="local, ray, ray://HOST:PORT") as caught:
        make_executor(word)
    assert caught.value.received == word


def test_executors_by_name() -> None:
    with make_executor("local", 1) as executor:
        assert isinstance(executor, LocalExecutor)
        assert executor.submit(add, 1, 2).result() == 3
    with make_executor("local") as executor:
        assert executor.num_workers == default_workers()
    with pytest.raises(UsageError, match="by Ray alone"):
        make_executor("local", 1, gpus_per_job=1)


def test_without_ray_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'eyetune\[ray\]'"):
        make_executor("ray")
