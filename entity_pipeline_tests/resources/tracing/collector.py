"""A collector on a real socket: takes OTLP over HTTP, decodes it, and can refuse or fall silent."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Received:
    """One span."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    is_error: bool
    values: dict[str, Any]
    began_ns: int
    ended_ns: int


@dataclass
class Collector:
    """What came, decoded and as bytes."""

    url: str = ""
    status: int = 200
    spans: list[Received] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    let_go: threading.Event = field(default_factory=threading.Event)

    def named(self, name: str) -> list[Received]:
        """Spans of this name."""
        return [span for span in self.spans if span.name == name]

    def only(self, name: str) -> Received:
        """The one span of this name."""
        (span,) = self.named(name)
        return span

    def take(self, body: bytes) -> None:
        """Decode a request of an exporter."""
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            self.services.add(_values(resource.resource.attributes)["service.name"])
            for scope in resource.scope_spans:
                self.spans += [
                    Received(
                        span.name,
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        span.kind,
                        span.status.code == span.status.STATUS_CODE_ERROR,
                        _values(span.attributes),
                        span.start_time_unix_nano,
                        span.end_time_unix_nano,
                    )
                    for span in scope.spans
                ]


def _values(attributes: Any) -> dict[str, Any]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in attributes}


@contextmanager
def collector(*, status: int = 200, is_silent: bool = False) -> Iterator[Collector]:
    """One on a free port of loopback; `is_silent` takes a request and answers nothing until the block ends."""
    taken = Collector(status=status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if is_silent:
                taken.let_go.wait(30)
                return
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            taken.paths.append(self.path)
            taken.headers.append({name.lower(): value for name, value in self.headers.items()})
            taken.bodies.append(body)
            taken.take(body)
            self.send_response(taken.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        taken.url = f"http://127.0.0.1:{server.server_port}"
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        try:
            yield taken
        finally:
            taken.let_go.set()
            server.shutdown()
            serving.join(5)
