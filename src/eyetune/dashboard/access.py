"""Who may talk to the dashboard: checks of each request, and headers of each response.

A page of another site can make the browser of a user send requests to a server on the same
machine. So requests with a foreign `Host` (DNS rebinding) or a foreign `Origin` are refused, and
the browser may send the session cookie from pages of the dashboard only.

Sources: the Fetch standard (Origin), RFC 6265bis (SameSite), CSP level 3, and OWASP's cheat sheets
on cross-site request forgery and on HTTP headers.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "eyetune-session"
COOKIE_DAYS = 30
MAX_BODY_BYTES = 32 * 1024 * 1024  # an uploaded picture; others are far smaller
MIN_TOKEN_LENGTH = 12
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_WILDCARDS = ("0.0.0.0", "::", "")  # nosec B104  # compared, not bound
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

# NiceGUI's pages need inline scripts and styles; everything comes from this server.
_CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
# A report is a whole page of its own: it gets none of the rights of the dashboard's pages.
_REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'none'"
)
_HEADERS: Mapping[str, str] = {
    "content-security-policy": _CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
}


@dataclass(frozen=True)
class Access:
    """Who may talk to the dashboard.

    Attributes:
        host: The address that it listens on.
        names: Further names under which it is reached, such as that of the machine.
        token: What a user must know; "" on a loopback address.
    """

    host: str
    names: tuple[str, ...] = ()
    token: str = ""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it.

        Example:
            >>> Access("127.0.0.1").is_loopback, Access("0.0.0.0").is_loopback
            (True, False)
        """
        return is_loopback(self.host)

    def knows_host(self, header: str) -> bool:
        """Return whether a `Host` header names this dashboard.

        An address of a machine that listens on all of its addresses needs no list: a name that
        an attacker has made point here is never an address.

        Example:
            >>> access = Access("127.0.0.1")
            >>> access.knows_host("localhost:8765"), access.knows_host("evil.example")
            (True, False)
        """
        name = _name_of(header)
        if name is None:
            return False
        if self.host in _WILDCARDS and _is_address(name):
            return True
        known = {self.host, *self.names} | (
            set(_LOOPBACK_NAMES) if self._reaches_loopback else set()
        )
        return name.lower() in {each.lower() for each in known}

    @property
    def _reaches_loopback(self) -> bool:
        return self.is_loopback or self.host in _WILDCARDS

    def knows_token(self, token: str) -> bool:
        """Return whether a token is the right one, in a time that says nothing about it."""
        return hmac.compare_digest(token.encode(), self.token.encode())

    @property
    def session(self) -> str:
        """The value of the session cookie, from which the token cannot be found."""
        return hmac.new(self.token.encode(), COOKIE.encode(), hashlib.sha256).hexdigest()

    def knows_session(self, cookie: str) -> bool:
        """Return whether the value of a session cookie is the right one."""
        return hmac.compare_digest(cookie.encode(), self.session.encode())


def is_loopback(host: str) -> bool:
    """Return whether an address to listen on can be reached from this machine only."""
    if host == "localhost":
        return True
    return _is_address(host) and ipaddress.ip_address(host).is_loopback


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _name_of(header: str) -> str | None:
    """Return the name in a `Host` header, without its port; None if there is none."""
    try:
        parts = urlsplit(f"//{header}")
        _ = parts.port  # raises ValueError if it is not a number
    except ValueError:
        return None
    is_plain = not (parts.path or parts.query or parts.fragment or parts.username is not None)
    return parts.hostname if is_plain else None


