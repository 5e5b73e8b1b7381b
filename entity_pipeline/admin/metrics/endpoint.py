"""`GET /metrics`: the figures for Prometheus, with the bearer token of the API.

It uses a registry of its own instead of the library's global one, so that two servers in a process do not mix, and
only described metrics are counted. An unreachable database is a figure (`entity_pipeline_up`), never a failure.
"""

from collections.abc import Iterator, Sequence
from importlib.metadata import version

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, Info, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from entity_pipeline.admin.access import with_bearer
from entity_pipeline.admin.metrics.families import families
from entity_pipeline.admin.metrics.gates import gates_part
from entity_pipeline.admin.metrics.gemini import gemini_part
from entity_pipeline.admin.metrics.http import Counted, HttpMetrics
from entity_pipeline.admin.metrics.instagram import instagram_part
from entity_pipeline.admin.metrics.part import PREFIX, MetricsPart
from entity_pipeline.admin.metrics.reading import MetricsReader
from entity_pipeline.admin.metrics.runs import runs_part
from entity_pipeline.admin.shell import Shell

METRICS_PATH = "/metrics"

router = APIRouter()


def every_metrics_part(shell: Shell) -> Sequence[MetricsPart]:
    """The shared parts, and those of each domain."""
    at = shell.installation
    shared = [
        gates_part(at, shell.domains),
        gemini_part(at),
        instagram_part(at),
        runs_part(at),
    ]
    return [*shared, *(part for mounted in shell.pages for part in mounted.page.metrics())]


class PipelineCollector(Collector):
    """The figures of the parts, read when they are requested."""

    def __init__(self, parts: Sequence[MetricsPart]) -> None:
        self._parts = parts
        self._reader = MetricsReader(parts)

    def describe(self) -> list[Metric]:
        """Describe no metric, so that registering the collector reads nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read all parts once."""
        return families(self._parts, self._reader.read())


def add_metrics(app: FastAPI, shell: Shell) -> None:
    """Count the application's requests and serve the metrics; `app.state.metrics` holds the registry."""
    registry = CollectorRegistry()
    Info(f"{PREFIX}build", "The version that is running.", registry=registry).info(
        {"version": version("entity-pipeline")}
    )
    ProcessCollector(registry=registry)
    registry.register(PipelineCollector(every_metrics_part(shell)))
    app.state.metrics = registry
    app.include_router(router, include_in_schema=False)
    app.add_middleware(Counted, metrics=HttpMetrics(registry))


@router.get(METRICS_PATH, dependencies=[Depends(with_bearer)])
def metrics(request: Request) -> Response:
    """Prometheus' text, or OpenMetrics for a client that accepts it."""
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(request.app.state.metrics), media_type=content_type)
