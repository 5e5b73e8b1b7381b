"""One HTTP attempt at Gemini as a span, in the names of OpenTelemetry's conventions for generative AI.

Neither prompt nor reply is in it, nor whose account it is about: the ledger's row, which the span names, has these.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from entity_pipeline.core.gemini.ledger import CallIntent
from entity_pipeline.core.gemini.models import GeminiModel
from entity_pipeline.core.gemini.usage import count_search_queries, read_usage, token_cost_usd
from entity_pipeline.core.tracing import Span, Value
from entity_pipeline.resources.gemini.client import Exchange, Lost, Unsent
from entity_pipeline.resources.gemini.errors import GeminiError
from entity_pipeline.resources.gemini.ledger import Reserved
from entity_pipeline.resources.tracing import active

OPERATION = "generate_content"


@contextmanager
def attempt_span(intent: CallIntent, place: Reserved, attempt: int) -> Iterator[Span]:
    """From sending to the last byte; `note_exchange` says what came."""
    values: dict[str, Value] = {
        "gen_ai.operation.name": OPERATION,
        "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.request.model": intent.model,
        "entity_pipeline.step": intent.step,
        "entity_pipeline.kind": intent.kind,
        "entity_pipeline.grounded": intent.grounded,
        "entity_pipeline.attempt": attempt,
        "entity_pipeline.ledger_id": str(place.event_id),
    }
    with active().call(f"{OPERATION} {intent.model}", values) as span:
        yield span


def note_exchange(span: Span, exchange: Exchange, model: GeminiModel, place: Reserved) -> None:
    """What came of it. The cost is that of the tokens; searches beyond the free ones are in the ledger."""
    if not span.is_recorded:
        return
    if isinstance(exchange, Unsent | Lost):
        outcome = "unsent" if isinstance(exchange, Unsent) else "lost"
        span.note({"entity_pipeline.outcome": outcome})
        span.failed(outcome)
    elif isinstance(exchange, GeminiError):
        kind = exchange.kind.value
        span.note({"entity_pipeline.outcome": kind, "http.response.status_code": exchange.code})
        span.failed(kind)
    else:
        usage = read_usage(exchange.body)
        version = str(exchange.body.get("modelVersion") or "")[:200]
        span.note(
            {
                "entity_pipeline.outcome": "answered",
                "http.response.status_code": 200,
                "gen_ai.response.model": "".join(filter(str.isprintable, version)) or None,
                "gen_ai.usage.input_tokens": usage.prompt,
                "gen_ai.usage.output_tokens": usage.output + usage.thoughts,
                "gen_ai.usage.cache_read.input_tokens": usage.cached,
                "gen_ai.usage.reasoning.output_tokens": usage.thoughts,
                "entity_pipeline.search_queries": count_search_queries(exchange.body),
                "entity_pipeline.token_cost_usd": float(token_cost_usd(model, usage, place.quota_day)),
            }
        )
