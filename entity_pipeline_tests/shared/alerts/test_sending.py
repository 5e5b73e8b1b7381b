from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from entity_pipeline.core.alerts import Alert, Look
from entity_pipeline.core.failures import ConfigurationFailure, DatabaseUnavailable
from entity_pipeline.core.notifications import NotSent
from entity_pipeline.resources.postgres import database_clock
from entity_pipeline.shared.alerts import store
from entity_pipeline.shared.alerts.sending import Sender, gather
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.fakes.notifications import FakeNotifications
from entity_pipeline_tests.shared.alerts.looks import look

EMPTY = Alert("instagram/pool_empty", "Nothing is left.", "Add an account.")
SENT = ("webhook", "entity_pipeline: instagram pool empty")


def send(assets_db: ClonedDatabase, channels: FakeNotifications, *alerts: Alert) -> str:
    with assets_db.connection() as connection:
        now = database_clock(connection)
    sender = Sender(assets_db, channels, frozenset({"rivers", "salt_lakes"}))
    return str(sender.send(alerts, timedelta(hours=24), now))


def later(database: ClonedDatabase, by: timedelta) -> None:
    """As if everything that is stored had happened earlier."""
    with database.connection() as connection:
        connection.execute(
            "update pipeline_alerts set true_at = true_at - %(by)s, sent_at = sent_at - %(by)s, "
            "claimed_until = claimed_until - %(by)s",
            {"by": by},
        )


def titles(notifications: FakeNotifications) -> list[tuple[str, str]]:
    return [(channel, message.title) for channel, message in notifications.sent]


def test_an_alert_is_sent_once_and_again_after_a_day(assets_db: ClonedDatabase) -> None:
    channel = FakeNotifications()
    assert "1 sent by webhook" in send(assets_db, channel, EMPTY)
    for _ in range(25):
        send(assets_db, channel, EMPTY)
        later(assets_db, timedelta(minutes=55))
    assert titles(channel) == [SENT]
    later(assets_db, timedelta(minutes=55))
    with assets_db.connection() as connection:
        store.note_true(connection, ["webhook"], [EMPTY.key])
    later(assets_db, timedelta(minutes=55))
    send(assets_db, channel, EMPTY)
    assert titles(channel) == [SENT, SENT]


def test_an_alert_is_sent_again_after_a_recovery_and_not_when_it_flaps(assets_db: ClonedDatabase) -> None:
    channel = FakeNotifications()
    send(assets_db, channel, EMPTY)
    later(assets_db, timedelta(minutes=50))
    send(assets_db, channel)
    send(assets_db, channel, EMPTY)
    assert titles(channel) == [SENT]
    later(assets_db, timedelta(minutes=61))
    send(assets_db, channel)
    send(assets_db, channel, EMPTY)
    assert titles(channel) == [SENT, SENT]


def test_two_domains_never_silence_each_other(assets_db: ClonedDatabase) -> None:
    channel = FakeNotifications()
    rivers = Alert("rivers/backlog_old", "Old.", "Wait.")
    lakes = Alert("salt_lakes/backlog_old", "Old.", "Wait.")
    send(assets_db, channel, rivers)
    send(assets_db, channel, rivers, lakes)
    assert [title for _, title in titles(channel)] == [
        "entity_pipeline: rivers backlog old",
        "entity_pipeline: salt lakes backlog old",
    ]
    later(assets_db, timedelta(minutes=61))
    send(assets_db, channel, rivers)
    send(assets_db, channel, rivers, lakes)
    assert len(channel.sent) == 4, "both are true again after a recovery, each for itself"


def test_an_alert_carries_the_address_of_its_run_its_own_page_or_that_of_its_domain(
    assets_db: ClonedDatabase,
) -> None:
    channel = FakeNotifications()
    send(
        assets_db,
        channel,
        Alert("rivers/run_failed:rivers_job", "1", "-", run_id="r1"),
        Alert("salt_lakes/backlog_old", "2", "-"),
        Alert("salt_lakes/other", "3", "-", page="/admin/data-pipeline/lakes-of-salt"),
        Alert("gemini/cap_near:2026-11-20", "4", "-"),
    )
    ((_, message),) = channel.sent
    assert [part.splitlines()[-1] for part in message.text.split("\n\n")] == [
        "https://dagster.example/runs/r1",
        "https://page.example/admin/data-pipeline/salt-lakes",
        "https://page.example/admin/data-pipeline/lakes-of-salt",
        "https://page.example/admin",
    ]


def test_of_many_processes_one_sends(assets_db: ClonedDatabase) -> None:
    channels = [FakeNotifications() for _ in range(6)]
    start = Barrier(len(channels))

    def work(channel: FakeNotifications) -> None:
        start.wait(20)
        send(assets_db, channel, EMPTY)

    for _ in range(5):
        with ThreadPoolExecutor(len(channels)) as threads:
            list(threads.map(work, channels))
        later(assets_db, timedelta(days=2))
    assert sum(len(channel.sent) for channel in channels) == 5


