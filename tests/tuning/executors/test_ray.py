"""Workers of a real Ray cluster of two machines, both of them on this one."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import pytest

from eyetune.errors import (
    OutOfMemoryError,
    OutOfTimeError,
    UsageError,
    WorkerLostError,
    WorkspaceError,
)
from eyetune.tuning.executors import RayExecutor, make_executor
from eyetune.tuning.executors.ray import note_missing_folder, raise_if_folder_is_missing
from tests.tuning.executors.jobs import (
    LIMIT_SECONDS,
    add,
    divide,
    hold_memory,
    kill_own_process,
    own_node,
    own_pid,
    read_when_written,
    variables,
    wait_for_end,
    write_node_and_wait,
    write_pid_and_sleep,
    write_pid_and_wait,
)

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


def run_script(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, path, *arguments],
        check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        timeout=4 * LIMIT_SECONDS,
    )


def test_ray_executor_starts_its_own_ray_quietly(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from eyetune.tuning.executors import make_executor\n"
        "def double(number):\n"
        "    return 2 * number\n"
        "with make_executor('ray', 3) as executor:\n"
        "    print(executor.num_workers, executor.submit(double, 21).result())\n"
    )
    done = run_script(script)
    assert (done.stdout, done.stderr) == ("3 42\n", "")


@pytest.fixture(scope="module")
def executor(cluster: Any) -> Iterator[RayExecutor]:
    """Return an executor on the cluster, which survives whatever its jobs do."""
    with RayExecutor(address=cluster.address) as shared:
        yield shared


def start_on_both_machines(executor: RayExecutor, folder: Path) -> tuple[list[Any], list[str]]:
    """Start a job on each machine that ends with a file; return the futures and the machines."""
    futures = [
        executor.submit(write_node_and_wait, str(folder / str(index)), str(folder / "end"))
        for index in range(2)
    ]
    nodes = [read_when_written(folder / str(index)).split()[0] for index in range(2)]
    return futures, nodes


def test_ray_executor_uses_all_machines(executor: RayExecutor, tmp_path: Path) -> None:
    assert (executor.num_workers, executor.threads) == (2, 1)
    futures, nodes = start_on_both_machines(executor, tmp_path)
    assert len(set(nodes)) == 2
    (tmp_path / "end").touch()
    assert os.getpid() not in {future.result() for future in futures}


def test_ray_executor_keeps_tracebacks(executor: RayExecutor) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        executor.submit(divide, 1, 0).result()
    assert "return numerator / denominator" in "".join(traceback.format_exception(caught.value))


@pytest.mark.usefixtures("executor")
def test_workers_find_the_coordinators_modules_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache_directory: Path
) -> None:
    (tmp_path / "only_in_this_folder.py").write_text("def one() -> int:\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("EYETUNE_DATA", "/somewhere")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    names = ("EYETUNE_CACHE", "EYETUNE_DATA", "TF_CPP_MIN_LOG_LEVEL", "CUDA_VISIBLE_DEVICES")
    with RayExecutor() as another:
        values = another.submit(variables, *names).result()
        assert values == [str(cache_directory), "/somewhere", "2", ""]
        assert another.submit(importlib.import_module("only_in_this_folder").one).result() == 1


@pytest.mark.usefixtures("executor")
def test_ray_executor_renews_processes() -> None:
    with RayExecutor(1, jobs_per_process=1) as another:
        pids = [another.submit(own_pid).result() for _ in range(3)]
    assert len(set(pids)) == 3


def test_ray_executor_ends_late_jobs(executor: RayExecutor, tmp_path: Path) -> None:
    late = executor.submit(write_pid_and_sleep, str(tmp_path / "pid"), 600.0, limit_seconds=1.0)
    with pytest.raises(OutOfTimeError) as caught:
        late.result(LIMIT_SECONDS)
    assert caught.value.expected == "at most 1 s"
    wait_for_end(int(read_when_written(tmp_path / "pid")))
    assert executor.submit(add, 2, 2, limit_seconds=LIMIT_SECONDS).result() == 4


class JumpingClock:
    """The clock of the executor, which a test can put forward."""

    def __init__(self) -> None:
        self.seconds_ahead = 0.0
        self.was_read_late = threading.Event()

    def monotonic(self) -> float:
        if self.seconds_ahead > 0:
            self.was_read_late.set()
        return time.monotonic() + self.seconds_ahead


def test_time_in_the_queue_does_not_count(
    executor: RayExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both workers are busy for longer than the limit of the job that waits for them."""
    clock = JumpingClock()
    monkeypatch.setattr("eyetune.tuning.executors.ray.time", clock)
    end = tmp_path / "end"
    busy = [
        executor.submit(write_pid_and_wait, str(tmp_path / str(index)), str(end))
        for index in range(2)
    ]
    for index in range(2):
        read_when_written(tmp_path / str(index))
    queued = executor.submit(add, 1, 2, limit_seconds=LIMIT_SECONDS)
    clock.seconds_ahead = 10 * LIMIT_SECONDS
    for _ in range(2):  # the second reading comes after the first one has had its effect
        clock.was_read_late.clear()
        assert clock.was_read_late.wait(LIMIT_SECONDS)
    assert not queued.done()
    end.touch()
    assert queued.result() == 3
    assert wait(busy, timeout=LIMIT_SECONDS).done == set(busy)


