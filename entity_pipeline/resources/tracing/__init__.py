"""Traces for an OpenTelemetry collector: off, and nothing of OpenTelemetry imported, until its address is set.

Clients call `active()` instead of taking a tracer in their constructors, because the resource of a run switches
tracing on for its process, which executes one run at a time. OpenTelemetry's own tracer provider is global for the
same reason.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress

import dagster as dg
from pydantic import Field

from entity_pipeline.core.text.web_address import web_address
from entity_pipeline.core.tracing import NOT_TRACED, Span, Tracing, Value

_log = logging.getLogger(__name__)
_lock = threading.Lock()
_running: list[Tracing] = []


def active() -> Tracing:
    """The current tracer of this process."""
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
    """A `core.tracing.Tracing`. A wrong address or an unreachable collector is logged and never fails a run."""

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
    """Export the traces of this process to `endpoint` within the block, or nothing if that is impossible."""
    if web_address(endpoint) is None:
        _not_used("it does not begin with http:// or https://")
        yield
        return
    tracing = _AtFirstUse(endpoint, headers, run_id, job)
    try:
        with activated(tracing):
            yield
    finally:
        tracing.close()


class _AtFirstUse:
    """The exporter, created with the first span: a command that sends no request neither loads it nor waits for it."""

    def __init__(self, endpoint: str, headers: str | None, run_id: str | None, job: str | None) -> None:
        self._address = (endpoint, headers, run_id)
        self._job = job
        self._began_ns = time.time_ns()
        self._lock = threading.Lock()
        self._made: Tracing | None = None
        self._open = ExitStack()

    def step(self, name: str) -> AbstractContextManager[Span]:
        """See `core.tracing.Tracing.step`."""
        return self._tracing().step(name)

    def call(
        self, name: str, values: Mapping[str, Value], *, is_request: bool = True
    ) -> AbstractContextManager[Span]:
        """See `core.tracing.Tracing.call`."""
        return self._tracing().call(name, values, is_request=is_request)

    def close(self) -> None:
        """Export the remaining spans."""
        self._open.close()

    def _tracing(self) -> Tracing:
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def _make(self) -> Tracing:
        try:
            from entity_pipeline.resources.tracing.export import Exporter

            exporter = Exporter(*self._address)
            self._open.callback(exporter.close)
            self._open.enter_context(exporter.run(self._job, self._began_ns))
        except Exception as error:  # noqa: BLE001  the run continues even if a library refuses the address
            # Its text may quote the headers.
            _not_used(type(error).__name__)
            return NOT_TRACED
        return exporter


def _not_used(why: str) -> None:
    _log.warning("No traces: OTEL_EXPORTER_OTLP_ENDPOINT can't be used (%s).", why)
