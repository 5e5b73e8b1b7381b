from datetime import date
from decimal import Decimal

from entity_pipeline.core.gemini.usage import SpendDay
from entity_pipeline.shared.gemini_spend.by_domain import DomainSpend, spend_by_domain

TODAY = date(2026, 11, 20)
DOMAINS = {"river_rows": "rivers", "lakes": "lakes"}


def spent(pipeline: str, day: date, usd: str, requests: int = 1, step: str = "s") -> SpendDay:
    return SpendDay(day, pipeline, step, "m", requests, requests, 0, Decimal(usd))


def test_each_domain_has_its_day_its_month_and_its_share() -> None:
    rows = [
        spent("river_rows", TODAY, "0.5", 2),
        spent("river_rows", TODAY, "0.25", step="another"),
        spent("river_rows", date(2026, 11, 1), "4"),
        spent("river_rows", date(2026, 10, 31), "100"),
        spent("zoo", TODAY, "1"),
        spent("", TODAY, "2"),
    ]
    assert spend_by_domain(rows, TODAY, DOMAINS, {"rivers": 0.1, "zoo": 3}) == [
        DomainSpend("rivers", 3, Decimal("0.75"), Decimal("4.75"), Decimal("0.1")),
        DomainSpend("lakes", 0, Decimal(0), Decimal(0), None),
        DomainSpend("", 1, Decimal(2), Decimal(2), None),
        DomainSpend("zoo", 1, Decimal(1), Decimal(1), Decimal(3)),
    ]


def test_the_sums_are_those_of_the_ledger() -> None:
    rows = [spent(pipeline, TODAY, "0.125") for pipeline in ("river_rows", "lakes", "zoo", "zoo")]
    found = spend_by_domain(rows, TODAY, DOMAINS, {})
    assert sum(spend.today_usd for spend in found) == sum(row.cost_usd for row in rows)
