"""One HTTP attempt at Gemini as a span, in the names of OpenTelemetry's conventions for generative AI.

It holds neither the prompt nor the reply, nor the account they are about: those are in the ledger's row, which it
names.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from entity_pipeline.core.gemini.call import Call
from entity_pipeline.core.gemini.usage import ReplyFigures
from entity_pipeline.core.tracing import Span, Value
from entity_pipeline.resources.gemini.client import Lost, Unsent
from entity_pipeline.resources.gemini.errors import GeminiError
from entity_pipeline.resources.gemini.ledger import Reserved
from entity_pipeline.resources.tracing import active

OPERATION = "generate_content"


@contextmanager
def attempt_span(call: Call, place: Reserved, attempt: int) -> Iterator[Span]:
    """From sending to the last byte; `note_answer` or `note_failure` says how it ended."""
    values: dict[str, Value] = {
        "gen_ai.operation.name": OPERATION,
        "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.request.model": call.request.model,
        "entity_pipeline.step": call.claim.step.name,
        "entity_pipeline.kind": str(call.claim.kind),
        "entity_pipeline.grounded": call.request.grounded,
        "entity_pipeline.attempt": attempt,
        "entity_pipeline.ledger_id": str(place.event_id),
    }
    with active().call(f"{OPERATION} {call.request.model}", values) as span:
        yield span


def note_failure(span: Span, exchange: Unsent | Lost | GeminiError) -> None:
    """Note that no reply came, and why."""
    if isinstance(exchange, GeminiError):
        kind = exchange.kind.value
        span.note({"entity_pipeline.outcome": kind, "http.response.status_code": exchange.code})
        span.failed(kind)
        return
    outcome = "unsent" if isinstance(exchange, Unsent) else "lost"
    span.note({"entity_pipeline.outcome": outcome})
    span.failed(outcome)


def note_answer(span: Span, figures: ReplyFigures) -> None:
    """Note a reply's figures. The cost is that of the tokens; searches beyond the free ones are in the ledger."""
    usage = figures.usage
    span.note(
        {
            "entity_pipeline.outcome": "answered",
            "http.response.status_code": 200,
            "gen_ai.response.model": figures.model_version,
            "gen_ai.usage.input_tokens": usage.prompt,
            "gen_ai.usage.output_tokens": usage.output + usage.thoughts,
            "gen_ai.usage.cache_read.input_tokens": usage.cached,
            "gen_ai.usage.reasoning.output_tokens": usage.thoughts,
            "entity_pipeline.search_queries": figures.search_queries,
            "entity_pipeline.token_cost_usd": float(figures.token_cost_usd),
        }
    )