def test_ray_executor_ends_jobs_that_take_much_memory(executor: RayExecutor) -> None:
    with pytest.raises(OutOfMemoryError) as caught:
        executor.submit(hold_memory, 600, 600.0, limit_bytes=500_000_000).result(LIMIT_SECONDS)
    assert caught.value.expected == "at most 500 MB"
    assert 500 < int((caught.value.received or "").split()[0].replace(",", "")) < 1000
    assert executor.submit(hold_memory, 1, 0.2, limit_bytes=500_000_000).result() == 1_000_000


def test_ray_executor_survives_dead_workers(executor: RayExecutor) -> None:
    with pytest.raises(WorkerLostError):
        executor.submit(kill_own_process).result()
    assert executor.submit(add, 1, 1).result() == 2


def test_cancelling_ends_a_job_of_ray(executor: RayExecutor, tmp_path: Path) -> None:
    future = executor.submit(write_pid_and_sleep, str(tmp_path / "pid"), 600.0)
    pid = int(read_when_written(tmp_path / "pid"))
    assert future.cancel()
    assert wait([future], timeout=LIMIT_SECONDS).done == {future}
    wait_for_end(pid)


def test_a_folder_that_workers_do_not_see_is_named(executor: RayExecutor, tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    with pytest.raises(FileNotFoundError) as caught:  # the folder is not on this machine either
        executor.submit(Path.read_text, folder / "runs" / "file").result()
    folder.mkdir()
    with pytest.raises(WorkspaceError) as unseen:
        raise_if_folder_is_missing(caught.value)
    assert str(folder) in (unseen.value.received or "")
    with pytest.raises(FileNotFoundError) as plain:
        note_missing_folder(Path.read_text, folder / "file")
    raise_if_folder_is_missing(plain.value)  # only the file is missing


@pytest.mark.usefixtures("executor")
@pytest.mark.parametrize(
    "arguments",
    [{"cpus_per_job": 2}, {"num_workers": 0}, {"cpus_per_job": 0}, {"gpus_per_job": -1}],
)
def test_ray_executor_refuses(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        RayExecutor(**arguments)


@pytest.mark.usefixtures("executor")
def test_ray_executor_reserves_parts_of_a_core() -> None:
    with make_executor("ray", 5, cpus_per_job=0.5) as another:
        assert another.num_workers == 5
        assert another.submit(add, 1, 2).result() == 3
    with RayExecutor(cpus_per_job=0.25) as another:
        assert another.num_workers == 8


@pytest.mark.usefixtures("cluster")
def test_ray_executor_reaches_a_cluster_from_outside(client_port: int, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "import time\n"
        "from eyetune.tuning.executors import make_executor\n"
        "from tests.tuning.executors.jobs import add, hold_memory, kill_own_process\n"
        "with make_executor(f'ray://127.0.0.1:{sys.argv[1]}') as executor:\n"
        "    print(executor.num_workers, executor.submit(add, 1, 2).result())\n"
        "    for future in (\n"
        "        executor.submit(time.sleep, 600.0, limit_seconds=0.5),\n"
        "        executor.submit(hold_memory, 600, 600.0, limit_bytes=500_000_000),\n"
        "        executor.submit(kill_own_process),\n"
        "    ):\n"
        "        print(type(future.exception()).__name__)\n"
    )
    done = run_script(script, str(client_port))
    expected = ["2 3", "OutOfTimeError", "OutOfMemoryError", "WorkerLostError"]
    assert done.stdout.splitlines() == expected, done.stderr


def test_jobs_of_ray_end_with_a_killed_coordinator(cluster: Any, tmp_path: Path) -> None:
    script = tmp_path / "coordinator.py"
    script.write_text(
        "import sys\n"
        "from eyetune.tuning.executors import RayExecutor\n"
        "from tests.tuning.executors.jobs import write_pid_and_sleep\n"
        "with RayExecutor(address=sys.argv[1]) as executor:\n"
        "    executor.submit(write_pid_and_sleep, sys.argv[2], 600.0).result()\n"
    )
    python_path = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    command = [sys.executable, script, cluster.address, tmp_path / "pid"]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": python_path}) as coordinator:
        pid = int(read_when_written(tmp_path / "pid"))
        coordinator.kill()
    wait_for_end(pid)


def test_leaving_ends_jobs_of_ray(cluster: Any, tmp_path: Path) -> None:
    with RayExecutor(address=cluster.address) as another:
        future = another.submit(write_pid_and_sleep, str(tmp_path / "pid"), 600.0)
        pid = int(read_when_written(tmp_path / "pid"))
    assert future.cancelled()
    assert wait([future], timeout=LIMIT_SECONDS).done == {future}
    wait_for_end(pid)


def test_ray_executor_fails_only_jobs_of_a_dead_machine(
    executor: RayExecutor, cluster: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    futures, nodes = start_on_both_machines(executor, tmp_path)
    (second,) = cluster.worker_nodes
    cluster.remove_node(second, allow_graceful=False)
    lost = nodes.index(second.node_id)
    with pytest.raises(WorkerLostError):
        futures[lost].result()
    (tmp_path / "end").touch()
    pid = read_when_written(tmp_path / str(1 - lost)).split()[1]
    assert futures[1 - lost].result() == int(pid)
    assert executor.submit(own_node).result() == nodes[1 - lost]
    assert capfd.readouterr().out == ""


def test_ray_executor_reports_a_missing_cluster(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from eyetune.errors import UsageError\n"
        "from eyetune.tuning.executors import RayExecutor\n"
        "try:\n"
        "    RayExecutor(address='127.0.0.1:9')\n"
        "except UsageError:\n"
        "    print('refused')\n"
    )
    done = run_script(script)
    assert done.stdout == "refused\n", done.stderr
