"""A Ray cluster that all tests share."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.tuning.executors.jobs import LIMIT_SECONDS

STORE_BYTES = 80_000_000  # the least that Ray takes
HEALTH_CHECKS = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 4,
}


@pytest.fixture(scope="session")
def client_port() -> int:
    """Return a free port, on which the cluster accepts clients."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="session")
def machines(client_port: int) -> Iterator[Any]:
    """Return a cluster of one machine; tests may add machines and remove them."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # A busy machine may take long to start a server for a client.
    os.environ["RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S"] = str(int(LIMIT_SECONDS))
    from ray.cluster_utils import Cluster

    head = {
        "num_cpus": 1,
        "object_store_memory": STORE_BYTES,
        "include_dashboard": False,
        "ray_client_server_port": client_port,
        "_system_config": HEALTH_CHECKS,
    }
    shared = Cluster(initialize_head=True, head_node_args=head)
    yield shared
    shared.shutdown()  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def cluster(machines: Any) -> Any:
    """Return the cluster with two machines of one core each."""
    if not machines.worker_nodes:
        machines.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        machines.wait_for_nodes(timeout=LIMIT_SECONDS)
    return machines
