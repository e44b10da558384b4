"""Where the dashboard listens: checked before anything heavy is imported."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from urllib.parse import urlencode

from eyetune.dashboard.access import MIN_TOKEN_LENGTH, Access
from eyetune.errors import UsageError
from eyetune.records import Workspace


def serve(workspace: Workspace, access: Access, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve the dashboard until Ctrl-C.

    Args:
        workspace: The workspace to show.
        access: The address, and who may talk to it.
        port: The port; 0: any free one.
        on_ready: Called with the address of the first page once the server answers.

    Raises:
        UsageError: The address needs a token, or cannot be used.
    """
    check_access(access)
    with listen(access, port) as bound:
        host = f"[{access.host}]" if ":" in access.host else access.host
        address = f"http://{host}:{bound.getsockname()[1]}/"
        if access.token:
            address += f"?{urlencode({'token': access.token})}"
        from eyetune.dashboard.server import run

        run(workspace, access, bound, lambda: on_ready(address))


def check_access(access: Access) -> None:
    """Check that an address that other machines reach is protected by a token.

    Raises:
        UsageError: It is not.
    """
    if not access.is_loopback and not access.token:
        raise UsageError(
            "Other machines can reach this address, and without a token anyone there could read "
            "the workspace.",
            expected="--token TEXT, or an address of this machine alone, such as 127.0.0.1",
            received=f"--host {access.host}",
            fix=f"For example: --host {access.host} --token {secrets.token_urlsafe(16)}",
        )
    if access.token and len(access.token) < MIN_TOKEN_LENGTH:
        raise UsageError(
            "The token is so short that it could be guessed.",
            expected=f"at least {MIN_TOKEN_LENGTH} characters",
            received=f"{len(access.token)} characters",
            fix=f"For example: --token {secrets.token_urlsafe(16)}",
        )


def listen(access: Access, port: int) -> socket.socket:
    """Return a socket that listens on an address.

    Args:
        access: The address.
        port: The port; 0: any free one.

    Raises:
        UsageError: The address or port is not this machine's, or in use.
    """
    family = socket.AF_INET6 if ":" in access.host else socket.AF_INET
    try:
        return socket.create_server((access.host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"The dashboard cannot listen on {access.host}, port {port}.",
            expected="an address of this machine and a free port",
            received=getattr(error, "strerror", None) or error,
            fix="Name another port, for example --port 8766, or end the program that uses it.",
        ) from None
