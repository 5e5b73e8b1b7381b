"""The HTTP plumbing of the stand-ins: one thread per connection, keep-alive, on the loopback address only.

A reply is data, `Reply`, so that a stand-in's odd behaviour (a delay, a dropped connection) is a field and
not code. Each reply leaves in one packet: two writes would cost the 40 ms of Nagle's algorithm against
delayed acknowledgement.
"""

import json
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

_LARGEST_BODY_BYTES = 32_000_000  # google-genai uploads 8 MiB at a time and sends pictures inline
_IDLE_CONNECTION_S = 120


@dataclass(frozen=True, slots=True)
class Request:
    """One received request; header names are in lower case, `host` is without a port."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes

    @property
    def host(self) -> str:
        return self.headers.get("host", "").rsplit(":", 1)[0].lower()


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply to send. `after_s` delays it; `drop` closes the connection instead."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json; charset=UTF-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    after_s: float = 0.0
    drop: bool = False


def json_reply(value: Any, status: int = 200) -> Reply:
    """`value` as compact JSON with unescaped letters, as the real services send it."""
    return Reply(status, json.dumps(value, ensure_ascii=False).encode())


def html_reply(text: str, status: int = 200) -> Reply:
    """An HTML page."""
    return Reply(status, text.encode(), "text/html; charset=utf-8")


Respond = Callable[[Request], Reply]


class LoopbackServer:
    """Serves `respond` on 127.0.0.1 between `start` and `close`; also a context manager.

    Args:
        respond: called in the connection's thread, so it must be thread safe.
        port: 0 takes a free one.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, respond: Respond, *, port: int = 0) -> None:
        self._server = _Server(respond, port)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Base URL without a trailing slash."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop listening, cut the open connections and wait for their threads."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.cut_connections()
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 256

    def __init__(self, respond: Respond, port: int) -> None:
        self.respond = respond
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a client that hangs up is normal here."""

    def cut_connections(self) -> None:
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with suppress(OSError):  # the client closed it first
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_CONNECTION_S
    disable_nagle_algorithm = True
    wbufsize = -1  # buffered: headers and body leave together
    server: _Server

    def _answer(self) -> None:
        split = urlsplit(self.path)
        length = min(int(self.headers.get("content-length") or 0), _LARGEST_BODY_BYTES)
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = parse_qs(split.query, keep_blank_values=True)
        reply = self.server.respond(Request(self.command, split.path, query, headers, body))
        if reply.after_s:
            time.sleep(reply.after_s)
        if reply.drop:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _answer  # noqa: N815  the names BaseHTTPRequestHandler looks up

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class names it
        """Print nothing: the stand-in counts the requests."""
