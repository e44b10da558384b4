"""Twenty browsers that watch a study: how fast pages are answered, and what the study loses.

    python benchmarks/dashboard_clients.py --results dashboard.jsonl

In each round, the same study is searched twice: alone, and while a dashboard of its workspace has
20 clients. A client opens the page of the study, keeps its web socket open, as a browser does, and
receives what changes. Every few seconds it opens the page again, or asks for the trials as JSON.
The table has the 95th percentile of the times of all requests, and the median over the rounds of
the ratio of the study's durations. Nothing else should run.

Finished rounds are in the file of results, and are not repeated.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import socketio  # type: ignore[import-untyped]

from recorded import Result, commit, machine, markdown_table, measured

SECONDS_BETWEEN_REQUESTS = 4.0  # of each client
SPACE = ("--space", "lab", "--trials", "24", "--max-epochs", "6", "--workers", "1")
NAME = "watched"


@dataclass
class Client:
    """A browser: a page with its web socket, and requests from time to time.

    Attributes:
        home: Address of the dashboard.
        times: Seconds that its requests took.
        num_messages: Messages that it received through its web socket.
    """

    home: str
    times: list[float] = field(default_factory=list)
    num_messages: int = 0

    async def watch(self, delay: float, over: asyncio.Event) -> None:
        """Watch until it is over.

        Args:
            delay: Seconds before it begins.
            over: Says that it is over.
        """
        if await _is_set_within(over, delay):
            return
        async with (
            httpx.AsyncClient(base_url=self.home, timeout=60) as http,
            self._connected(await self._get(http, f"/studies/{NAME}")),
        ):
            for path in itertools.cycle((f"/api/studies/{NAME}/trials", f"/studies/{NAME}", "/")):
                if await _is_set_within(over, SECONDS_BETWEEN_REQUESTS):
                    return
                await self._get(http, path)

    async def _get(self, http: httpx.AsyncClient, path: str) -> str:
        start = time.perf_counter()
        answer = await http.get(path)
        self.times.append(time.perf_counter() - start)
        answer.raise_for_status()
        return answer.text

    @asynccontextmanager
    async def _connected(self, page: str) -> AsyncIterator[None]:
        """Open the web socket of a page, as its script does."""
        found = re.search(r"'client_id': '([\w-]+)'", unescape(page))
        if found is None:
            raise ValueError("the page has no web socket")
        query = {
            "client_id": found[1],
            "next_message_id": "0",
            "implicit_handshake": "true",
            "document_id": str(uuid4()),
            "tab_id": str(uuid4()),
            "old_tab_id": "",
        }
        client = socketio.AsyncClient()

        async def note(*_: Any) -> None:
            self.num_messages += 1

        client.on("*", note)
        parameters = "&".join(f"{name}={value}" for name, value in query.items())
        await client.connect(
            f"{self.home}?{parameters}",
            socketio_path="_nicegui_ws/socket.io",
            transports=["websocket"],
        )
        try:
            yield
        finally:
            with suppress(TimeoutError):
                await asyncio.wait_for(client.disconnect(), SECONDS_BETWEEN_REQUESTS)


def command(*arguments: str, workspace: Path) -> list[str]:
    return [sys.executable, "-m", "eyetune", *arguments, "--workspace", str(workspace)]


async def search(workspace: Path) -> float:
    """Search the study, and return its duration in seconds."""
    arguments = ("tune", "--data", "digits", *SPACE, "--name", NAME)
    start = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *command(*arguments, workspace=workspace),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    if await process.wait():
        raise RuntimeError("the study failed")
    return time.perf_counter() - start


async def search_watched(workspace: Path, num_clients: int) -> tuple[float, Result]:
    """Search the study while clients watch it, and return its duration and what they met."""
    log = workspace.parent / "dashboard.log"
    with log.open("w") as stream:
        server = subprocess.Popen(
            command("serve", "--port", "0", "--no-browser", workspace=workspace), stderr=stream
        )
    try:
        while not (found := re.findall(r"(http://\S+)/", log.read_text())):
            if server.poll() is not None:
                raise RuntimeError(log.read_text())
            await asyncio.sleep(0.1)
        before = sum(psutil.Process(server.pid).cpu_times()[:2])
        searching = asyncio.create_task(search(workspace))
        while not await _is_recorded(found[0]):
            if searching.done():
                searching.result()  # raises the error of a study that ended at once
            await asyncio.sleep(0.2)
        # Browsers are on other machines: here, they take only what the others leave.
        watching = await asyncio.create_subprocess_exec(
            *("nice", "-n", "19", sys.executable, __file__, "--watch", found[0]),
            *("--clients", str(num_clients)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        seconds = await searching
        output, _ = await watching.communicate(b"")  # closes its input
        cpu_seconds = sum(psutil.Process(server.pid).cpu_times()[:2]) - before
        return seconds, {**json.loads(output), "server_cpu_seconds": round(cpu_seconds, 1)}
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=60)


async def watch(home: str, num_clients: int) -> None:
    """Let clients watch until standard input ends, and print what they met as JSON."""
    clients = [Client(home) for _ in range(num_clients)]
    spread = SECONDS_BETWEEN_REQUESTS / num_clients
    over = asyncio.Event()
    watching = asyncio.gather(
        *(client.watch(number * spread, over) for number, client in enumerate(clients))
    )
    await asyncio.to_thread(sys.stdin.read)
    over.set()
    await watching
    times = sorted(seconds for client in clients for seconds in client.times)
    met = {
        "num_requests": len(times),
        "num_messages": sum(client.num_messages for client in clients),
        "median_milliseconds": round(1000 * statistics.median(times), 1),
        "p95_milliseconds": round(1000 * times[int(0.95 * len(times))], 1),
    }
    print(json.dumps(met))


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, and return whether it was set in time."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()


async def _is_recorded(home: str) -> bool:
    async with httpx.AsyncClient(base_url=home, timeout=60) as http:
        answer = await http.get("/api/studies")
        return any(study["name"] == NAME for study in answer.json()["studies"])


def measure(num_clients: int) -> Result:
    """Return the durations of a study alone and watched, and the times of all requests."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory() as folder:
        alone = asyncio.run(search(Path(folder) / "alone"))
        watched, met = asyncio.run(search_watched(Path(folder) / "watched", num_clients))
    return {
        "alone_seconds": round(alone, 2),
        "watched_seconds": round(watched, 2),
        **met,
        **machine(),
        "commit": commit(),
    }


