"""Traces for an OpenTelemetry collector: off, and nothing of OpenTelemetry imported, until its address is set.

Surprising: what is traced is asked of `active()` and not handed down. The resource of a run switches it on for its
process, which does one run at a time, so that clients need no tracing in their constructors; OpenTelemetry's own
tracer provider is a global for the same reason.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from urllib.parse import urlsplit

import dagster as dg
from pydantic import Field

from entity_pipeline.core.tracing import NOT_TRACED, Span, Tracing, Value

_log = logging.getLogger(__name__)
_lock = threading.Lock()
_running: list[Tracing] = []


def active() -> Tracing:
    """What traces this process now."""
    with suppress(IndexError):
        return _running[-1]
    return NOT_TRACED


@contextmanager
def activated(tracing: Tracing) -> Iterator[None]:
    """Trace this process within the block."""
    with _lock:
        _running.append(tracing)
    try:
        yield
    finally:
        with _lock:
            _running.remove(tracing)


class TracingResource(dg.ConfigurableResource):
    """A `core.tracing.Tracing`. A wrong address or a collector that is away is a line in the log, never a failure."""

    endpoint: str | None = Field(
        default=None, description="Base address of an OTLP/HTTP collector (OTEL_EXPORTER_OTLP_ENDPOINT)."
    )
    headers: str | None = Field(
        default=None,
        repr=False,
        description="Secret. Headers for it, name=value, comma-separated (OTEL_EXPORTER_OTLP_HEADERS).",
    )

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["TracingResource"]:
        """A span for the run, around all that happens in it; sent at its end, within seconds or not at all."""
        if not self.endpoint:
            yield self
            return
        run = context.dagster_run
        with exported(
            self.endpoint, self.headers, run.run_id if run else None, run.job_name if run else None
        ):
            yield self

    def step(self, name: str) -> AbstractContextManager[Span]:
        """See `core.tracing.Tracing.step`."""
        return active().step(name)

    def call(
        self, name: str, values: Mapping[str, Value], *, is_request: bool = True
    ) -> AbstractContextManager[Span]:
        """See `core.tracing.Tracing.call`."""
        return active().call(name, values, is_request=is_request)


@contextmanager
def exported(endpoint: str, headers: str | None, run_id: str | None, job: str | None) -> Iterator[None]:
    """Trace this process within the block to the collector at `endpoint`, or not at all when that can't be."""
    try:
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("it must begin with http:// or https://")
        from entity_pipeline.resources.tracing.export import Exporter

        exporter = Exporter(endpoint, headers, run_id)
    except Exception as error:  # noqa: BLE001  whatever a library thinks of an address, the run goes on
        # Its text may quote the headers.
        _log.warning("No traces: OTEL_EXPORTER_OTLP_ENDPOINT can't be used (%s).", type(error).__name__)
        yield
        return
    try:
        with exporter.run(job), activated(exporter):
            yield
    finally:
        exporter.close()
