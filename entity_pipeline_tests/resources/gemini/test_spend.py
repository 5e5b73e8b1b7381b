"""The roll-up by quota day equals the ledger it was made from."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from entity_pipeline.core.failures import SchemaMismatch
from entity_pipeline.core.gemini.quota_day import quota_day
from entity_pipeline.resources.gemini.ledger import Ledger
from entity_pipeline.resources.gemini.spend import read_spend, roll_up_spend
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.resources.gemini.ledger_cases import (
    PACIFIC_TODAY,
    about,
    add_event,
    reserved,
    sent,
    settled,
)

Connection = psycopg.Connection[Any]
TODAY = quota_day(datetime.now(UTC))
LAST_MONTH = TODAY - timedelta(days=31)

FROM_THE_LEDGER = """
select coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date) as day, pipeline, step, model,
  count(*), count(*) filter (where grounded), coalesce(sum(search_queries), 0), coalesce(sum(prompt_tokens), 0),
  coalesce(sum(cached_tokens), 0), coalesce(sum(output_tokens), 0), coalesce(sum(thoughts_tokens), 0),
  coalesce(sum(tool_tokens), 0), coalesce(sum(cost_usd), 0)
from gemini_usage_events where state in ('settled', 'failed', 'unknown')
group by 1, 2, 3, 4 order by 1, 2, 3, 4
"""
KEPT = """
select quota_day, pipeline, step, model, requests, grounded_requests, search_queries, prompt_tokens, cached_tokens,
  output_tokens, thoughts_tokens, tool_tokens, cost_usd
from gemini_spend_daily order by 1, 2, 3, 4
"""


def rows(assets: Connection, query: str) -> list[tuple[Any, ...]]:
    return assets.execute(query).fetchall()


@pytest.fixture
def ledger(assets_db: ClonedDatabase, assets: Connection) -> Ledger:
    """With requests in every state, on three days, of three pipelines."""
    ledger = Ledger(assets_db)
    settled(ledger, about("a"))
    settled(ledger, about("b", kind="repair", grounded=False))
    ledger.fail(sent(ledger, about("c")).event_id, {}, 1)
    ledger.mark_unknown(sent(ledger, about("d")).event_id, {}, 1)
    ledger.release(sent(ledger, about("e")).event_id, {})
    reserved(ledger, about("f"))
    sent(ledger, about("g"))
    add_event(assets, cost_usd=Decimal("1.25"), prompt_tokens=7, model="gemini-9-ultra")
    add_event(assets, cost_usd=Decimal("0.5"), quota_day=(f"{PACIFIC_TODAY} - 1",))
    yesterday = (f"({PACIFIC_TODAY})::timestamp at time zone 'America/Los_Angeles' - interval '1 second'",)
    add_event(assets, search_queries=3, quota_day=None, created_at=yesterday)
    add_event(assets, pipeline="translations", grounded=False, cost_usd=None)
    return ledger


def test_the_roll_up_equals_the_ledger(ledger: Ledger, assets_db: ClonedDatabase, assets: Connection) -> None:
    assert roll_up_spend(assets_db, LAST_MONTH) == 4
    kept = rows(assets, KEPT)
    assert kept == rows(assets, FROM_THE_LEDGER)
    ours = next(row for row in kept if row[1] == "entity_enrichment")
    assert ours[4:7] == (4, 3, 4)
    assert ours[-1] == Decimal("0.010460")  # two answers, and the estimate of one without


def test_a_second_roll_up_writes_nothing(
    ledger: Ledger, assets_db: ClonedDatabase, assets: Connection
) -> None:
    roll_up_spend(assets_db, LAST_MONTH)
    before = rows(assets, "select xmin::text, * from gemini_spend_daily order by 2, 3, 4, 5")
    assert roll_up_spend(assets_db, LAST_MONTH) == 0
    assert rows(assets, "select xmin::text, * from gemini_spend_daily order by 2, 3, 4, 5") == before


def test_only_what_has_changed_is_written_again(
    ledger: Ledger, assets_db: ClonedDatabase, assets: Connection
) -> None:
    roll_up_spend(assets_db, LAST_MONTH)
    settled(ledger, about("h"))
    assert roll_up_spend(assets_db, LAST_MONTH) == 1
    assert rows(assets, KEPT) == rows(assets, FROM_THE_LEDGER)


def test_a_request_that_is_given_back_leaves_nothing_behind(assets_db: ClonedDatabase) -> None:
    ledger = Ledger(assets_db)
    place = sent(ledger)
    roll_up_spend(assets_db, LAST_MONTH)
    ledger.release(place.event_id, {})
    roll_up_spend(assets_db, LAST_MONTH)
    assert read_spend(assets_db, LAST_MONTH) == []


def test_days_before_the_asked_one_are_left_as_they_are(
    ledger: Ledger, assets_db: ClonedDatabase, assets: Connection
) -> None:
    roll_up_spend(assets_db, TODAY)
    assert {row[0] for row in rows(assets, KEPT)} == {TODAY}
    assets.execute(
        "update gemini_usage_events set quota_day = quota_day - 40, created_at = created_at - interval '40 days'"
    )
    assert roll_up_spend(assets_db, TODAY) == 0
    assert len(read_spend(assets_db, TODAY)) == 3


def test_the_kept_rows_are_read_newest_and_dearest_first(ledger: Ledger, assets_db: ClonedDatabase) -> None:
    roll_up_spend(assets_db, LAST_MONTH)
    days = read_spend(assets_db, LAST_MONTH)
    assert [(day.quota_day, day.pipeline) for day in days] == [
        (TODAY, "captions"),
        (TODAY, "entity_enrichment"),
        (TODAY, "translations"),
        (TODAY - timedelta(days=1), "captions"),
    ]
    assert (days[0].model, days[0].requests, days[0].cost_usd) == ("gemini-9-ultra", 1, Decimal("1.25"))
    assert (days[3].grounded_requests, days[3].search_queries, days[3].cost_usd) == (2, 3, Decimal("0.5"))
    assert read_spend(assets_db, TODAY + timedelta(days=1)) == []


def test_a_column_that_only_an_older_installation_has_is_named_with_what_to_do(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    assets.execute("alter table gemini_spend_daily add column day date not null")
    add_event(assets, created_at=datetime.now(UTC), cost_usd=Decimal(1))
    with pytest.raises(SchemaMismatch, match=r"gemini_spend_daily\.day is required.*Make it nullable"):
        roll_up_spend(assets_db, TODAY - timedelta(days=2))


def test_a_key_that_only_an_older_installation_has_is_named_with_what_to_do(
    assets_db: ClonedDatabase, assets: Connection
) -> None:
    assets.execute(
        "alter table gemini_spend_daily add column day date not null default current_date, "
        "add constraint by_day unique (day, pipeline, model)"
    )
    for days_ago in range(2):
        add_event(assets, cost_usd=Decimal(1), quota_day=(f"{PACIFIC_TODAY} - {days_ago}",))
    with pytest.raises(
        SchemaMismatch, match=r"the key by_day of gemini_spend_daily.*Make one of them nullable"
    ):
        roll_up_spend(assets_db, TODAY - timedelta(days=2))
