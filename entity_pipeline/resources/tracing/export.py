"""OpenTelemetry's SDK behind our port. Importing this imports the SDK, its exporter and protobuf.

The trace of a run has the run's own id, so that it can be found without a search. Spans that can't be sent are
dropped: at most 2,048 of them wait in memory for a slow collector, and the end of a run waits for it at most
`CLOSE_WITHIN_S`.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.util.re import parse_env_headers

from entity_pipeline.core.tracing import Span, Value

EXPORT_WITHIN_S = 2.0
CLOSE_WITHIN_S = 3.0
_SERVICE = "entity_pipeline"


class Exporter:
    """A `core.tracing.Tracing` to one collector; safe for threads. `run_id` is a UUID, or the trace gets its own id."""

    def __init__(self, endpoint: str, headers: str | None, run_id: str | None) -> None:
        exporter = OTLPSpanExporter(
            endpoint=f"{endpoint.rstrip('/')}/v1/traces",
            headers=parse_env_headers(headers, liberal=True) if headers else {},
            timeout=EXPORT_WITHIN_S,
        )
        ours = Resource({"service.name": _SERVICE, "service.version": version("entity-pipeline")})
        self._provider = TracerProvider(
            resource=ours.merge(OTELResourceDetector().detect()),
            id_generator=_RunIds(run_id),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(_SERVICE)
        self._run_id = run_id
        self._around: list[Context] = []

    @contextmanager
    def run(self, job: str | None, began_ns: int) -> Iterator[Span]:
        """The root span, which began at `began_ns` of the system clock."""
        values = {"dagster.job": job, "dagster.run_id": self._run_id}
        with self._enclosing(f"run {job}" if job else "command", values, began_ns) as span:
            yield span

    @contextmanager
    def step(self, name: str) -> Iterator[Span]:
        """See `core.tracing.Tracing.step`."""
        with self._enclosing(f"step {name}", {"dagster.step": name}) as span:
            yield span

    @contextmanager
    def call(self, name: str, values: Mapping[str, Value], *, is_request: bool = True) -> Iterator[Span]:
        """See `core.tracing.Tracing.call`."""
        inner = trace.get_current_span().is_recording()
        parent = None if inner or not self._around else self._around[-1]
        kind = SpanKind.CLIENT if is_request else SpanKind.INTERNAL
        with self._span(name, parent, kind, values) as (span, _):
            yield span

    def close(self) -> None:
        """Send what is left; give up after `CLOSE_WITHIN_S`."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(CLOSE_WITHIN_S)

    @contextmanager
    def _enclosing(
        self, name: str, values: Mapping[str, Value | None], began_ns: int | None = None
    ) -> Iterator[Span]:
        parent = self._around[-1] if self._around else Context()
        with self._span(name, parent, SpanKind.INTERNAL, {}, is_current=False, began_ns=began_ns) as (
            span,
            context,
        ):
            span.note(values)
            self._around.append(context)
            try:
                yield span
            finally:
                self._around.remove(context)

    @contextmanager
    def _span(
        self,
        name: str,
        parent: Context | None,
        kind: SpanKind,
        values: Mapping[str, Value],
        *,
        is_current: bool = True,
        began_ns: int | None = None,
    ) -> Iterator[tuple[Span, Context]]:
        made = self._tracer.start_span(
            name, parent, kind, values, start_time=began_ns, record_exception=False
        )
        span = _Recorded(made)
        try:
            if is_current:
                with trace.use_span(made, record_exception=False, set_status_on_exception=False):
                    yield span, Context()
            else:
                yield span, trace.set_span_in_context(made, Context())
        except BaseException as error:
            # Its text may hold an address or a person's words.
            span.failed(type(error).__name__)
            raise
        finally:
            made.end()


class _Recorded:
    """An OpenTelemetry span as a `core.tracing.Span`."""

    def __init__(self, span: OtelSpan) -> None:
        self._span = span
        self.is_recorded = span.is_recording()

    def note(self, values: Mapping[str, Value | None]) -> None:
        """See `core.tracing.Span.note`."""
        self._span.set_attributes({name: value for name, value in values.items() if value is not None})

    def failed(self, kind: str) -> None:
        """See `core.tracing.Span.failed`."""
        self._span.set_attribute("error.type", kind)
        self._span.set_status(Status(StatusCode.ERROR))


class _RunIds(RandomIdGenerator):
    """Uses the run's id as the trace's id."""

    def __init__(self, run_id: str | None) -> None:
        try:
            self._trace_id = UUID(run_id).int if run_id else None
        except ValueError:
            self._trace_id = None

    def generate_trace_id(self) -> int:
        """128 bits."""
        return self._trace_id or super().generate_trace_id()
