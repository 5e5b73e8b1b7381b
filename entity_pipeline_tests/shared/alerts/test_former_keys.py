"""The migration that gives the keys of `pipeline_alerts` their domain."""

from datetime import timedelta
from importlib.resources import files

import pytest

from entity_pipeline.core.alerts import Alert
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.fakes.notifications import FakeNotifications
from entity_pipeline_tests.shared.alerts.test_sending import send

MIGRATION = files("entity_pipeline.migrations.assets") / "20261129050100_runs_alert_keys.sql"
KEYS = {
    "run_failed:intake_job": "entities/run_failed:intake_job",
    "run_failed:__ASSET_JOB": "entities/run_failed:__ASSET_JOB",
    "run_failed:spend_job": "shared/run_failed:spend_job",
    "cap_near:2026-11-20": "gemini/cap_near:2026-11-20",
    "cap_reached:2026-11-20": "gemini/cap_reached:2026-11-20",
    "spend_reached:2026-11-20": "gemini/spend_reached:2026-11-20",
    "blocked_by_google": "gemini/blocked_by_google",
    "model_changed:models/gemini-9": "gemini/model_changed:models/gemini-9",
    "few_grounded": "gemini/few_grounded",
    "pool_empty": "instagram/pool_empty",
    "backlog_old": "entities/backlog_old",
    "scheduler_silent": "entities/scheduler_silent:enrichment_schedule",
    "notify_unreadable": "notify/settings_unreadable",
}


def migrate(assets_db: ClonedDatabase) -> None:
    up = MIGRATION.read_text().partition("-- migrate:up")[2].partition("-- migrate:down")[0]
    with assets_db.connection() as connection:
        connection.execute(up.encode())


def stored(assets_db: ClonedDatabase) -> set[str]:
    with assets_db.connection() as connection:
        return {row[0] for row in connection.execute("select alert from pipeline_alerts")}


@pytest.fixture
def former(assets_db: ClonedDatabase) -> ClonedDatabase:
    """Every alert of the earlier release was sent by the webhook an hour ago, and is still true."""
    with assets_db.connection() as connection:
        for key in KEYS:
            connection.execute(
                "insert into pipeline_alerts (alert, channel, true_at, sent_at) "
                "values (%s, 'webhook', clock_timestamp(), clock_timestamp() - interval '1 hour')",
                [key],
            )
    return assets_db


def test_a_sent_alert_is_not_sent_again_under_its_new_key_and_is_repeated_in_time(
    former: ClonedDatabase,
) -> None:
    migrate(former)
    alerts = [Alert(key, "It is so.", "Do that.") for key in KEYS.values()]
    channel = FakeNotifications(("webhook", "email"))
    send(former, channel, *alerts)
    assert [name for name, _ in channel.sent] == ["email"], "which was never told by that channel"
    with former.connection() as connection:
        connection.execute("update pipeline_alerts set sent_at = sent_at - %s", [timedelta(hours=23)])
    send(former, channel, *alerts)
    assert [name for name, _ in channel.sent] == ["email", "webhook"]


def test_a_daemon_of_the_earlier_release_keeps_its_rows_until_the_new_one_ticks(
    former: ClonedDatabase,
) -> None:
    migrate(former)
    assert stored(former) == set(KEYS) | set(KEYS.values())
    migrate(former)
    assert stored(former) == set(KEYS) | set(KEYS.values())
    send(former, FakeNotifications())
    assert stored(former) == set(KEYS.values())


def test_an_alert_that_was_still_to_be_sent_is_sent(former: ClonedDatabase) -> None:
    with former.connection() as connection:
        connection.execute("update pipeline_alerts set sent_at = null where alert = 'pool_empty'")
    migrate(former)
    channel = FakeNotifications()
    send(former, channel, *[Alert(key, "It is so.", "Do that.") for key in KEYS.values()])
    assert [message.title for _, message in channel.sent] == ["entity_pipeline: instagram pool empty"]
