"""What all stand-ins do alike: they say that they are up, and what they were asked."""

from abc import ABC, abstractmethod
from typing import Any

from entity_pipeline.sandbox.loopback_http import LoopbackServer, Reply, Request, json_reply
from entity_pipeline.sandbox.request_counts import RequestCounts


class StandinServer(LoopbackServer, ABC):
    """A stand-in that counts its requests. A subclass answers those that a client of the real service makes."""

    def __init__(self, *, port: int = 0) -> None:
        super().__init__(self._respond, port=port)
        self._counts = RequestCounts()

    @property
    def requests(self) -> dict[str, Any]:
        """``{"total", "grounded", "by_subject", "by_status"}`` since the start."""
        return self._counts.snapshot()

    @abstractmethod
    def answer(self, request: Request) -> Reply:
        """What the real service would answer; counts the subject of the request."""

    def _respond(self, request: Request) -> Reply:
        if request.path == "/_standin/health":
            return json_reply({"status": "ok"})
        if request.path == "/_standin/requests":
            return json_reply(self.requests)
        reply = self.answer(request)
        self._counts.answered("dropped" if reply.drop else str(reply.status))
        return reply
