"""The server of the dashboard: its pages, its JSON, and the checks in front of them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
from collections.abc import Callable
from functools import partial

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from nicegui import Client, ui
from nicegui import app as pages
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from eyetune.dashboard import http_api, http_changes
from eyetune.dashboard.access import Access, Guard
from eyetune.dashboard.inspector import Inspector
from eyetune.dashboard.jobs import Jobs
from eyetune.dashboard.layout import Heading, Text, error_page, page
from eyetune.dashboard.live import Live
from eyetune.dashboard.pages import data, labs, one_run, runs_list, studies, try_it, workbench
from eyetune.dashboard.services import Services
from eyetune.errors import EyetuneError
from eyetune.records import Workspace

TITLE = "eyetune"
_GARBAGE_THRESHOLDS = (20_000, 10, 100)  # the last one is for servers that are never idle
_FORGOTTEN_SECONDS = 30.0  # after which a page that was closed is forgotten
QUIET_TICKS = 400  # without a request, before garbage is collected


def make_app(workspace: Workspace, access: Access) -> ASGIApp:
    """Return the application: pages, JSON and the checks in front of them.

    A process can make one: NiceGUI keeps its pages in the process.

    Args:
        workspace: The workspace to show.
        access: Who may talk to it.
    """
    live = Live(workspace)
    services = Services(live, Inspector(), Jobs(workspace))
    app = FastAPI(title=TITLE, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(http_api.router(live))
    app.include_router(http_changes.run_changes(services))
    app.include_router(http_changes.study_changes(services))
    pages.on_page_exception(error_page)
    pages.add_exception_handler(404, _not_found)
    pages.config.quasar_config["loadingBar"]["skipHijack"] = True  # it has no name for readers
    logging.getLogger("nicegui").addFilter(_is_unexpected)
    pages.on_startup(partial(_read_ahead, live))
    pages.on_shutdown(services.inspector.close)
    for module in (workbench, runs_list, one_run, labs, studies, data, try_it):
        module.register(services)
    ui.run_with(
        app,
        title=TITLE,
        dark=None,
        language="en-US",
        favicon=_FAVICON,
        binding_refresh_interval=None,
        show_welcome_message=False,
        reconnect_timeout=_FORGOTTEN_SECONDS,
    )
    return Guard(app, access)


async def _not_found(request: Request, _: Exception) -> Response:
    """Answer a request for what is not there: programs get JSON, people the frame of a page."""
    path = request.url.path
    if path.startswith("/api/"):
        error = {"type": "NotFoundError", "message": f"There is no {path}."}
        return JSONResponse({"error": error}, status_code=404)
    with Client(ui.page(""), request=request) as client, page("Page not found", ""):
        Heading("Page not found", 1)
        Text(f"There is no page {path}. The links above lead to all of them.")
    return client.build_response(request, 404)


def _is_unexpected(record: logging.LogRecord) -> bool:
    """Return whether a log entry is about more than an error that a page explains."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, EyetuneError)


async def _read_ahead(live: Live) -> None:
    """Read the runs, so that the first page need not wait. Errors are left to the pages."""

    def read() -> None:
        for record in live.runs().records.values():
            _ = record.differences  # which the filter searches

    with contextlib.suppress(EyetuneError):
        await asyncio.to_thread(read)
    # A full garbage collection would go through all modules and runs again and again: with 2,000
    # runs, a page then waits 200 ms longer.
    gc.collect()
    gc.freeze()


def run(
    workspace: Workspace, access: Access, bound: socket.socket, on_ready: Callable[[], None]
) -> None:
    """Serve the dashboard until Ctrl-C.

    Args:
        workspace: The workspace to show.
        access: Who may talk to it.
        bound: The socket that it listens on.
        on_ready: Called once it answers.
    """
    config = uvicorn.Config(
        make_app(workspace, access),
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    with contextlib.suppress(KeyboardInterrupt):
        Server(config, on_ready).run(sockets=[bound])


class Server(uvicorn.Server):
    """A server that says when it answers, and collects garbage some time after the last request.

    Args:
        config: Its configuration.
        on_ready: Called once it answers.
    """

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._num_requests = self._num_quiet_ticks = 0
        self._has_garbage = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then call the function."""
        gc.set_threshold(*_GARBAGE_THRESHOLDS)
        await super().startup(sockets=sockets)
        if self.started:
            self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        """Collect garbage once the pages of the last requests may be closed and forgotten.

        A tick is a tenth of a second.
        """
        if self._num_requests != self.server_state.total_requests:
            self._num_requests = self.server_state.total_requests
            self._num_quiet_ticks, self._has_garbage = 0, True
        self._num_quiet_ticks += 1
        if self._has_garbage and self._num_quiet_ticks > QUIET_TICKS:
            gc.collect()
            self._has_garbage = False
        return await super().on_tick(counter)


_FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<path d="M2 16Q16 3 30 16Q16 29 2 16Z" fill="#17406f"/>'
    '<circle cx="16" cy="16" r="6.5" fill="#fff"/>'
    '<circle cx="16" cy="16" r="3.4" fill="#d9730d"/></svg>'
)