def test_a_daemon_that_read_before_another_sent_does_not_send_again(assets_db: ClonedDatabase) -> None:
    with assets_db.connection() as connection:
        before = store.sent_by(connection, "webhook")
        send(assets_db, FakeNotifications(), EMPTY)
        assert store.claim(connection, "webhook", [EMPTY.key], before) == set()
        later(assets_db, timedelta(days=2))
        before = store.sent_by(connection, "webhook")
        send(assets_db, FakeNotifications(), EMPTY)
        assert store.claim(connection, "webhook", [EMPTY.key], before) == set()


def test_a_claim_that_ran_out_is_taken_up_by_one(assets_db: ClonedDatabase) -> None:
    with assets_db.connection() as connection:
        assert store.claim(connection, "webhook", [EMPTY.key], {}) == {EMPTY.key}
        later(assets_db, store.CLAIM_LASTS)
        before = store.sent_by(connection, "webhook")
        assert store.claim(connection, "webhook", [EMPTY.key], before) == {EMPTY.key}
        assert store.claim(connection, "webhook", [EMPTY.key], before) == set()


def test_an_alert_that_is_true_again_and_could_not_be_sent_is_still_due(assets_db: ClonedDatabase) -> None:
    channel = FakeNotifications(outcomes={"webhook": [None, NotSent("Away.")]})
    send(assets_db, channel, EMPTY)
    later(assets_db, timedelta(minutes=61))
    send(assets_db, channel, EMPTY)
    assert titles(channel) == [SENT]
    later(assets_db, store.CLAIM_LASTS)
    send(assets_db, channel, EMPTY)
    assert titles(channel) == [SENT, SENT]


class _Killed(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("first", ["new", "a reminder"])
def test_a_process_that_dies_while_it_sends_leaves_it_to_another(
    assets_db: ClonedDatabase, first: str
) -> None:
    if first == "a reminder":
        send(assets_db, FakeNotifications(), EMPTY)
        later(assets_db, timedelta(days=2))
    with pytest.raises(_Killed):
        send(assets_db, FakeNotifications(outcomes={"webhook": [_Killed()]}), EMPTY)
    another = FakeNotifications()
    send(assets_db, another, EMPTY)
    assert another.sent == [], "the claim holds"
    later(assets_db, store.CLAIM_LASTS)
    send(assets_db, another, EMPTY)
    assert titles(another) == [SENT]


@pytest.mark.parametrize(
    "failure", [NotSent("Away."), ConfigurationFailure("Refused.")], ids=["away", "wrong"]
)
def test_a_channel_that_takes_nothing_is_tried_again_and_the_other_is_not_repeated(
    assets_db: ClonedDatabase, failure: Exception
) -> None:
    channels = FakeNotifications(("webhook", "email"), {"email": [failure]})
    says = send(assets_db, channels, EMPTY)
    assert says == (
        f"Active alerts: instagram/pool_empty. 1 sent by webhook. {failure} Alerts that wait to be sent: 1."
    )
    send(assets_db, channels, EMPTY)
    later(assets_db, store.CLAIM_LASTS)
    send(assets_db, channels, EMPTY)
    assert titles(channels) == [SENT, ("email", SENT[1])]


def test_nothing_of_a_message_is_stored_and_old_rows_go(assets_db: ClonedDatabase) -> None:
    send(assets_db, FakeNotifications(), EMPTY)
    with assets_db.connection() as connection:
        rows = connection.execute("select alert, channel from pipeline_alerts").fetchall()
    assert rows == [("instagram/pool_empty", "webhook")]
    later(assets_db, timedelta(days=91))
    send(assets_db, FakeNotifications())
    with assets_db.connection() as connection:
        assert store.sent_by(connection, "webhook") == {}


def test_a_failing_job_keeps_its_alert_whichever_run_is_the_newest(assets_db: ClonedDatabase) -> None:
    channel = FakeNotifications()
    for run in ("r1", "r2"):
        send(assets_db, channel, Alert("rivers/run_failed:rivers_job", "It failed.", "Open it.", run_id=run))
    assert len(channel.sent) == 1


def of_rivers(_: Look) -> Iterator[Alert]:
    yield Alert("rivers/first", "1", "-")
    raise DatabaseUnavailable("The river database is away.")


def of_lakes(_: Look) -> Iterator[Alert]:
    yield Alert("lakes/first", "1", "-")
    yield Alert("lakes/first", "the same again", "-")


def faulty(_: Look) -> Iterator[Alert]:
    raise KeyError("a secret")


def test_a_source_that_fails_is_a_sentence_and_takes_no_alert_of_another_with_it() -> None:
    alerts, unknown = gather([of_rivers, faulty, of_lakes, of_rivers], look())
    assert [alert.key for alert in alerts] == ["rivers/first", "lakes/first"]
    assert list(map(str, unknown)) == [
        "The river database is away.",
        "An alert source failed (KeyError).",
    ]
