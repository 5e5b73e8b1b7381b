"""The wire between the pipeline and everything outside it, which can end the pipeline's process at any point.

A point is one round trip: a statement to PostgreSQL or one HTTP request. Production code knows nothing of it:
it is given the wire's addresses. An answer that was held back at the kill was given by the other side all the same,
which is what makes "paid for and not received" possible.
"""

import os
import signal
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import BinaryIO, Literal, Self
from urllib.parse import urlencode, urlsplit

import urllib3

from entity_pipeline.sandbox.loopback_http import LoopbackServer, Reply, Request, Respond

Phase = Literal["before", "after"]
PHASES: tuple[Phase, ...] = ("before", "after")

_SSL_REQUEST, _GSS_REQUEST, _CANCEL_REQUEST = 80877103, 80877104, 80877102
_HOP_HEADERS = frozenset(
    {"connection", "content-length", "transfer-encoding", "server", "date", "content-type"}
)


class ProcessEnded(Exception):
    """The process on the near side is dead: nothing more may pass."""


@dataclass
class Watch:
    """Numbers the points of one process from 0, and kills it before or after one of them.

    `delay_s` passes between the point and the kill, during which other threads of the process may go on.
    """

    at: int | None = None
    phase: Phase = "before"
    delay_s: float = 0.0
    points: list[str] = field(default_factory=list)
    killed: bool = False
    _pid: int = 0
    _started: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)

    def watch(self, pid: int) -> None:
        """Name the process; its first point waits for that."""
        self._pid = pid
        self._started.set()

    def before(self, what: str) -> int:
        """Called when a request is about to be passed on; returns its number."""
        with self._lock:
            self._refuse_the_dead()
            number = len(self.points)
            self.points.append(what)
        self._meet(number, "before")
        return number

    def after(self, number: int) -> None:
        """Called when the answer is about to be passed on."""
        self._meet(number, "after")

    def _meet(self, number: int, phase: Phase) -> None:
        if (number, phase) == (self.at, self.phase):
            time.sleep(self.delay_s)
            self._started.wait()
            with self._lock:
                self.killed = True
                os.kill(self._pid, signal.SIGKILL)
        with self._lock:
            self._refuse_the_dead()

    def _refuse_the_dead(self) -> None:
        if self.killed:
            raise ProcessEnded


class HttpWire(LoopbackServer):
    """Passes HTTP requests to `answer`; `watch` gives the watch of the process that runs now."""

    def __init__(self, name: str, answer: Respond, watch: Callable[[], Watch]) -> None:
        super().__init__(self._pass)
        self._name = name
        self._answer = answer
        self._watch = watch

    def _pass(self, request: Request) -> Reply:
        watch = self._watch()
        try:
            number = watch.before(f"{self._name} {request.method} {request.path}")
            reply = self._answer(request)
            watch.after(number)
        except ProcessEnded:
            return Reply(drop=True)
        return reply


def forwarded(request: Request, url: str) -> Reply:
    """The answer of another server to the same request; a connection that it drops is dropped here too."""
    query = f"?{urlencode(request.query, doseq=True)}" if request.query else ""
    with urllib3.PoolManager(retries=False) as pool:
        try:
            answer = pool.request(
                request.method,
                f"{url}{request.path}{query}",
                body=request.body,
                headers=request.headers,
                redirect=False,
                timeout=20,
            )
        except urllib3.exceptions.HTTPError:
            return Reply(drop=True)
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_HEADERS}
        return Reply(answer.status, answer.data, answer.headers.get("content-type", ""), headers)


class PostgresWire:
    """A port on the loopback address that leads to the PostgreSQL server of `url`.

    A point is one simple query, or everything up to a Sync. It is held back until it is whole, so that nothing
    of it has reached the server when the process dies before it. The empty query by which the pool tries a
    connection is not a statement, and so not a point.
    """

    def __init__(self, name: str, url: str, watch: Callable[[], Watch]) -> None:
        self._name = name
        self._url = urlsplit(url)
        self._watch = watch
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        """`url` by way of the wire."""
        port = self._listener.getsockname()[1]
        credentials = self._url.netloc.rpartition("@")[0]
        return self._url._replace(netloc=f"{credentials}@127.0.0.1:{port}").geturl()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection((self._url.hostname, self._url.port or 5432))
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        conversation = _Conversation(self._name, self._watch(), client, server)
        answers = Thread(target=conversation.pass_answers, daemon=True)
        answers.start()
        conversation.pass_questions()
        answers.join()
        client.close()
        server.close()


class _Conversation:
    """One connection of PostgreSQL's protocol, version 3."""

    def __init__(self, name: str, watch: Watch, client: socket.socket, server: socket.socket) -> None:
        self._name = name
        self._watch = watch
        self._client = client
        self._server = server
        self._open: deque[int | None] = deque()  # what waits for its ReadyForQuery

    def pass_questions(self) -> None:
        with self._until_the_end(), self._client.makefile("rb") as stream:
            self._start(stream)
            held = b""
            what = ""
            is_simple = False  # a COPY that began with a simple query ends without a Sync
            while True:
                kind, message = _message(stream)
                held += message
                if kind in (b"Q", b"P"):
                    text = message[5:] if kind == b"Q" else message[5:].partition(b"\0")[2]
                    what = " ".join(text.partition(b"\0")[0].decode("utf-8", "replace").split())
                    is_simple = kind == b"Q"
                elif kind in (b"c", b"f"):
                    what = "copy ends"
                is_whole = kind in (b"Q", b"S") or (is_simple and kind in (b"c", b"f"))
                if is_whole:
                    self._open.append(self._watch.before(f"{self._name}: {what}") if what else None)
                if is_whole or kind in (b"H", b"p", b"X"):
                    self._server.sendall(held)
                    held = b""

    def pass_answers(self) -> None:
        with self._until_the_end(), self._server.makefile("rb") as stream:
            while True:
                kind, message = _message(stream)
                # The server is ready for a query, or for the data of the COPY that it was asked for.
                if kind in (b"Z", b"G") and self._open and (point := self._open.popleft()) is not None:
                    self._watch.after(point)
                self._client.sendall(message)

    def _start(self, stream: BinaryIO) -> None:
        while True:
            head = _exactly(stream, 8)
            length, code = struct.unpack("!II", head)
            rest = _exactly(stream, length - 8)
            if code not in (_SSL_REQUEST, _GSS_REQUEST):
                self._server.sendall(head + rest)
                return
            self._client.sendall(b"N")

    def _until_the_end(self) -> "_UntilTheEnd":
        return _UntilTheEnd(self._client, self._server)


class _UntilTheEnd:
    """Either side that hangs up, or dies, ends the connection for both."""

    def __init__(self, *ends: socket.socket) -> None:
        self._ends = ends

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        return isinstance(error, OSError | EOFError | ProcessEnded)


def _message(stream: BinaryIO) -> tuple[bytes, bytes]:
    head = _exactly(stream, 5)
    return head[:1], head + _exactly(stream, struct.unpack("!I", head[1:])[0] - 4)


def _exactly(stream: BinaryIO, length: int) -> bytes:
    read = stream.read(length)
    if len(read) < length:
        raise EOFError
    return read
