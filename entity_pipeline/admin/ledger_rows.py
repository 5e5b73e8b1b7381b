"""The requests to Gemini for one subject of a domain, such as an account, and their cost."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from pydantic import Field

from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.shown import Shown
from entity_pipeline.core.gemini.call import Step
from entity_pipeline.core.ports import Database
from entity_pipeline.resources.gemini.ledger_reading import LedgerEntry, costs_of, entries_of

__all__ = ["LedgerEntry", "SubjectCost", "subject_cost", "subject_costs"]

MOST_ROWS = 100


class SubjectCost(Shown):
    """All requests of a subject, newest first, and their cost in USD."""

    rows: list[LedgerEntry] = Field(description="At most 100.")
    cost_usd: Decimal


def subject_costs(database: Database, step: Step, subjects: Sequence[str]) -> Mapping[str, Decimal]:
    """The cost in USD of all requests for each of these subjects that had any.

    Raises:
        DatabaseUnavailable: the ledger can't be reached.
    """
    return costs_of(database, step, subjects)


def subject_cost(installation: Installation, step: Step, subject: str) -> SubjectCost:
    """The requests for a subject; released ones never left and cost nothing.

    Raises:
        DatabaseUnavailable: the ledger can't be reached.
    """
    entries = entries_of(installation.assets_db, step, subject, MOST_ROWS)
    cost_usd = sum(
        (entry.cost_usd or Decimal(0) for entry in entries if entry.state != "released"), Decimal(0)
    )
    return SubjectCost(rows=entries, cost_usd=cost_usd)
