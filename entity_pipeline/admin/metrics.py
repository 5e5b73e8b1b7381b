"""`GET /metrics`: the pipeline's figures for Prometheus, with the bearer token of the API.

A registry of its own, not the library's global one: two servers in a process do not mix, and nothing is counted
that nobody described. Surprising: a database that is away is a figure (`entity_pipeline_up`), never a failure.
"""

from collections.abc import Iterator
from importlib.metadata import version

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, Info, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from entity_pipeline.admin.access import with_bearer
from entity_pipeline.admin.desk import Desk
from entity_pipeline.admin.metrics_families import PREFIX, families
from entity_pipeline.admin.metrics_http import Counted, HttpMetrics

METRICS_PATH = "/metrics"

router = APIRouter()


class PipelineCollector(Collector):
    """The figures of a desk, read when they are asked for."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def describe(self) -> list[Metric]:
        """Nothing is read just because the collector is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """One reading."""
        return families(self._desk.watched())


def add_metrics(app: FastAPI, desk: Desk) -> None:
    """Count the application's requests and serve what is counted; `app.state.metrics` holds the registry."""
    registry = CollectorRegistry()
    Info(f"{PREFIX}build", "The version that is running.", registry=registry).info(
        {"version": version("entity-pipeline")}
    )
    ProcessCollector(registry=registry)
    registry.register(PipelineCollector(desk))
    app.state.metrics = registry
    app.include_router(router, include_in_schema=False)
    app.add_middleware(Counted, metrics=HttpMetrics(registry))


@router.get(METRICS_PATH, dependencies=[Depends(with_bearer)])
def metrics(request: Request) -> Response:
    """Prometheus' text, or OpenMetrics for whoever accepts it."""
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(request.app.state.metrics), media_type=content_type)
