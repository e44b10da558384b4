"""The server: when it collects the garbage that pages leave behind."""

from __future__ import annotations

import asyncio
import gc

import pytest
import uvicorn

from eyetune.dashboard.server import QUIET_TICKS, Server


def test_garbage_is_collected_once_after_the_last_request(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(uvicorn.Config("app"), lambda: None)
    collections = []
    monkeypatch.setattr(gc, "collect", lambda: collections.append(server.server_state))

    def tick(count: int) -> int:
        for number in range(count):
            asyncio.run(server.on_tick(number))
        return len(collections)

    assert tick(2 * QUIET_TICKS) == 0  # there was no request
    server.server_state.total_requests = 3
    assert tick(QUIET_TICKS - 1) == 0
    server.server_state.total_requests = 4
    assert tick(QUIET_TICKS - 1) == 0
    assert tick(2 * QUIET_TICKS) == 1
