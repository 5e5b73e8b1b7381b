from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from entity_pipeline.domains.influencers.alerts import SENSOR, WHAT_TO_DO, influencer_alerts
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.page.page_data import blog, insert, task
from entity_pipeline_tests.shared.alerts.looks import look

NOW = datetime.now(UTC)


def kinds(assets_db: ClonedDatabase, silent: timedelta = timedelta(0)) -> set[str]:
    seen = look(now=NOW, assets_db=assets_db, decided_at={SENSOR: NOW - silent}.__getitem__)
    return {alert.kind for alert in influencer_alerts(seen)}


def account(connection: Any, state: str) -> None:
    insert(connection, "instagram_pool_accounts", username=f"ours_{state}", state=state)


def due(connection: Any, hours: float) -> None:
    task(connection, "discover", "food", created_at=NOW - timedelta(hours=hours))


def ended(connection: Any, kind: str, status: str, outcome: str | None, times: int, hours: float = 1) -> None:
    for nth in range(times):
        key = blog(connection, f"{kind}_{status}_{outcome}_{nth}".lower())
        task(connection, kind, key, status=status, outcome=outcome, completed_at=NOW - timedelta(hours=hours))


def test_an_empty_queue_is_silent(assets_db: ClonedDatabase) -> None:
    assert kinds(assets_db, silent=timedelta(days=9)) == set()


@pytest.mark.parametrize(("hours", "is_old"), [(167, False), (169, True)])
def test_a_task_is_old_after_the_hours_that_are_set(
    assets_db: ClonedDatabase, assets: Any, hours: float, is_old: bool
) -> None:
    account(assets, "active")
    due(assets, hours)
    assert kinds(assets_db) == ({"tasks_old"} if is_old else set())


def test_a_silent_sensor_matters_only_while_tasks_are_due(assets_db: ClonedDatabase, assets: Any) -> None:
    account(assets, "active")
    assert kinds(assets_db, silent=timedelta(minutes=61)) == set()
    due(assets, 1)
    assert kinds(assets_db, silent=timedelta(minutes=59)) == set()
    assert kinds(assets_db, silent=timedelta(minutes=61)) == {"scheduler_silent"}


@pytest.mark.parametrize(
    ("states", "hours", "expected"),
    [
        ((), 1, {"no_account"}),
        (("disabled",), 1, {"no_account"}),
        (("needs_session",), 1, set()),  # an alert of the pool itself
        (("cooling",), 5, set()),
        (("cooling",), 7, {"all_cooling"}),
        (("cooling", "active"), 7, set()),
    ],
)
def test_scrapes_that_no_account_can_make(
    assets_db: ClonedDatabase, assets: Any, states: tuple[str, ...], hours: float, expected: set[str]
) -> None:
    for state in states:
        account(assets, state)
    assert kinds(assets_db) == set()
    due(assets, hours)
    assert kinds(assets_db) == expected


@pytest.mark.parametrize(("hours", "is_late"), [(25, False), (27, True)])
def test_a_batch_is_overdue_after_26_hours(
    assets_db: ClonedDatabase, assets: Any, hours: float, is_late: bool
) -> None:
    key = blog(assets, "waits")
    task(assets, "ai_analysis", key, status="running", batch_key="b", started_at=NOW - timedelta(hours=hours))
    assert kinds(assets_db) == ({"batch_overdue"} if is_late else set())


@pytest.mark.parametrize(("minutes", "is_stuck"), [(59, False), (61, True)])
def test_tasks_are_stuck_an_hour_after_their_lease(
    assets_db: ClonedDatabase, assets: Any, minutes: float, is_stuck: bool
) -> None:
    # By the database's clock, which has gone on since `NOW`.
    lease = {"lease_owner": "gone", "lease_until": datetime.now(UTC) - timedelta(minutes=minutes)}
    task(assets, "discover", "food", status="running", **lease)
    assert kinds(assets_db) == ({"leases_lost"} if is_stuck else set())


@pytest.mark.parametrize(
    ("kind", "status", "outcome", "alert"),
    [
        ("full_scrape", "failed", "error", "tasks_failed"),
        ("ai_analysis", "done", "refused", "insights_refused"),
        ("ai_analysis", "failed", "unreadable_answer", "insights_unreadable"),
    ],
)
def test_a_large_share_of_what_ended_within_a_day_is_an_alert(
    assets_db: ClonedDatabase, assets: Any, kind: str, status: str, outcome: str, alert: str
) -> None:
    ended(assets, kind, status, outcome, 4)
    assert kinds(assets_db) == set()  # too few to say anything
    ended(assets, kind, "done", None, 6)
    assert kinds(assets_db) == {alert}
    ended(assets, kind, "done", "unchanged", 6)
    assert kinds(assets_db) == set()


def test_what_ended_earlier_does_not_count(assets_db: ClonedDatabase, assets: Any) -> None:
    ended(assets, "full_scrape", "failed", "error", 12, hours=25)
    assert kinds(assets_db) == set()


def test_no_alert_names_a_person(assets_db: ClonedDatabase, assets: Any) -> None:
    ended(assets, "full_scrape", "failed", "error", 12)
    due(assets, 200)
    seen = look(now=NOW, assets_db=assets_db, decided_at=lambda _: NOW)
    alerts = list(influencer_alerts(seen))
    assert {alert.kind for alert in alerts} == {"tasks_old", "tasks_failed", "no_account"}
    for alert in alerts:
        assert alert.what_to_do == WHAT_TO_DO[alert.kind]
        assert "full_scrape_failed" not in alert.says
        assert "food" not in alert.says
