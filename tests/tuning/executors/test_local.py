"""Worker processes: they do jobs, die without harm, and end in time and with their coordinator."""

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
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from eyetune.errors import (
    OutOfMemoryError,
    OutOfTimeError,
    TrainingError,
    UsageError,
    WorkerLostError,
)
from eyetune.tuning.executors import LocalExecutor, default_workers
from tests.tuning.executors.jobs import (
    LIMIT_SECONDS,
    add,
    divide,
    exit_process,
    hold_memory,
    is_alive,
    kill_own_process,
    own_pid,
    print_bytes,
    raise_error_of_own_module,
    raise_memory_error,
    raise_unreadable_error,
    raise_usage_error,
    read_when_written,
    start_process,
    wait_for_end,
    write_pid_and_sleep,
    write_pid_and_wait,
)

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    """Return an executor with one worker, which survives whatever its jobs do."""
    with LocalExecutor(1) as shared:
        yield shared


def test_local_executor_returns_results(executor: LocalExecutor) -> None:
    assert executor.submit(add, 1, 2).result() == 3
    assert executor.submit(own_pid).result() != os.getpid()


def test_local_executor_returns_whole_errors(executor: LocalExecutor) -> None:
    with pytest.raises(UsageError) as caught:
        executor.submit(raise_usage_error).result()
    assert caught.value.details() == {"expected": "something", "received": "nothing"}


def test_local_executor_replaces_dead_workers(executor: LocalExecutor) -> None:
    before = executor.submit(own_pid).result()
    with pytest.raises(WorkerLostError) as caught:
        executor.submit(kill_own_process).result()
    assert "SIGKILL" in (caught.value.received or "")
    assert executor.submit(own_pid).result() != before


def test_local_executor_survives_death_of_idle_workers() -> None:
    with LocalExecutor(2) as executor:
        executor.submit(own_pid).result()
        workers = multiprocessing.active_children()
        for worker in workers:
            os.kill(worker.pid or 0, signal.SIGKILL)
        for worker in workers:
            worker.join()
        with suppress(WorkerLostError):  # of a job that is handed out before the death is noticed
            executor.submit(add, 1, 1).result()
        assert executor.submit(add, 1, 1).result() == 2


def test_local_executor_ends_late_jobs(executor: LocalExecutor, tmp_path: Path) -> None:
    late = executor.submit(write_pid_and_sleep, str(tmp_path / "pid"), 600.0, limit_seconds=1.5)
    with pytest.raises(OutOfTimeError):
        late.result(timeout=LIMIT_SECONDS)
    assert executor.submit(add, 2, 2).result() == 4


