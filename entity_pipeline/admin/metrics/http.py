"""Requests to the server and their duration by route. Neither a path nor a client is a label."""

import time

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "OPTIONS"})
_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class HttpMetrics:
    """The counters of one server."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "entity_pipeline_http_requests",
            "Requests answered by the administration server.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._durations = Histogram(
            "entity_pipeline_http_request_duration_seconds",
            "How long answering took, to the last byte.",
            ["route"],
            buckets=_BUCKETS_S,
            registry=registry,
        )

    def count(self, method: str, route: str, status: int, took_s: float) -> None:
        """One answered request; `route` is the pattern, not the path."""
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        self._durations.labels(route).observe(took_s)


class Counted:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, *, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the request once its response is sent or has failed."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 500, time.perf_counter()

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        finally:
            took_s = time.perf_counter() - began
            self._metrics.count(scope["method"], route_of(scope), status, took_s)


def route_of(scope: Scope) -> str:
    """The pattern of the route that answered, such as ``/api/v1/accounts/{username}``; else ``unmatched``.

    A route of an included router has only its own end of the path; the router's prefix comes before it.
    """
    route = scope.get("route")
    pattern = getattr(route, "path", None)
    if isinstance(pattern, str) and pattern:
        end = str(getattr(route, "path_format", pattern)).format(**scope.get("path_params", {}))
        path = str(scope["path"])
        return path.removesuffix(end) + pattern if path.endswith(end) else "unmatched"
    return "static" if scope.get("endpoint") is not None else "unmatched"
