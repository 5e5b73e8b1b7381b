from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from entity_pipeline.core.findings import Finding
from entity_pipeline.core.ports import Databases
from entity_pipeline.domains.influencers.health import (
    accounts_can_scrape,
    insights_are_ready,
    queue_is_worked_on,
)
from entity_pipeline.domains.influencers.trials import TRIALS
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.page.page_data import insert, task

NOW = datetime.now(UTC)


@pytest.fixture
def databases(assets_db: ClonedDatabase, operation_db: ClonedDatabase) -> Databases:
    urls = {"assets_db": assets_db.url, "operation_db": operation_db.url}
    store = SettingsStore(**{name: PostgresResource(url=url) for name, url in urls.items()})
    return Databases(assets_db, operation_db, store)


def one(check: Callable[[Databases], Iterable[Finding]], databases: Databases) -> Finding:
    [found] = check(databases)
    return found


def settings(assets: Any, row: str, text: str) -> None:
    assets.execute("update pipeline_settings set settings = %s where platform = %s", [text, row])


def test_a_queue_that_nothing_takes_from_is_a_warning(databases: Databases, assets: Any) -> None:
    assert one(queue_is_worked_on, databases).level == "ok"
    task(assets, "discover", "food", created_at=NOW - timedelta(hours=25))
    found = one(queue_is_worked_on, databases)
    assert found.level == "warn"
    assert "influencers_queue_sensor" in found.text


def test_lost_leases_and_overdue_batches_are_warnings(databases: Databases, assets: Any) -> None:
    task(assets, "discover", "a", status="running", lease_owner="x", lease_until=NOW - timedelta(hours=2))
    task(assets, "discover", "b", status="running", batch_key="b", started_at=NOW - timedelta(hours=27))
    said = [finding.text for finding in queue_is_worked_on(databases)]
    assert len(said) == 2
    assert "1 tasks are held by workers that are gone" in said[0]
    assert "more than 26 hours: 1" in said[1]


def test_scraping_needs_the_terms_and_an_account(databases: Databases, assets: Any) -> None:
    assert one(accounts_can_scrape, databases).text.startswith("Scrapes wait: ")
    settings(assets, "instagram", '{"terms_acknowledged": true}')
    assert "No account of the Instagram pool is usable" in one(accounts_can_scrape, databases).text
    insert(assets, "instagram_pool_accounts", username="ours", state="cooling")
    assert one(accounts_can_scrape, databases).level == "ok"


def test_insights_are_reported_by_their_switch(databases: Databases, assets: Any) -> None:
    assert "switched off" in one(insights_are_ready, databases).text
    settings(assets, "influencers", '{"insights_enabled": true, "insights_acknowledged": true}')
    assert one(insights_are_ready, databases).text == "Insights are switched on."


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.what)
def test_a_trial_writes_its_table(assets: psycopg.Connection[Any], trial: Any) -> None:
    def written() -> int:
        row = assets.execute(
            "select pg_stat_get_xact_tuples_inserted(%s::regclass)", [trial.table]
        ).fetchone()
        assert row is not None
        return int(row[0])

    with assets.transaction(force_rollback=True):
        before = written()
        trial.attempt(assets)
        assert written() > before