def test_local_executor_renews_processes() -> None:
    with LocalExecutor(1, jobs_per_process=2) as executor:
        pids = [executor.submit(own_pid).result() for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_workers_ignore_ctrl_c(executor: LocalExecutor, tmp_path: Path) -> None:
    future = executor.submit(write_pid_and_wait, str(tmp_path / "pid"), str(tmp_path / "end"))
    pid = int(read_when_written(tmp_path / "pid"))
    os.kill(pid, signal.SIGINT)
    (tmp_path / "end").touch()
    assert future.result() == pid


def test_leaving_ends_workers(tmp_path: Path) -> None:
    with LocalExecutor(1) as executor:
        executor.submit(write_pid_and_sleep, str(tmp_path / "pid"), 600.0)
        pid = int(read_when_written(tmp_path / "pid"))
    assert not is_alive(pid)


def test_workers_end_with_a_killed_coordinator(tmp_path: Path) -> None:
    path = tmp_path / "coordinator.py"
    path.write_text(
        "import sys\n"
        "from functools import partial\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from eyetune.tuning.executors import LocalExecutor\n"
        "from tests.tuning.executors.jobs import start_process, write_pid_and_sleep\n"
        "with LocalExecutor(2) as executor:\n"
        "    executor.submit(write_pid_and_sleep, sys.argv[2], 600.0)\n"
        "    executor.submit(partial(start_process, then='sleep'), sys.argv[3]).result()\n"
    )
    pid_files = [tmp_path / "worker", tmp_path / "started by a worker"]
    command: list[str | Path] = [sys.executable, path, ROOT, *pid_files]
    with subprocess.Popen(command) as coordinator:
        pids = [int(read_when_written(file)) for file in pid_files]
        coordinator.kill()
    for pid in pids:
        wait_for_end(pid)


def test_processes_of_jobs_end_with_their_worker(tmp_path: Path) -> None:
    with LocalExecutor(1) as executor:
        with suppress(WorkerLostError):
            executor.submit(partial(start_process, then="die"), str(tmp_path / "first")).result()
        wait_for_end(int(read_when_written(tmp_path / "first")))
        executor.submit(partial(start_process, then="return"), str(tmp_path / "second")).result()
        pid = int(read_when_written(tmp_path / "second"))
        assert is_alive(pid)
    wait_for_end(pid)


def test_local_executor_limits_what_jobs_print(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with LocalExecutor(1) as executor:
        executor.log_output(tmp_path / "log")
        executor.submit(print_bytes, 2_000_000).result()
    printed = capfd.readouterr()
    assert printed.out == ""
    assert 10_000 < len(printed.err) < 30_000
    assert (tmp_path / "log").stat().st_size > 1_900_000


@pytest.mark.parametrize(
    ("cores", "workers", "threads"),
    [(1, 2, 1), (2, 2, 1), (2, 3, 1), (4, 3, 1), (16, 8, 2), (16, 3, 5), (16, 1, 0)],
)
def test_workers_share_the_cores_as_threads(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int, threads: int
) -> None:
    monkeypatch.setattr("eyetune.tuning.executors.local.usable_cores", lambda: cores)
    assert LocalExecutor(workers).threads == threads


def test_local_executor_refuses_no_workers() -> None:
    with pytest.raises(UsageError):
        LocalExecutor(0)


def test_default_workers_are_at_most_the_cores() -> None:
    assert 1 <= default_workers() <= (os.cpu_count() or 1)


def test_local_executor_ends_jobs_that_take_much_memory(executor: LocalExecutor) -> None:
    assert executor.submit(hold_memory, 10, 0.3, limit_bytes=400_000_000).result() == 10_000_000
    with pytest.raises(OutOfMemoryError) as caught:
        executor.submit(hold_memory, 600, 600.0, limit_bytes=400_000_000).result(LIMIT_SECONDS)
    assert caught.value.expected == "at most 400 MB"
    assert 400 < int((caught.value.received or "").split()[0].replace(",", "")) < 900
    assert executor.submit(add, 1, 1, limit_bytes=400_000_000).result() == 2


def test_a_memory_error_is_out_of_memory(executor: LocalExecutor) -> None:
    with pytest.raises(OutOfMemoryError) as caught:
        executor.submit(raise_memory_error).result()
    assert "10 PB" in (caught.value.received or "")


def test_errors_keep_their_traceback(executor: LocalExecutor) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        executor.submit(divide, 1, 0).result()
    assert "return numerator / denominator" in "".join(traceback.format_exception(caught.value))


def test_unreadable_errors_arrive_as_text(executor: LocalExecutor, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="TwoPartsError: this and that"):
        executor.submit(raise_unreadable_error).result()
    with pytest.raises(TrainingError, match=r"only_in_the_worker\.StrangeError: odd"):
        executor.submit(raise_error_of_own_module, str(tmp_path)).result()
    assert "only_in_the_worker" not in sys.modules
    with pytest.raises(TrainingError, match="SystemExit: 3"):
        executor.submit(exit_process, 3).result()
    assert executor.submit(add, 1, 1).result() == 2


def test_an_unreadable_job_does_not_affect_other_jobs(
    executor: LocalExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def one() -> int:\n    return 1\n")
    assert executor.submit(add, 1, 1).result() == 2  # the worker has started, without this folder
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="only_here"):
        executor.submit(importlib.import_module("only_here").one).result()
    assert executor.submit(add, 1, 1).result() == 2


def test_a_result_that_cannot_be_sent_fails_its_job(executor: LocalExecutor) -> None:
    with pytest.raises(TypeError):
        executor.submit(threading.Lock).result()
    assert executor.submit(add, 1, 1).result() == 2


def test_cancelling_ends_a_job(executor: LocalExecutor, tmp_path: Path) -> None:
    future = executor.submit(write_pid_and_sleep, str(tmp_path / "pid"), 600.0)
    pid = int(read_when_written(tmp_path / "pid"))
    assert future.cancel()
    assert wait([future], timeout=LIMIT_SECONDS).done == {future}
    assert executor.submit(own_pid).result() != pid
    assert not is_alive(pid)


def run_program(*arguments: str | Path, folder: Path | None = None) -> tuple[str, str]:
    """Run a Python program and return its standard output and standard error."""
    done = subprocess.run(
        [sys.executable, *arguments],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=2 * LIMIT_SECONDS,
    )
    return done.stdout, done.stderr


def test_a_script_needs_no_main_guard(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        "from eyetune.tuning.executors import LocalExecutor\n"
        "print('top level')\n"
        "def double(number):\n"
        "    return 2 * number\n"
        "with LocalExecutor(2) as executor:\n"
        "    futures = [executor.submit(divmod, 7, 2), executor.submit(double, 21)]\n"
        "    print(*(future.result() for future in futures))\n"
    )
    expected = ("top level\n(3, 1) 42\n", "")
    assert run_program("script.py", folder=tmp_path) == expected
    assert run_program("-m", "script", folder=tmp_path) == expected


def test_other_processes_of_a_program_start_as_usual(tmp_path: Path) -> None:
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
    assert run_program(script)[0] == "shouted\n"


def test_ctrl_c_while_workers_start_is_quiet(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    # Where a shell started these tests in the background, SIGINT is ignored in their children.
    script.write_text(
        "import signal\n"
        "import time\n"
        "from eyetune.tuning.executors import LocalExecutor\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with LocalExecutor(2) as executor:\n"
        "    try:\n"
        "        future = executor.submit(divmod, 7, 2)\n"
        "        print('started', flush=True)\n"
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
        assert process.stdout.readline() == "started\n"
        time.sleep(0.05)  # any moment will do; usually the workers' interpreters are starting
        os.killpg(process.pid, signal.SIGINT)
        output = process.communicate(timeout=LIMIT_SECONDS)
    assert output == ("(3, 1)\n", "")