def table(results: Sequence[Result]) -> str:
    header = [
        "round",
        "clients",
        "study alone",
        "watched",
        "server's CPU time",
        "requests",
        "messages",
        "median",
        "p95",
    ]
    rows = [
        [
            str(result["round"]),
            str(result["clients"]),
            f"{result['alone_seconds']:.1f} s",
            f"{result['watched_seconds']:.1f} s",
            f"{result['server_cpu_seconds']:.1f} s",
            f"{result['num_requests']:,}",
            f"{result['num_messages']:,}",
            f"{result['median_milliseconds']:.0f} ms",
            f"{result['p95_milliseconds']:.0f} ms",
        ]
        for result in results
    ]
    ratios = [result["watched_seconds"] / result["alone_seconds"] for result in results]
    slowest = statistics.median(result["p95_milliseconds"] for result in results)
    summary = (
        f"Median of {len(ratios)} rounds: the study takes {statistics.median(ratios):.3f} times as "
        f"long; 95% of the requests within {slowest:.0f} ms."
    )
    return f"{markdown_table(header, rows)}\n\n{summary}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, help="file of results")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--watch", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.watch:
        asyncio.run(watch(arguments.watch, arguments.clients))
        return
    results = []
    for number in range(arguments.rounds):
        key = {"round": number, "clients": arguments.clients}
        function = partial(measure, arguments.clients)
        results.append(measured(arguments.results, key, function))
    print(table(results))


if __name__ == "__main__":
    main()
