"""Requests that the dashboard refuses, and the headers of what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from eyetune.dashboard.access import COOKIE, MAX_BODY_BYTES, Access, Guard, is_loopback

HOME = "http://127.0.0.1:8765"
TOKEN = "a-secret-of-tests"
LOCAL = Access("127.0.0.1")
SECRET = Access("0.0.0.0", ("lab.example",), TOKEN)


async def _echo(request: Request) -> Response:
    return PlainTextResponse(f"{len(await request.body())} {request.url.path}")


async def _socket(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


def client(access: Access = LOCAL, home: str = HOME) -> TestClient:
    """Return a client of an application behind the checks."""
    routes = [
        WebSocketRoute("/socket", _socket),
        Route("/{path:path}", _echo, methods=["GET", "POST", "DELETE"]),
    ]
    return TestClient(
        Guard(Starlette(routes=routes), access), base_url=home, follow_redirects=False
    )


def greeting(access: Access, headers: Mapping[str, str]) -> str | None:
    """Return what a web socket sends; None if it is refused."""
    try:
        with client(access).websocket_connect("/socket", headers=dict(headers)) as socket:
            return socket.receive_text()
    except (WebSocketDisconnect, WebSocketDenialResponse):
        return None


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost", "LOCALHOST:1", "[::1]:8765"])
def test_own_hosts_are_answered(host: str) -> None:
    assert client().get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost:x", "127.0.0.1@evil", "", "10.0.0.1"],
)
def test_foreign_hosts_are_refused(host: str) -> None:
    assert client().get("/", headers={"host": host}).status_code == 403
    assert greeting(LOCAL, {"host": host}) is None


@given(host=st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=40))
def test_only_known_names_are_hosts(host: str) -> None:
    name = host.strip().lower().rpartition(":")[0] or host.strip().lower()
    known = {"127.0.0.1", "localhost", "[::1]", "::1"}
    assert not LOCAL.knows_host(host) or {name, host.lower(), name.strip("[]")} & known


def test_address_of_all_interfaces_knows_addresses_and_names() -> None:
    assert SECRET.knows_host("192.168.1.7:8765")
    assert SECRET.knows_host("lab.example")
    assert SECRET.knows_host("localhost:8765")
    assert not SECRET.knows_host("evil.example")


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://localhost:8765", "https://127.0.0.1", "file://", "x"],
)
@pytest.mark.parametrize("method", ["POST", "DELETE", "GET"])
def test_foreign_origins_are_refused(method: str, origin: str) -> None:
    assert client().request(method, "/", headers={"origin": origin}).status_code == 403
    assert greeting(LOCAL, {"host": "127.0.0.1:8765", "origin": origin}) is None


def test_own_origin_is_answered() -> None:
    assert client().post("/x", headers={"origin": HOME}, content=b"abc").text == "3 /x"
    assert greeting(LOCAL, {"host": "127.0.0.1:8765", "origin": HOME}) == "hello"
    assert client().post("/x").status_code == 200  # a program, not a browser


def test_page_of_another_site_sends_nothing_that_changes() -> None:
    link = {
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "document",
    }
    assert client().get("/x", headers=link).status_code == 200
    assert client().post("/x", headers=link).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(
    ("mode", "destination"),
    [("no-cors", "image"), ("no-cors", "script"), ("navigate", "iframe"), ("", "")],
)
def test_page_of_another_site_loads_nothing(site: str, mode: str, destination: str) -> None:
    headers = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": destination}
    assert client().get("/data?source=x", headers=headers).status_code == 403


def test_report_has_none_of_the_rights_of_pages() -> None:
    headers = client().get("/runs/latest/report.html").headers
    assert headers["content-security-policy"].startswith("sandbox allow-scripts;")


def test_two_hosts_are_refused() -> None:
    hosts = [("host", "127.0.0.1:8765"), ("host", "evil.example")]
    assert client().get("/", headers=hosts).status_code == 403


def test_nothing_is_answered_without_the_token() -> None:
    visitor = client(SECRET)
    page = visitor.get("/runs")
    assert page.status_code == 401
    assert "/runs" not in page.text
    assert "form" in page.text
    assert visitor.post("/x").status_code == 401
    api = visitor.get("/api/runs")
    assert (api.status_code, set(api.json())) == (401, {"error"})
    assert greeting(SECRET, {"host": "127.0.0.1:8765"}) is None


def test_token_in_the_address_opens_a_session() -> None:
    visitor = client(SECRET)
    opened = visitor.get(f"/runs?page=2&token={TOKEN}")
    assert (opened.status_code, opened.headers["location"]) == (303, "/runs?page=2")
    cookie = opened.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    assert visitor.get("/runs").status_code == 200
    header = f"{COOKIE}={visitor.cookies[COOKIE]}"
    assert greeting(SECRET, {"host": "127.0.0.1:8765", "cookie": header}) == "hello"


def test_token_in_the_form_opens_a_session() -> None:
    visitor = client(SECRET)
    assert visitor.post("/login", data={"token": "wrong"}).status_code == 401
    assert visitor.get("/").status_code == 401
    assert visitor.post("/login", data={"token": TOKEN}).status_code == 303
    assert visitor.get("/").status_code == 200


def test_program_sends_the_token_in_a_header() -> None:
    visitor = client(SECRET)
    assert visitor.get("/api", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert visitor.get("/api", headers={"authorization": "Bearer x"}).status_code == 401


@given(cookie=st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=80))
def test_no_other_cookie_is_a_session(cookie: str) -> None:
    answer = client(SECRET).get("/", headers={"cookie": f"{COOKIE}={cookie}"})
    assert answer.status_code == 401


def test_token_leads_to_no_other_server() -> None:
    opened = client(SECRET).get(f"{HOME}//evil.example/x?token={TOKEN}")
    assert opened.headers["location"] == "/evil.example/x"


def test_large_requests_are_refused() -> None:
    large = client().post("/x", content=b"", headers={"content-length": str(MAX_BODY_BYTES + 1)})
    assert large.status_code == 413


def test_large_requests_in_chunks_are_cut_off() -> None:
    from starlette.requests import ClientDisconnect

    chunks: Any = (b"x" * 2**20 for _ in range(MAX_BODY_BYTES // 2**20 + 1))
    with pytest.raises(ClientDisconnect):
        client().post("/x", content=chunks)


@pytest.mark.parametrize("path", ["/", "/api/runs"])
@pytest.mark.parametrize("access", [LOCAL, SECRET], ids=["open", "with-token"])
def test_every_answer_has_the_headers(access: Access, path: str) -> None:
    headers = client(access).get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("x", False)],
)
def test_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) == expected
