"""The requests to Gemini that one subject of a domain cost, such as an account; the subject is the ledger's word."""

from datetime import datetime
from decimal import Decimal

from pydantic import Field

from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.shown import Shown
from entity_pipeline.core.gemini.call import Step
from entity_pipeline.resources.gemini.ledger_reading import LedgerEntry, entries_of

MOST_ROWS = 100


class LedgerRow(Shown):
    """One request."""

    id: str
    at: datetime
    kind: str | None
    model: str | None
    state: str
    grounded: bool
    search_queries: int | None
    tokens: int
    cost_usd: Decimal | None
    latency_ms: int | None
    error: str | None


class SubjectCost(Shown):
    """All requests of a subject, newest first, and their cost in USD."""

    rows: list[LedgerRow] = Field(description="At most 100.")
    cost_usd: Decimal


def subject_cost(installation: Installation, step: Step, subject: str) -> SubjectCost:
    """What the ledger has for a subject; released requests never left and cost nothing.

    Raises:
        DatabaseUnavailable: the ledger can't be reached.
    """
    entries = entries_of(installation.assets_db, step, subject, MOST_ROWS)
    cost_usd = sum(
        (entry.cost_usd or Decimal(0) for entry in entries if entry.state != "released"), Decimal(0)
    )
    return SubjectCost(rows=[_row(entry) for entry in entries], cost_usd=cost_usd)


def _row(entry: LedgerEntry) -> LedgerRow:
    return LedgerRow(
        id=entry.id,
        at=entry.created_at,
        kind=entry.kind,
        model=entry.model,
        state=entry.state,
        grounded=entry.grounded,
        search_queries=entry.search_queries,
        tokens=entry.tokens,
        cost_usd=entry.cost_usd,
        latency_ms=entry.latency_ms,
        error=entry.error,
    )
