"""Workers of a real Ray cluster of two machines, both of them on this one; one of them dies at the
end.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import subprocess
import sys
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
from eyetune.tuning.executors.ray import noticing, raise_if_unseen

pytestmark = pytest.mark.slow

STORE_BYTES = 80_000_000  # the least that Ray takes


def add(one: int, other: int) -> int:
    return one + other


def divide(one: int, other: int) -> float:
    return one / other


def own_pid() -> int:
    return os.getpid()


def own_node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


def variables(*names: str) -> list[str | None]:
    return [os.environ.get(name) for name in names]


def kill_own_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def sleep_after_writing_node(path: str, seconds: float) -> int:
    Path(path).write_text(f"{own_node()} {os.getpid()}")
    time.sleep(seconds)
    return os.getpid()


def hold(megabytes: int, seconds: float) -> int:
    held = bytearray(b"x") * (megabytes * 1_000_000)
    time.sleep(seconds)
    return len(held)


def wait_for(path: Path) -> list[str]:
    for _ in range(300):
        if path.exists() and path.read_text():
            return path.read_text().split()
        time.sleep(0.1)
    raise AssertionError(f"{path} never came")


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def ends(pid: int) -> bool:
    for _ in range(100):
        if not is_alive(pid):
            return True
        time.sleep(0.1)
    return False


def run_script(path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.run(
        [sys.executable, path, *words],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_without_a_cluster_it_starts_a_ray_of_its_own_and_says_nothing(tmp_path: Path) -> None:
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
def client_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="module")
def cluster(client_port: int) -> Iterator[Any]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    patience = {
        "health_check_initial_delay_ms": 1000,
        "health_check_period_ms": 500,
        "health_check_failure_threshold": 4,
    }
    head = {
        "num_cpus": 1,
        "object_store_memory": STORE_BYTES,
        "include_dashboard": False,
        "_system_config": patience,
    }
    one = Cluster(
        initialize_head=True, head_node_args={**head, "ray_client_server_port": client_port}
    )
    one.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    yield one
    one.shutdown()


@pytest.fixture(scope="module")
def executor(cluster: Any) -> Iterator[RayExecutor]:
    with RayExecutor(address=cluster.address) as one:
        yield one


def test_all_processors_of_the_cluster_work(executor: RayExecutor, tmp_path: Path) -> None:
    assert (executor.num_workers, executor.threads) == (2, 1)
    futures = [
        executor.submit(sleep_after_writing_node, str(tmp_path / str(i)), 1.0) for i in range(2)
    ]
    nodes = {wait_for(tmp_path / str(i))[0] for i in range(2)}
    assert len(nodes) == 2
    assert os.getpid() not in {future.result() for future in futures}
    assert executor.submit(add, 1, 2).result() == 3


def test_an_error_is_what_the_job_raised_and_keeps_its_traceback(executor: RayExecutor) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        executor.submit(divide, 1, 0).result()
    assert "return one / other" in "".join(traceback.format_exception(caught.value))


def test_workers_find_what_the_coordinator_finds(
    executor: RayExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache_directory: Path
) -> None:
    (tmp_path / "only_in_this_folder.py").write_text("def one() -> int:\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("EYETUNE_DATA", "/somewhere")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    with RayExecutor() as another:
        names = ("EYETUNE_CACHE", "EYETUNE_DATA", "TF_CPP_MIN_LOG_LEVEL", "CUDA_VISIBLE_DEVICES")
        assert another.submit(variables, *names).result() == [
            str(cache_directory),
            "/somewhere",
            "2",
            "",
        ]
        assert another.submit(importlib.import_module("only_in_this_folder").one).result() == 1


def test_a_process_ends_after_so_many_jobs(executor: RayExecutor) -> None:
    with RayExecutor(1, jobs_per_process=1) as another:
        pids = [another.submit(own_pid).result() for _ in range(3)]
    assert len(set(pids)) == 3


def test_a_job_that_takes_too_long_is_ended(executor: RayExecutor, tmp_path: Path) -> None:
    started = time.monotonic()
    late = executor.submit(
        sleep_after_writing_node, str(tmp_path / "pid"), 600.0, limit_seconds=1.0
    )
    with pytest.raises(OutOfTimeError, match="at most 1 s"):
        late.result()
    assert time.monotonic() - started < 30
    assert ends(int(wait_for(tmp_path / "pid")[1]))
    assert executor.submit(add, 2, 2, limit_seconds=60).result() == 4


def test_time_in_the_queue_is_not_the_jobs(executor: RayExecutor) -> None:
    futures = [
        executor.submit(hold, 1, 1.0, limit_seconds=1.9) for _ in range(4)
    ]  # two by two: the last end at 2 s
    assert [future.result() for future in futures] == [1_000_000] * 4


def test_a_job_that_takes_too_much_memory_is_ended_and_says_so(executor: RayExecutor) -> None:
    with pytest.raises(OutOfMemoryError) as caught:
        executor.submit(hold, 600, 600.0, limit_bytes=500_000_000).result()
    assert caught.value.expected == "at most 500 MB"
    assert 500 < int((caught.value.received or "").split()[0].replace(",", "")) < 1000
    assert executor.submit(hold, 1, 0.2, limit_bytes=500_000_000).result() == 1_000_000


def test_the_death_of_a_worker_is_one_jobs_failure(executor: RayExecutor) -> None:
    with pytest.raises(WorkerLostError):
        executor.submit(kill_own_process).result()
    assert executor.submit(add, 1, 1).result() == 2


def test_cancelling_ends_a_job(executor: RayExecutor, tmp_path: Path) -> None:
    future = executor.submit(sleep_after_writing_node, str(tmp_path / "pid"), 600.0)
    pid = int(wait_for(tmp_path / "pid")[1])
    assert future.cancel()
    assert wait([future], timeout=30).done == {future}
    assert ends(pid)


def test_a_folder_that_a_worker_does_not_see_is_named(
    executor: RayExecutor, tmp_path: Path
) -> None:
    folder = tmp_path / "workspace"
    with pytest.raises(FileNotFoundError) as caught:  # it is not here either
        executor.submit(Path.read_text, folder / "runs" / "news").result()
    folder.mkdir()
    with pytest.raises(WorkspaceError, match="under the same path") as unseen:
        raise_if_unseen(caught.value)
    assert str(unseen.value.received).startswith(f"no {folder} on ")
    with pytest.raises(FileNotFoundError) as plain:
        noticing(Path.read_text, folder / "news")
    raise_if_unseen(plain.value)  # the folder is seen: only the file is missing


def test_what_cannot_be_done_is_refused(executor: RayExecutor) -> None:
    with pytest.raises(UsageError, match="No machine of the cluster has room"):
        RayExecutor(cpus_per_job=2)
    with pytest.raises(UsageError, match="number of workers"):
        RayExecutor(0)
    with pytest.raises(UsageError, match="needs a processor"):
        RayExecutor(cpus_per_job=0)
    with pytest.raises(UsageError, match="negative"):
        RayExecutor(gpus_per_job=-1)
    with make_executor("ray", 5, cpus_per_job=0.5) as another:
        assert another.num_workers == 5
        assert another.submit(add, 1, 2).result() == 3
    with RayExecutor(cpus_per_job=0.25) as another:
        assert another.num_workers == 8


def test_a_cluster_is_reached_from_outside(cluster: Any, client_port: int, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys; from tests.tuning.executors.test_ray import *\n"
        "with make_executor(f'ray://127.0.0.1:{sys.argv[1]}') as executor:\n"
        "    print(executor.num_workers, executor.submit(add, 1, 2).result())\n"
        "    try:\n"
        "        executor.submit(time.sleep, 600.0, limit_seconds=0.5).result()\n"
        "    except OutOfTimeError as error:\n"
        "        print(error.what)\n"
        "    try:\n"
        "        executor.submit(hold, 600, 600.0, limit_bytes=500_000_000).result()\n"
        "    except OutOfMemoryError as error:\n"
        "        print(error.what)\n"
        "    try:\n"
        "        executor.submit(kill_own_process).result()\n"
        "    except WorkerLostError as error:\n"
        "        print(error.what)\n"
    )
    done = run_script(script, str(client_port))
    assert (done.stdout.splitlines(), done.stderr) == (
        [
            "2 3",
            "A training took longer than its time limit.",
            "A training took too much memory.",
            "A worker of the cluster ended in the middle of a training.",
        ],
        "",
    )


def test_jobs_end_with_a_coordinator_that_is_killed(
    executor: RayExecutor, cluster: Any, tmp_path: Path
) -> None:
    script = tmp_path / "coordinator.py"
    script.write_text(
        "import sys; from tests.tuning.executors.test_ray import *\n"
        "with RayExecutor(address=sys.argv[1]) as executor:\n"
        "    executor.submit(sleep_after_writing_node, sys.argv[2], 600.0).result()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    words = [sys.executable, script, cluster.address, tmp_path / "pid"]
    with subprocess.Popen(words, env=environment) as coordinator:
        pid = int(wait_for(tmp_path / "pid")[1])
        coordinator.kill()
    assert ends(pid)


def test_a_machine_that_dies_costs_its_own_job_alone(
    executor: RayExecutor, cluster: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    futures = [
        executor.submit(sleep_after_writing_node, str(tmp_path / str(i)), 4.0) for i in range(2)
    ]
    nodes = [wait_for(tmp_path / str(i))[0] for i in range(2)]
    second = next(iter(cluster.worker_nodes))
    cluster.remove_node(second, allow_graceful=False)
    doomed = nodes.index(second.node_id)
    with pytest.raises(WorkerLostError):
        futures[doomed].result()
    assert futures[1 - doomed].result() == int(wait_for(tmp_path / str(1 - doomed))[1])
    assert [executor.submit(own_node).result() for _ in range(3)] == [nodes[1 - doomed]] * 3
    assert capfd.readouterr().out == ""


def test_leaving_ends_the_jobs(cluster: Any, tmp_path: Path) -> None:
    with RayExecutor(address=cluster.address) as another:
        future = another.submit(sleep_after_writing_node, str(tmp_path / "pid"), 600.0)
        pid = int(wait_for(tmp_path / "pid")[1])
    assert future.cancelled()
    assert wait([future], timeout=10).done == {future}
    assert ends(pid)


def test_a_cluster_that_is_not_there(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from eyetune.tuning.executors import RayExecutor\nRayExecutor(address='127.0.0.1:9')\n"
    )
    done = run_script(script)
    assert "The Ray cluster cannot be reached." in done.stderr
    assert done.stdout == ""
