"""The ledger's last days, all domains together, a day without a request included. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from entity_pipeline.core.gemini.usage import SpendDay

HISTORY_DAYS = 30


@dataclass(frozen=True, slots=True)
class QuotaDay:
    """One Pacific day of all pipelines; `cost_usd` in USD."""

    day: date
    requests: int
    grounded_requests: int
    search_queries: int
    cost_usd: Decimal

    def units(self, unit: str) -> int:
        """What the day counted against the cap; `unit` is that of the pool, ``prompt`` or ``query``."""
        return self.search_queries if unit == "query" else self.grounded_requests


def first_of_history(today: date) -> date:
    """The oldest day of `last_days`."""
    return today - timedelta(days=HISTORY_DAYS - 1)


def last_days(rows: Sequence[SpendDay], today: date) -> list[QuotaDay]:
    """The last `HISTORY_DAYS` days, oldest first, `today` last."""
    found = []
    for day in (first_of_history(today) + timedelta(days=nth) for nth in range(HISTORY_DAYS)):
        its = [row for row in rows if row.quota_day == day]
        found.append(
            QuotaDay(
                day=day,
                requests=sum(row.requests for row in its),
                grounded_requests=sum(row.grounded_requests for row in its),
                search_queries=sum(row.search_queries for row in its),
                cost_usd=sum((row.cost_usd for row in its), Decimal(0)),
            )
        )
    return found
