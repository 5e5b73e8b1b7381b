"""A connection to a server that can be cut: connections end, new ones are refused, and later it works again.

A cut is placed by counting what the client sends, so that it falls into the middle of the work
and not between two steps that a test happens to know.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Thread, Timer
from urllib.parse import urlsplit

_CHUNK_BYTES = 65_536


class CutProxy:
    """Passes on every connection to `port` on this machine; `messages` counts what clients sent."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._lock = Lock()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._cut_at: int | None = None
        self._on_cut: Callable[[], object] = self.cut
        self._listener = _listening(0)
        self.port: int = self._listener.getsockname()[1]
        self.messages = 0
        self.cuts = 0
        self._accept_in_background()

    def cut(self) -> None:
        """End every connection and refuse new ones."""
        with self._lock:
            self.cuts += 1
            # A closed listener still takes one more connection while a thread waits in accept.
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            for end in pair:
                _close(end)

    def restore(self) -> None:
        """Let connections through again, at the same port."""
        with self._lock:
            self._listener = _listening(self.port)
        self._accept_in_background()

    def cut_at_message(self, number: int, on_cut: Callable[[], object]) -> None:
        """Call `on_cut` once, when the client has sent so many messages; it should cut this proxy and maybe others."""
        self._cut_at, self._on_cut = number, on_cut

    def close(self) -> None:
        """Close the proxy for good."""
        self.cut()

    def _accept_in_background(self) -> None:
        Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                return
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                is_open = listener.fileno() != -1
                if is_open:
                    self._pairs.add((client, server))
            if not is_open:
                _close(client)
                _close(server)
                return
            for source, sink, counts in ((client, server, True), (server, client, False)):
                Thread(target=self._pump, args=(source, sink, counts), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        with suppress(OSError):
            while chunk := source.recv(_CHUNK_BYTES):
                if counts:
                    self._count()
                sink.sendall(chunk)
        _close(source)
        _close(sink)

    def _count(self) -> None:
        with self._lock:
            self.messages += 1
            is_due = self.messages == self._cut_at
        if is_due:
            self._on_cut()


@contextmanager
def cut_proxy(url: str) -> Iterator[tuple[CutProxy, str]]:
    """A proxy before the database of `url`, and the same address by way of it."""
    parts = urlsplit(url)
    assert parts.port is not None
    proxy = CutProxy(parts.port)
    try:
        yield proxy, url.replace(f":{parts.port}/", f":{proxy.port}/")
    finally:
        proxy.close()


def away_for(proxies: list[CutProxy], seconds: float) -> None:
    """Cut these now, and restore them after so many seconds."""
    for proxy in proxies:
        proxy.cut()
    for proxy in proxies:
        timer = Timer(seconds, proxy.restore)
        timer.daemon = True
        timer.start()


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
