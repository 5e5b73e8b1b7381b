"""What the tests of the ledger start from: one model, one account, wide limits, and rows of other pipelines."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import dict_row

from entity_pipeline.core.gemini.ledger import CallIntent, EventId, Limits
from entity_pipeline.core.gemini.models import MODELS, GeminiModel
from entity_pipeline.core.gemini.usage import TokenUsage
from entity_pipeline.core.ports import Database
from entity_pipeline.resources.gemini.ledger import Ledger, Reserved

Connection = psycopg.Connection[Any]

FLASH = MODELS["gemini-2.5-flash"]
MONTHLY = MODELS["gemini-3.8-flash"]
LIMITS = Limits(daily_grounding_cap=1_000, requests_per_minute=10_000, daily_spend_usd=Decimal(100))
CENT = Decimal("0.01")
PACIFIC_TODAY = "(now() at time zone 'America/Los_Angeles')::date"
REVIEW = CallIntent(
    pipeline="entity_enrichment",
    step="instagram_account_review",
    kind="review",
    subject="brand.kr",
    model=FLASH.name,
    grounded=True,
    input_hash="input-1",
    config_hash="config-1",
    max_cost_usd=CENT,
)
BODY: Mapping[str, Any] = {"candidates": [{"finishReason": "STOP"}], "modelVersion": FLASH.name}


def capped(cap: int) -> Limits:
    return replace(LIMITS, daily_grounding_cap=cap)


def about(subject: str, **changes: Any) -> CallIntent:
    return replace(REVIEW, subject=subject, **changes)


def ask(
    ledger: Ledger, intent: CallIntent = REVIEW, limits: Limits = LIMITS, model: GeminiModel = FLASH
) -> Any:
    return ledger.reserve(intent, limits, model, 1, "run-1")


def reserved(
    ledger: Ledger, intent: CallIntent = REVIEW, limits: Limits = LIMITS, model: GeminiModel = FLASH
) -> Reserved:
    place = ask(ledger, intent, limits, model)
    assert isinstance(place, Reserved), place
    return place


def sent(ledger: Ledger, intent: CallIntent = REVIEW, model: GeminiModel = FLASH) -> Reserved:
    place = reserved(ledger, intent, model=model)
    assert ledger.mark_sent(place.event_id)
    return place


def settle(ledger: Ledger, place: Reserved, model: GeminiModel = FLASH, **changes: Any) -> None:
    answer: dict[str, Any] = {
        "body": BODY,
        "model_version": FLASH.name,
        "usage": TokenUsage(prompt=85, cached=5, output=28, thoughts=54, tool=132),
        "search_queries": 2,
        "token_cost_usd": Decimal("0.000230"),
        "grounded": True,
        "latency_ms": 1_234,
    }
    ledger.settle(place, model, **answer | changes)


def settled(ledger: Ledger, intent: CallIntent = REVIEW, model: GeminiModel = FLASH) -> Reserved:
    place = sent(ledger, intent, model)
    settle(ledger, place, model, grounded=intent.grounded)
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
    """As if the process that holds the open rows had died that long ago."""
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
