"""`eyetune serve` refuses what is not safe or not possible, at once."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.cli.conftest import Terminal

TOKEN = "a-secret-of-tests"


@pytest.fixture
def port_in_use() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        yield bound.getsockname()[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--host", "0.0.0.0"),
        ("--token", "short"),
        ("--host", "203.0.113.7", "--token", TOKEN),
        ("--port", "70000"),
        ("--port", "-1"),
    ],
    ids=["without-token", "short-token", "foreign-address", "large-port", "negative-port"],
)
@pytest.mark.usefixtures("records")
def test_serve_refuses_what_is_not_safe(eyetune: Terminal, arguments: tuple[str, ...]) -> None:
    error = eyetune.error("serve", "--no-browser", *arguments)
    assert (error["status"], error["type"]) == (2, "UsageError")


@pytest.mark.usefixtures("records")
def test_serve_refuses_a_port_in_use(eyetune: Terminal, port_in_use: int) -> None:
    error = eyetune.error("serve", "--no-browser", "--port", str(port_in_use))
    assert error["status"] == 2
    assert str(port_in_use) in error["message"]


def test_serve_says_how_to_install_the_dashboard(
    eyetune: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyetune.cli.serve.find_spec", lambda _: None)
    error = eyetune.error("serve")
    assert error["status"] == 2
    assert "eyetune[dashboard]" in error["fix"]
