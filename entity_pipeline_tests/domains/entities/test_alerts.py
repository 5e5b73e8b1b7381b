from datetime import UTC, datetime, timedelta

import pytest

from entity_pipeline.core.notifications import NotifySettings
from entity_pipeline.domains.entities.accounts.enrichment_queue import sweep_all
from entity_pipeline.domains.entities.alerts import SCHEDULE, SWEEPER, entity_alerts
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.shared.alerts.looks import look

NOW = datetime.now(UTC)


def keys(
    assets_db: ClonedDatabase, silent_minutes: int = 0, unswept_minutes: int = 0, **limits: float
) -> list[str]:
    seen = look(
        now=NOW,
        assets_db=assets_db,
        limits=NotifySettings(**limits),
        decided_at={
            SCHEDULE: NOW - timedelta(minutes=silent_minutes),
            SWEEPER: NOW - timedelta(minutes=unswept_minutes),
        }.__getitem__,
    )
    return [alert.key for alert in entity_alerts(seen)]


def waits_since(operation_db: ClonedDatabase, assets_db: ClonedDatabase, at: datetime) -> None:
    with operation_db.connection() as connection:
        connection.execute("insert into instagram_accounts (username, created_at) values ('prada', %s)", [at])
    sweep_all(operation_db, assets_db)


@pytest.mark.parametrize(("minutes", "is_old"), [(0, False), (1, True)])
def test_a_backlog_is_old_after_a_week_or_the_hours_that_are_set(
    operation_db: ClonedDatabase, assets_db: ClonedDatabase, minutes: int, is_old: bool
) -> None:
    waits_since(operation_db, assets_db, NOW - timedelta(days=7, minutes=minutes))
    assert keys(assets_db) == (["entities/backlog_old"] if is_old else [])
    assert keys(assets_db, backlog_hours=1) == ["entities/backlog_old"]


def test_a_silent_schedule_matters_only_while_accounts_wait(
    operation_db: ClonedDatabase, assets_db: ClonedDatabase
) -> None:
    assert keys(assets_db, silent_minutes=61) == []
    waits_since(operation_db, assets_db, NOW)
    assert keys(assets_db, silent_minutes=60) == []
    assert keys(assets_db, silent_minutes=61) == ["entities/scheduler_silent:enrichment_schedule"]


@pytest.mark.parametrize(("minutes", "is_late"), [(59, False), (61, True)])
def test_a_list_that_is_an_hour_behind_is_an_alert(
    operation_db: ClonedDatabase, assets_db: ClonedDatabase, minutes: int, is_late: bool
) -> None:
    sweep_all(operation_db, assets_db)
    with assets_db.connection() as connection:
        connection.execute("update enrichment_queue_sweep set as_of = %s", [NOW - timedelta(minutes=minutes)])
    assert keys(assets_db, unswept_minutes=1_000) == (["entities/list_late"] if is_late else [])


@pytest.mark.parametrize(("minutes", "is_late"), [(60, False), (61, True)])
def test_a_list_that_was_never_filled_is_late_once_its_sensor_is_silent(
    assets_db: ClonedDatabase, minutes: int, is_late: bool
) -> None:
    assert keys(assets_db, unswept_minutes=minutes) == (["entities/list_late"] if is_late else [])
