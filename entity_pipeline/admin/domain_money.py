"""What one domain spends on Gemini, and its batches: for the parts of a domain's page that show money."""

from datetime import UTC, datetime
from decimal import Decimal

from pydantic import Field

from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.shown import Shown
from entity_pipeline.core.gemini.batch import OVERDUE, BatchState
from entity_pipeline.core.gemini.quota_day import quota_day
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.resources.gemini.ledger_reading import batches_of, spend_since
from entity_pipeline.shared.gemini_spend.by_domain import spend_by_domain

MOST_BATCHES = 20


class BatchRow(Shown):
    """A batch of requests to Gemini."""

    name: str
    model: str
    state: str = Field(description="`BatchState`: reserved, creating, submitted, ended.")
    requests: int
    settled: int = Field(description="Requests that were answered.")
    cost_usd: Decimal = Field(description="In USD; open requests count at their highest cost.")
    created_at: datetime
    submitted_at: datetime | None
    ended_at: datetime | None
    outcome: str | None = Field(description="`BatchOutcome` of one that ended.")
    error: str | None
    is_overdue: bool = Field(description="Whether it has been open for more than 26 hours.")


class MoneyFigures(Shown):
    """The cost of a domain per Pacific day and month, and its newest batches."""

    today_usd: Decimal
    month_usd: Decimal
    share_usd: Decimal | None = Field(
        description="Its limit per day; null where only the shared limits apply."
    )
    requests_today: int
    batches: list[BatchRow]
    as_of: datetime


def money_figures(at: Installation, row: str, key: str) -> MoneyFigures:
    """The figures of the domain with this row and key.

    Raises:
        DatabaseUnavailable: the ledger can't be read.
    """
    now = datetime.now(UTC)
    today = quota_day(now)
    shares = at.settings.readable(GeminiSettings).shares
    rows = spend_since(at.assets_db, today.replace(day=1))
    spent = spend_by_domain(rows, today, {row: key}, shares)[0]
    return MoneyFigures(
        today_usd=spent.today_usd,
        month_usd=spent.month_usd,
        share_usd=spent.share_usd,
        requests_today=spent.requests_today,
        batches=[
            BatchRow(
                name=batch.name,
                model=batch.model,
                state=batch.state,
                requests=batch.requests,
                settled=batch.settled,
                cost_usd=batch.cost_usd,
                created_at=batch.created_at,
                submitted_at=batch.submitted_at,
                ended_at=batch.ended_at,
                outcome=batch.outcome,
                error=batch.error,
                is_overdue=batch.state != BatchState.ENDED and now - batch.created_at > OVERDUE,
            )
            for batch in batches_of(at.assets_db, row, MOST_BATCHES)
        ],
        as_of=now,
    )
