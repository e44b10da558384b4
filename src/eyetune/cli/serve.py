"""`eyetune serve`."""

from __future__ import annotations

import os
import socket
import sys
import threading
import webbrowser
from importlib.util import find_spec
from typing import Annotated

from cyclopts import Parameter

from eyetune.cli.common import Common, say
from eyetune.errors import UsageError

_NO_COMMON = Common()
DEFAULT_PORT = 8765


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    token: Annotated[str, Parameter(env_var="EYETUNE_TOKEN", show_default=False)] = "",
    name: Annotated[tuple[str, ...], Parameter(negative="", metavar="NAME")] = (),
    browser: bool = True,
    common: Common = _NO_COMMON,
) -> None:
    """Show the workspace in a browser: runs, studies and their progress, live.

    Only this machine reaches the default address. Ctrl-C ends the dashboard; trainings go on.

    For example:

        eyetune serve
        eyetune serve --port 9000 --no-browser
        eyetune serve --host 0.0.0.0 --token a-secret-of-your-own

    Parameters
    ----------
    host
        Address to listen on. One that other machines reach needs --token.
    port
        Port to listen on; 0 means any free one.
    token
        What a browser must know to see the dashboard. It is printed as part of the address, and
        kept in a cookie.
    name
        A further name under which browsers reach this machine, such as lab-server.example.org. May
        be repeated. Requests for other names are refused.
    browser
        Open the dashboard in a browser, where there is a display.
    """
    if find_spec("nicegui") is None:
        raise UsageError(
            "The dashboard is not installed.",
            received="NiceGUI is missing",
            fix='pip install "eyetune[dashboard]"',
        )
    from eyetune.dashboard.access import Access
    from eyetune.dashboard.serving import serve as serve_until_interrupted

    workspace = common.open_workspace()
    names = (*name, socket.gethostname())

    def on_ready(address: str) -> None:
        say(f"Dashboard of {workspace.folder}: {address}\nTo end it: Ctrl-C")
        if browser and _has_display():
            _open(address)

    serve_until_interrupted(workspace, Access(host, names, token), port, on_ready)


def _has_display() -> bool:
    return sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


def _open(address: str) -> None:
    """Open a page without waiting for the browser."""
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
