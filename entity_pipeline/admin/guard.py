"""Rules for every response: the allowed hosts, the size of a request, and the security headers.

The policy allows no inline script and no inline style at all. Google's search suggestions need inline styles, so they
are a separate, sandboxed document in a frame (`SUGGESTIONS_POLICY`).
"""

import json
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY_BYTES = 64_000
# No own origin, no script, nothing loaded; a link opens in a new window that is not sandboxed.
SUGGESTIONS_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
_STATIC = "/admin/static/"


def content_policy(picture_origin: str | None) -> str:
    """The policy of every page."""
    pictures = f"'self' {picture_origin}" if picture_origin else "'self'"
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {pictures}; connect-src 'self'; "
        "font-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


class Guard:
    """ASGI middleware around the whole application.

    `largest_bodies`, in bytes by path, holds instead of `LARGEST_BODY_BYTES` where a route takes more.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: frozenset[str],
        picture_origin: str | None = None,
        largest_bodies: Mapping[str, int] | None = None,
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._largest_bodies = largest_bodies or {}
        self._policy = content_policy(picture_origin)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse requests that should not reach a handler, and add the headers to every response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(scope, message)
            await send(message)

        if _host_name(headers.get("host", "")) not in self._hosts:
            await _refuse(send_guarded, 421, "This name is not served here: add it to ADMIN_HOSTS.")
            return
        most_bytes = self._largest_bodies.get(scope["path"], LARGEST_BODY_BYTES)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:12]) > most_bytes:
            await _refuse(send_guarded, 413, "The request is too large.")
            return
        await self._app(scope, _Bounded(receive, most_bytes), send_guarded)

    def _add_headers(self, scope: Scope, message: Message) -> None:
        headers = MutableHeaders(scope=message)
        headers.setdefault("content-security-policy", self._policy)
        headers["x-content-type-options"] = "nosniff"
        headers["referrer-policy"] = "no-referrer"
        headers["cross-origin-opener-policy"] = "same-origin"
        headers["cross-origin-resource-policy"] = "same-origin"
        headers["permissions-policy"] = "camera=(), geolocation=(), microphone=()"
        if "frame-ancestors 'self'" not in headers["content-security-policy"]:
            headers["x-frame-options"] = "DENY"
        if not scope["path"].startswith(_STATIC):
            headers["cache-control"] = "no-store"
        elif scope["query_string"].startswith(b"v=") and message["status"] == 200:
            headers["cache-control"] = "public, max-age=31536000, immutable"


class _Bounded:
    """Cuts off a body without a declared length where a declared one would have been refused."""

    def __init__(self, receive: Receive, most_bytes: int) -> None:
        self._receive = receive
        self._most_bytes = most_bytes
        self._read = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        return message if self._read <= self._most_bytes else {"type": "http.disconnect"}


def _host_name(host: str) -> str:
    """``"[::1]:8080"`` as ``"::1"``, ``"Example.org:80"`` as ``"example.org"``."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower().rstrip(".")


async def _refuse(send: Send, status: int, sentence: str) -> None:
    problem: dict[str, Any] = {"type": "about:blank", "status": status, "detail": sentence}
    body = json.dumps(problem).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
