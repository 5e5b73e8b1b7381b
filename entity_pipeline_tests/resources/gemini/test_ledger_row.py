"""What the row `gemini` decides in the ledger's own statements: the month, a domain's share, and the closed gate."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from entity_pipeline.core.gemini.ledger import Refused, Replay
from entity_pipeline.core.gemini.outcomes import Unanswered
from entity_pipeline.core.gemini.quota_day import next_reset
from entity_pipeline.resources.gemini.ledger import Ledger
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.resources.gemini.ledger_cases import (
    FLASH,
    LIMITS,
    PACIFIC_TODAY,
    STEP,
    about,
    add_event,
    ask,
    limit,
    limited,
    quota_of,
    reserved,
    settled,
    states,
)

Connection = psycopg.Connection[Any]
OURS = {"pipeline": STEP.pipeline, "step": STEP.name}
FIRST_OF_MONTH = f"date_trunc('month', {PACIFIC_TODAY})::date"


def refused(ledger: Ledger, **asked: Any) -> Refused:
    answer = ask(ledger, **asked)
    assert isinstance(answer, Refused), answer
    return answer


@pytest.mark.parametrize(
    ("columns", "counts"),
    [
        ({}, True),
        ({"grounded": False}, True),
        ({"model": "gemini-3.8-flash"}, True),
        ({"quota_day": (FIRST_OF_MONTH,)}, True),
        ({"quota_day": (FIRST_OF_MONTH,), "grounded": False}, True),
        ({"quota_day": (f"{FIRST_OF_MONTH} - 1",)}, False),
        ({"quota_day": (f"{FIRST_OF_MONTH} - 1",), "grounded": False}, False),
        ({"state": "released"}, False),
    ],
)
def test_a_month_that_is_spent_ends_with_the_pacific_month(
    ledger: Ledger, assets: Connection, columns: dict[str, Any], counts: bool
) -> None:
    add_event(assets, cost_usd=Decimal(20), **columns)
    # The day's own limit is out of the way.
    limits = limited(monthly_spend_usd=20, daily_spend_usd=1_000)
    (budget,) = quota_of(ledger, limits).budgets
    assert (budget.spent_usd, budget.limit_usd) == (20 if counts else 0, 20)
    if not counts:
        assert reserved(ledger, limits=limits)
        return
    answer = refused(ledger, limits=limits)
    month_ends = next_reset(datetime.now(UTC), "month")
    assert (answer.why, answer.retry_at) == (Unanswered.SPEND_REACHED, month_ends)
    assert answer.reason.key == "month_is_spent"
    assert reserved(ledger, limits=limited(daily_spend_usd=1_000)), "no limit of the month"


def test_a_month_holds_what_a_request_may_cost_at_most(ledger: Ledger, assets: Connection) -> None:
    add_event(assets, cost_usd=Decimal("19.9999"), quota_day=(FIRST_OF_MONTH,))
    limits = limited(monthly_spend_usd=20, daily_spend_usd=1_000)
    assert refused(ledger, limits=limits).reason.key == "month_is_spent"
    assert not quota_of(ledger, limits).budgets[0].is_spent


@pytest.mark.parametrize(
    ("columns", "counts"),
    [
        ({}, True),
        ({"grounded": False}, True),
        ({"model": "gemini-3.8-flash"}, True),
        ({"step": "another_step"}, True),
        ({"pipeline": "captions"}, False),
        ({"pipeline": "captions", "grounded": False}, False),
        ({"quota_day": (f"{PACIFIC_TODAY} - 1",)}, False),
        ({"state": "released"}, False),
    ],
)
def test_a_share_holds_its_own_domain_for_the_day(
    ledger: Ledger, assets: Connection, columns: dict[str, Any], counts: bool
) -> None:
    add_event(assets, cost_usd=Decimal(2), **(OURS | columns))
    limits = limited(shares={STEP.domain: 2.0})
    limit(ledger._database, limits)
    (budget,) = ledger.status(FLASH, STEP).budgets
    assert (budget.domain, budget.spent_usd, budget.limit_usd) == (STEP.domain, 2 if counts else 0, 2)
    if not counts:
        assert reserved(ledger, limits=limits)
        return
    answer = refused(ledger, limits=limits)
    assert (answer.why, answer.retry_at) == (Unanswered.SPEND_REACHED, next_reset(datetime.now(UTC)))
    assert answer.reason.key == "share_is_spent"
    other = about("a", domain="captions", pipeline="captions")
    assert reserved(ledger, other, limits), "a domain without a share may use what is left"


def test_a_share_of_nothing_asks_nothing_and_a_share_is_not_a_right(
    ledger: Ledger, assets: Connection
) -> None:
    assert refused(ledger, limits=limited(shares={STEP.domain: 0.0})).reason.key == "share_is_spent"
    add_event(assets, cost_usd=Decimal(10))
    answer = refused(ledger, limits=limited(shares={STEP.domain: 5.0}, daily_spend_usd=10))
    assert answer.reason.key == "day_is_spent"


def missing(database: ClonedDatabase) -> None:
    with database.connection() as connection:
        connection.execute("delete from pipeline_settings where platform = 'gemini'")


def switched_off(database: ClonedDatabase) -> None:
    limit(database, LIMITS, is_enabled=False)


def unreadable(database: ClonedDatabase) -> None:
    limit(database, LIMITS)
    with database.connection() as connection:
        connection.execute(
            'update pipeline_settings set settings = settings || \'{"daily_spend_usd": "much"}\' '
            "where platform = 'gemini'"
        )


@pytest.mark.parametrize("close", [missing, switched_off, unreadable])
def test_a_closed_row_asks_nothing_and_still_gives_what_is_paid(
    ledger: Ledger, assets_db: ClonedDatabase, close: Callable[[ClonedDatabase], None]
) -> None:
    settled(ledger, about("paid"))
    close(assets_db)
    answer = refused(ledger, call=about("new"), limits=None)
    assert answer.why is Unanswered.CLOSED
    assert str(ledger.status(FLASH).closed) == str(answer.reason)
    assert isinstance(ask(ledger, about("paid"), None), Replay)
    assert states(assets_db) == ["settled"]
    assert reserved(ledger, about("new"), LIMITS)
