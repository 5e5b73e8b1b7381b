"""What the tests of the ledger start from: one model, one account, wide limits, and rows of other pipelines."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from entity_pipeline.core.gemini.call import Call, CallKind, Claim, EventId, Step
from entity_pipeline.core.gemini.ledger import Refused
from entity_pipeline.core.gemini.models import MODELS, GeminiModel
from entity_pipeline.core.gemini.outcomes import Unanswered
from entity_pipeline.core.gemini.quota import QuotaStatus
from entity_pipeline.core.gemini.request import Generation, Request, Text, Tool
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.gemini.usage import ReplyFigures, TokenUsage
from entity_pipeline.core.ports import Database
from entity_pipeline.resources.gemini.ledger import Ledger, Reserved

Connection = psycopg.Connection[Any]

FLASH = MODELS["gemini-2.5-flash"]
MONTHLY = MODELS["gemini-3.8-flash"]
LIMITS = GeminiSettings(daily_grounding_cap=1_000, requests_per_minute=10_000, daily_spend_usd=100.0)
CENT = Decimal("0.01")
PACIFIC_TODAY = "(now() at time zone 'America/Los_Angeles')::date"
STEP = Step("entities", "entity_enrichment", "instagram_account_review")
SENT: Mapping[str, Any] = {"model": FLASH.name}
BODY: Mapping[str, Any] = {"candidates": [{"finishReason": "STOP"}], "modelVersion": FLASH.name}


class Kind(CallKind):
    """The kind of these tests' calls."""

    REVIEW = "review"
    REPAIR = "repair"


# Its tokens cost at most a cent.
REVIEW = Call(
    claim=Claim(STEP, Kind.REVIEW, "brand.kr"),
    request=Request(
        model=FLASH.name,
        system="",
        parts=(Text(""),),
        tools=(Tool.GOOGLE_SEARCH,),
        generation=Generation(max_output_tokens=4_000),
    ),
    input_hash="input-1",
    config_hash="config-1",
)


def capped(cap: int) -> GeminiSettings:
    return LIMITS.model_copy(update={"daily_grounding_cap": cap})


def limited(**changes: Any) -> GeminiSettings:
    return GeminiSettings.model_validate(LIMITS.model_dump() | changes)


def limit(database: Database, settings: GeminiSettings = LIMITS, *, is_enabled: bool | None = True) -> None:
    """Write the row `gemini`."""
    with database.connection() as connection:
        connection.execute(
            "insert into pipeline_settings (platform, is_enabled, settings) values ('gemini', %s, %s) "
            "on conflict (platform) do update set is_enabled = excluded.is_enabled, settings = excluded.settings",
            [is_enabled, Jsonb(settings.model_dump(mode="json"))],
        )


def varied(call: Call, **changes: Any) -> Call:
    """The call with some of its parts changed, by names of the ledger's columns."""
    claim, request = call.claim, call.request
    step = replace(
        claim.step,
        pipeline=changes.pop("pipeline", claim.step.pipeline),
        name=changes.pop("step", claim.step.name),
        domain=changes.pop("domain", claim.step.domain),
    )
    claim = Claim(step, changes.pop("kind", claim.kind), changes.pop("subject", claim.subject))
    grounded = changes.pop("grounded", request.grounded)
    request = replace(
        request,
        model=changes.pop("model", request.model),
        tools=(Tool.GOOGLE_SEARCH,) if grounded else (),
    )
    return replace(call, claim=claim, request=request, **changes)


def about(subject: str, **changes: Any) -> Call:
    return varied(REVIEW, subject=subject, **changes)


def ask(
    ledger: Ledger, call: Call = REVIEW, limits: GeminiSettings | None = LIMITS, model: GeminiModel = FLASH
) -> Any:
    """Ask for a place, under these limits or, with None, under those that are stored."""
    if limits is not None:
        limit(ledger._database, limits)
    return ledger.reserve(call if model is FLASH else varied(call, model=model.name), 1, "run-1")


def reserved(
    ledger: Ledger, call: Call = REVIEW, limits: GeminiSettings | None = LIMITS, model: GeminiModel = FLASH
) -> Reserved:
    place = ask(ledger, call, limits, model)
    assert isinstance(place, Reserved), place
    return place


def refusal(answer: Any) -> tuple[Unanswered, datetime | None]:
    """Why nothing may be sent, and until when."""
    assert isinstance(answer, Refused), answer
    assert str(answer.reason)
    return answer.why, answer.retry_at


def quota_of(
    ledger: Ledger, limits: GeminiSettings | None = LIMITS, model: GeminiModel = FLASH
) -> QuotaStatus:
    if limits is not None:
        limit(ledger._database, limits)
    return ledger.status(model)


def sent(
    ledger: Ledger, call: Call = REVIEW, limits: GeminiSettings | None = LIMITS, model: GeminiModel = FLASH
) -> Reserved:
    place = reserved(ledger, call, limits, model)
    assert ledger.mark_sent(place.event_id, SENT)
    return place


def figures(model: GeminiModel = FLASH, *, grounded: bool = True, **changes: Any) -> ReplyFigures:
    """The figures of an answer with two searches."""
    queries = changes.get("search_queries", 2)
    values: dict[str, Any] = {
        "usage": TokenUsage(prompt=85, cached=5, output=28, thoughts=54, tool=132),
        "search_queries": queries,
        "model_version": FLASH.name,
        "billed_as": None,
        "token_cost_usd": Decimal("0.000230"),
        "units": 0 if not grounded else 1 if model.pool.unit == "prompt" else queries,
        "pool": model.pool,
    }
    return ReplyFigures(**values | changes)


def settle(ledger: Ledger, place: Reserved, model: GeminiModel = FLASH, **changes: Any) -> None:
    body = changes.pop("body", BODY)
    ledger.settle(place, body, figures(model, **changes), changes.pop("latency_ms", 1_234))


def settled(
    ledger: Ledger, call: Call = REVIEW, limits: GeminiSettings | None = LIMITS, model: GeminiModel = FLASH
) -> Reserved:
    place = sent(ledger, call, limits, model)
    settle(ledger, place, model, grounded=call.request.grounded)
    return place


def row_of(database: Database, event_id: EventId) -> dict[str, Any]:
    with database.connection() as connection:
        cursor = connection.cursor(row_factory=dict_row)
        found = cursor.execute("select * from gemini_usage_events where id = %s", [event_id]).fetchone()
    assert found is not None
    return dict(found)


def states(database: Database) -> list[str]:
    """The state of every row, oldest first."""
    with database.connection() as connection:
        rows = connection.execute("select state from gemini_usage_events order by created_at, id").fetchall()
    return [row[0] for row in rows]


def grow_old(database: Database, seconds: float = 91) -> None:
    """Age the open rows, as if their process had died that long ago."""
    with database.connection() as connection:
        connection.execute(
            "update gemini_usage_events set state_changed_at = state_changed_at - %s * interval '1 second' "
            "where state in ('reserved', 'sent')",
            [seconds],
        )


def add_event(connection: Connection, **columns: Any) -> None:
    """A row as another pipeline writes it; values are SQL expressions when they are wrapped in a tuple."""
    values: dict[str, Any] = {"pipeline": "captions", "step": "draft", "model": FLASH.name, "grounded": True}
    values |= columns
    marks = ", ".join(value[0] if isinstance(value, tuple) else "%s" for value in values.values())
    plain = [value for value in values.values() if not isinstance(value, tuple)]
    connection.execute(f"insert into gemini_usage_events ({', '.join(values)}) values ({marks})", plain)