class Guard:
    """An ASGI application that lets through what `Access` allows, and adds the headers.

    Args:
        app: The application behind it.
        access: Who may talk to it.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app  # NiceGUI finds its server by this name
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, a web socket or a lifespan event."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        request = _Request(scope)
        refusal = self._refusal(request)
        if scope["type"] == "websocket":
            if refusal is not None or not self._is_known(request):
                await send({"type": "websocket.close", "code": 1008})
                return
            await self.app(scope, receive, send)
            return
        if refusal is not None:
            await _answer(send, refusal)
        elif request.path == "/login" and request.method == "POST":
            await self._log_in(request, receive, send)
        elif self._has_right_token_in_address(request):
            await _answer(send, self._welcome(request.address_without_token))
        elif not self._is_known(request):
            await _answer(send, _login(request))
        else:
            await self.app(scope, _limited(receive), _with_headers(send, request))

    def _refusal(self, request: _Request) -> _Answer | None:
        """Return why a request is refused, with or without a token; None if it is not."""
        if not self._access.knows_host(request.header("host")):
            return _Answer(403, "This dashboard is not reached under this name (Host).")
        if request.is_from_elsewhere:
            return _Answer(403, "A page of another site sent this request (Origin).")
        length = request.header("content-length")
        if length and (not length.isdecimal() or int(length) > MAX_BODY_BYTES):
            return _Answer(413, f"The request is larger than {MAX_BODY_BYTES // 2**20} MiB.")
        return None

    def _is_known(self, request: _Request) -> bool:
        """Return whether a request is from someone who knows the token, where one is needed."""
        if not self._access.token:
            return True
        bearer = request.header("authorization").removeprefix("Bearer ")
        return self._access.knows_session(request.cookie) or self._access.knows_token(bearer)

    def _has_right_token_in_address(self, request: _Request) -> bool:
        is_page = request.method in ("GET", "HEAD")
        token = request.token_in_address
        return bool(self._access.token and token and is_page and self._access.knows_token(token))

    async def _log_in(self, request: _Request, receive: Receive, send: Send) -> None:
        form = parse_qs((await _body(receive)).decode("utf-8", "replace"))
        token = form.get("token", [""])[0]
        if self._access.token and self._access.knows_token(token):
            await _answer(send, self._welcome("/"))
        else:
            await _answer(send, _login(request, is_wrong=True))

    def _welcome(self, address: str) -> _Answer:
        """Return the redirection to a page, with the session cookie."""
        attributes = f"Path=/; Max-Age={COOKIE_DAYS * 86_400}; HttpOnly; SameSite=Strict"
        headers = {
            "location": address,
            "set-cookie": f"{COOKIE}={self._access.session}; {attributes}",
        }
        return _Answer(303, "", headers)


class _Request:
    """What the checks need of a request."""

    def __init__(self, scope: Scope) -> None:
        self.method: str = scope.get("method", "GET")
        self.path: str = scope["path"]
        self._query: str = scope.get("query_string", b"").decode("latin-1")
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]

    def header(self, name: str) -> str:
        """Return a header; "" if there is none, or several that contradict each other."""
        values = {value for key, value in self._headers if key == name.encode()}
        return values.pop().decode("latin-1").strip() if len(values) == 1 else ""

    @property
    def is_from_elsewhere(self) -> bool:
        """Whether a page of another site sent it.

        Browsers add `Origin` to what changes something, to web sockets, and to what a page of
        another origin reads; and `Sec-Fetch-Site` to everything. Opening the dashboard by a link
        on another site is allowed; to load a page of it as a picture or a script is not, because
        that costs work.
        """
        origins = {value for key, value in self._headers if key == b"origin"}
        host = self.header("host").lower()
        for origin in origins:
            parts = urlsplit(origin.decode("latin-1").lower())
            if parts.scheme not in ("http", "https") or parts.netloc != host:
                return True
        if self.header("sec-fetch-site") not in ("cross-site", "same-site"):
            return False
        is_link = self.header("sec-fetch-mode") == "navigate" and self.method in _SAFE_METHODS
        return not (is_link and self.header("sec-fetch-dest") == "document")

    @property
    def cookie(self) -> str:
        """The value of the session cookie; "" if there is none."""
        cookies: SimpleCookie = SimpleCookie()
        try:
            cookies.load(self.header("cookie"))
        except CookieError:
            return ""
        return cookies[COOKIE].value if COOKIE in cookies else ""

    @property
    def token_in_address(self) -> str:
        """The token in the address, as `eyetune serve` prints it; "" if there is none."""
        return parse_qs(self._query).get("token", [""])[0]

    @property
    def address_without_token(self) -> str:
        """Its path and query without the token."""
        query = {key: value for key, value in parse_qs(self._query).items() if key != "token"}
        path = "/" + self.path.lstrip("/\\")  # a path of two slashes would name another server
        return f"{path}?{urlencode(query, doseq=True)}" if query else path

    @property
    def wants_json(self) -> bool:
        """Whether a program asks, and not a person."""
        return self.path.startswith("/api/")


@dataclass(frozen=True)
class _Answer:
    status: int
    text: str
    headers: Mapping[str, str] | None = None
    content_type: str = "text/plain; charset=utf-8"


_LOGIN_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>eyetune: token</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 15vh auto; padding: 1rem; }}
input, button {{ font: inherit; padding: 0.5rem; width: 100%; margin-top: 0.5rem; }}
input, button {{ box-sizing: border-box; }}
</style>
</head>
<body>
<main>
<h1>eyetune</h1>
<form method="post" action="/login">
<label for="token">{message}</label>
<input id="token" name="token" type="password" autocomplete="current-password" autofocus required>
<button type="submit">Open the dashboard</button>
</form>
</main>
</body>
</html>
"""


def _login(request: _Request, *, is_wrong: bool = False) -> _Answer:
    """Return the page that asks for the token, or the error for a program."""
    if request.wants_json:
        error = {"message": "A token is needed.", "fix": "Send it: Authorization: Bearer TOKEN"}
        return _Answer(401, json.dumps({"error": error}), content_type="application/json")
    if request.method not in ("GET", "HEAD") and not is_wrong:
        return _Answer(401, "A token is needed.")
    message = "This is not the token. " if is_wrong else ""
    message += "Enter the token that was given to <code>eyetune serve</code>."
    page = _LOGIN_PAGE.format(message=message)
    return _Answer(401, page, content_type="text/html; charset=utf-8")


async def _answer(send: Send, answer: _Answer) -> None:
    body = answer.text.encode()
    headers = {
        **_HEADERS,
        "content-type": answer.content_type,
        "content-length": str(len(body)),
        "cache-control": "no-store",
        **(answer.headers or {}),
    }
    start = {
        "type": "http.response.start",
        "status": answer.status,
        "headers": _raw(headers.items()),
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})


def _raw(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _with_headers(send: Send, request: _Request) -> Send:
    """Return a function that sends responses with the headers of this module."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = dict(_HEADERS)
            if request.path.endswith("/report.html"):
                headers["content-security-policy"] = _REPORT_POLICY
            own = {name.encode() for name in headers}
            others = [(name, value) for name, value in message["headers"] if name not in own]
            message = {**message, "headers": [*others, *_raw(headers.items())]}
            if request.wants_json:
                message["headers"].append((b"cache-control", b"no-store"))
        await send(message)

    return send_with_headers


def _limited(receive: Receive) -> Receive:
    """Return a function that receives a request, cut off where it becomes too large.

    Requests may come in chunks without a stated length.
    """
    received = 0

    async def receive_limited() -> Message:
        nonlocal received
        message = await receive()
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                return {"type": "http.disconnect"}
        return message

    return receive_limited


async def _body(receive: Receive, limit_bytes: int = 10_000) -> bytes:
    """Return the body of a small request."""
    body = b""
    while len(body) < limit_bytes:
        message: Any = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body"):
            break
    return body
