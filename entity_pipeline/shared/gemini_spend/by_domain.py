"""The spend of each domain on Gemini, and its share. Pure; reading the ledger belongs to `resources/gemini`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from entity_pipeline.core.gemini.usage import SpendDay


@dataclass(frozen=True, slots=True)
class DomainSpend:
    """Requests of one domain and their cost in USD, requests under way included.

    `domain` is the key of the domain, or the ledger's name of a pipeline that is not one of them. `share_usd` is
    the limit per Pacific day; None where only the shared limits apply.
    """

    domain: str
    requests_today: int
    today_usd: Decimal
    month_usd: Decimal
    share_usd: Decimal | None


def spend_by_domain(
    rows: Sequence[SpendDay], today: date, domains: Mapping[str, str], shares: Mapping[str, float]
) -> list[DomainSpend]:
    """Every domain in its order, then the other pipelines in the ledger.

    Args:
        rows: days of the month up to `today`; other days don't count.
        today: the Pacific day.
        domains: the key of each domain by its name in the ledger.
        shares: the setting `shares`, by key.
    """
    of_month = [row for row in rows if today.replace(day=1) <= row.quota_day <= today]
    others = {row.pipeline: row.pipeline for row in of_month if row.pipeline not in domains}
    found = []
    for pipeline, key in {**domains, **dict(sorted(others.items()))}.items():
        its = [row for row in of_month if row.pipeline == pipeline]
        share = shares.get(key)
        found.append(
            DomainSpend(
                domain=key,
                requests_today=sum(row.requests for row in its if row.quota_day == today),
                today_usd=sum((row.cost_usd for row in its if row.quota_day == today), Decimal(0)),
                month_usd=sum((row.cost_usd for row in its), Decimal(0)),
                share_usd=None if share is None else Decimal(str(share)),
            )
        )
    return found
