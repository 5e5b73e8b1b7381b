from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster_shared.error import SerializableErrorInfo

from entity_pipeline.core.failures import ConfigurationFailure, DatabaseUnavailable
from entity_pipeline.core.gemini.access import RecentReplies
from entity_pipeline.core.notifications import NotifySettings, NotSent
from entity_pipeline.core.settings import Open, SettingsRow
from entity_pipeline.definitions import build_definitions
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.gemini.ledger_reading import recent_replies
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.resources.registry import resources_of_environment
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline.shared.alerts import store as stored
from entity_pipeline.shared.alerts.rules import AlertFacts, FailingJob, Pool
from entity_pipeline.shared.alerts.sensor import (
    PAGE,
    SCHEDULE,
    alerts_sensor,
    failing_jobs,
    last_decision,
    tell,
)
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.fakes.database import FlakyDatabase, FollowedDatabase
from entity_pipeline_tests.fakes.gemini import FakeGemini
from entity_pipeline_tests.fakes.notifications import FakeNotifications
from entity_pipeline_tests.fakes.settings import FakeSettings
from entity_pipeline_tests.settings_rows import entities_gate, put_rows

DEFINITIONS = build_definitions(dict.fromkeys(resources_of_environment(), "unused"))
LIMITS = NotifySettings()
EMPTY_POOL = AlertFacts(pool=Pool(2, 0))
WELL = AlertFacts(pool=Pool(2, 1))


@pytest.fixture
def instance(fast_path: Path) -> Iterator[dg.DagsterInstance]:
    """On disk, as only such a one keeps ticks."""
    (fast_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.from_config(str(fast_path)) as made:
        yield made


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


TOLD = ("webhook", "entity_pipeline: pool empty")


def test_an_alert_is_told_once_and_again_after_a_day(assets_db: ClonedDatabase) -> None:
    channel = FakeNotifications()
    assert "1 told by webhook" in tell(assets_db, channel, EMPTY_POOL, LIMITS)
    for _ in range(25):
        tell(assets_db, channel, EMPTY_POOL, LIMITS)
        later(assets_db, timedelta(minutes=55))
    assert titles(channel) == [TOLD]
    later(assets_db, timedelta(minutes=55))
    with assets_db.connection() as connection:
        stored.note_true(connection, ["webhook"], ["pool_empty"])
    later(assets_db, timedelta(minutes=55))
    tell(assets_db, channel, EMPTY_POOL, LIMITS)
    assert titles(channel) == [TOLD, TOLD]


def test_an_alert_is_told_again_after_a_recovery_and_not_when_it_swings(assets_db: ClonedDatabase) -> None:
    channel = FakeNotifications()
    tell(assets_db, channel, EMPTY_POOL, LIMITS)
    later(assets_db, timedelta(minutes=50))
    tell(assets_db, channel, WELL, LIMITS)
    tell(assets_db, channel, EMPTY_POOL, LIMITS)
    assert titles(channel) == [TOLD]
    later(assets_db, timedelta(minutes=61))
    tell(assets_db, channel, WELL, LIMITS)
    tell(assets_db, channel, EMPTY_POOL, LIMITS)
    assert titles(channel) == [TOLD, TOLD]


def test_of_many_processes_one_tells(assets_db: ClonedDatabase) -> None:
    channels = [FakeNotifications() for _ in range(6)]
    start = Barrier(len(channels))

    def work(channel: FakeNotifications) -> None:
        start.wait(20)
        tell(assets_db, channel, EMPTY_POOL, LIMITS)

    for _ in range(5):
        with ThreadPoolExecutor(len(channels)) as threads:
            list(threads.map(work, channels))
        later(assets_db, timedelta(days=2))
    assert sum(len(channel.sent) for channel in channels) == 5


def test_who_read_before_another_told_does_not_tell_again(assets_db: ClonedDatabase) -> None:
    with assets_db.connection() as connection:
        before = stored.told_by(connection, "webhook")
        tell(assets_db, FakeNotifications(), EMPTY_POOL, LIMITS)
        assert stored.claim(connection, "webhook", ["pool_empty"], before) == set()
        later(assets_db, timedelta(days=2))
        before = stored.told_by(connection, "webhook")
        tell(assets_db, FakeNotifications(), EMPTY_POOL, LIMITS)
        assert stored.claim(connection, "webhook", ["pool_empty"], before) == set()


def test_a_claim_that_ran_out_is_taken_up_by_one(assets_db: ClonedDatabase) -> None:
    with assets_db.connection() as connection:
        assert stored.claim(connection, "webhook", ["pool_empty"], {}) == {"pool_empty"}
        later(assets_db, stored.CLAIM_LASTS)
        before = stored.told_by(connection, "webhook")
        assert stored.claim(connection, "webhook", ["pool_empty"], before) == {"pool_empty"}
        assert stored.claim(connection, "webhook", ["pool_empty"], before) == set()


def test_what_is_true_again_and_could_not_be_told_is_still_to_be_told(assets_db: ClonedDatabase) -> None:
    channel = FakeNotifications(outcomes={"webhook": [None, NotSent("Away.")]})
    tell(assets_db, channel, EMPTY_POOL, LIMITS)
    later(assets_db, timedelta(minutes=61))
    tell(assets_db, channel, EMPTY_POOL, LIMITS)
    assert titles(channel) == [TOLD]
    later(assets_db, stored.CLAIM_LASTS)
    tell(assets_db, channel, EMPTY_POOL, LIMITS)
    assert titles(channel) == [TOLD, TOLD]


class _Killed(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("first", ["new", "a reminder"])
def test_a_process_that_dies_while_it_tells_leaves_it_to_another(
    assets_db: ClonedDatabase, first: str
) -> None:
    if first == "a reminder":
        tell(assets_db, FakeNotifications(), EMPTY_POOL, LIMITS)
        later(assets_db, timedelta(days=2))
    with pytest.raises(_Killed):
        tell(assets_db, FakeNotifications(outcomes={"webhook": [_Killed()]}), EMPTY_POOL, LIMITS)
    another = FakeNotifications()
    tell(assets_db, another, EMPTY_POOL, LIMITS)
    assert another.sent == [], "the claim holds"
    later(assets_db, stored.CLAIM_LASTS)
    tell(assets_db, another, EMPTY_POOL, LIMITS)
    assert titles(another) == [TOLD]


@pytest.mark.parametrize(
    "failure", [NotSent("Away."), ConfigurationFailure("Refused.")], ids=["away", "wrong"]
)
def test_a_channel_that_takes_nothing_is_tried_again_and_the_other_is_not_repeated(
    assets_db: ClonedDatabase, failure: Exception
) -> None:
    channels = FakeNotifications(("webhook", "email"), {"email": [failure]})
    says = tell(assets_db, channels, EMPTY_POOL, LIMITS)
    assert says == f"Alerts that are true: pool_empty. 1 told by webhook. {failure} 1 alerts wait for it."
    tell(assets_db, channels, EMPTY_POOL, LIMITS)
    later(assets_db, stored.CLAIM_LASTS)
    tell(assets_db, channels, EMPTY_POOL, LIMITS)
    assert titles(channels) == [TOLD, ("email", TOLD[1])]


def test_nothing_of_a_message_is_stored_and_old_rows_go(assets_db: ClonedDatabase) -> None:
    tell(assets_db, FakeNotifications(), EMPTY_POOL, LIMITS)
    with assets_db.connection() as connection:
        rows = connection.execute("select alert, channel from pipeline_alerts").fetchall()
    assert rows == [("pool_empty", "webhook")]
    later(assets_db, timedelta(days=91))
    tell(assets_db, FakeNotifications(), WELL, LIMITS)
    with assets_db.connection() as connection:
        assert stored.told_by(connection, "webhook") == {}


def ended(instance: dg.DagsterInstance, job: str, how: dg.DagsterRunStatus) -> str:
    run = instance.create_run_for_job(DEFINITIONS.resolve_job_def(job), status=dg.DagsterRunStatus.STARTED)
    event = {
        dg.DagsterRunStatus.FAILURE: dg.DagsterEventType.RUN_FAILURE,
        dg.DagsterRunStatus.CANCELED: dg.DagsterEventType.RUN_CANCELED,
        dg.DagsterRunStatus.SUCCESS: dg.DagsterEventType.RUN_SUCCESS,
    }[how]
    instance.report_dagster_event(dg.DagsterEvent(event.value, job), run.run_id)
    return str(run.run_id)


GOOD, BAD, STOPPED = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)


def test_a_job_fails_from_a_failed_run_until_one_succeeds(instance: dg.DagsterInstance) -> None:
    def seen() -> list[tuple[str, str]]:
        return [
            (found.job, found.run_id)
            for found in failing_jobs(instance, datetime.now(UTC) - timedelta(days=1))
        ]

    ended(instance, "intake_job", GOOD)
    ended(instance, "linking_job", STOPPED)
    assert seen() == []
    ended(instance, "intake_job", BAD)
    newest = ended(instance, "intake_job", BAD)
    other = ended(instance, "linking_job", BAD)
    assert seen() == [("intake_job", newest), ("linking_job", other)]
    ended(instance, "intake_job", GOOD)
    assert seen() == [("linking_job", other)]
    assert failing_jobs(instance, datetime.now(UTC) + timedelta(minutes=1)) == []


class Tick:
    """One tick after the other of the sensor, as the daemon evaluates it."""

    def __init__(self, instance: dg.DagsterInstance, **resources: Any) -> None:
        self._instance = instance
        self._resources = resources
        self.cursor: str | None = None

    def __call__(self) -> str:
        with dg.build_sensor_context(
            instance=self._instance, cursor=self.cursor, resources=self._resources, definitions=DEFINITIONS
        ) as context:
            data = alerts_sensor.evaluate_tick(context)
        assert not data.run_requests
        self.cursor = data.cursor
        return str(data.skip_message)


def ticking(
    assets_db: ClonedDatabase, operation_db: Any, instance: dg.DagsterInstance, **changed: Any
) -> tuple[Tick, FakeNotifications]:
    notifications = changed.pop("notifications", FakeNotifications())
    resources = {
        "assets_db": assets_db
        if isinstance(operation_db, Away)
        else FollowedDatabase(assets_db, operation_db),
        "settings": FakeSettings(Open(EntitySettings())),
        "gemini": FakeGemini(),
        "notifications": notifications,
    }
    return Tick(instance, **(resources | changed)), notifications


class Away:
    """A database that nobody reaches."""

    def connection(self) -> Any:
        raise DatabaseUnavailable("PostgreSQL at db:5432/x can't be reached.")


def test_everything_that_is_seen_is_told_in_one_message_with_links(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    with operation_db.connection() as connection:
        connection.execute(
            "insert into instagram_accounts (username, created_at) values ('prada', now() - interval '9 days')"
        )
    with assets_db.connection() as connection:
        connection.execute(
            "insert into instagram_pool_accounts (username, state) values ('a', 'needs_session'), ('b', 'disabled')"
        )
    run = ended(instance, "intake_job", BAD)
    notify = {"silent_after_hours": 2, "webhook": "https://hooks.example/made-up"}
    settings = FakeSettings(
        Open(EntitySettings(instagram_backfill_enabled=True)), stored={NotifySettings: notify}
    )
    tick, notifications = ticking(
        assets_db,
        operation_db,
        instance,
        settings=settings,
        gemini=FakeGemini(cap=5, used=5, replies=RecentReplies(30, 30, ("gemini-9",))),
    )
    tick.cursor = (datetime.now(UTC) - timedelta(hours=3)).isoformat()
    says = tick()
    tick()
    ((_, message),) = notifications.sent
    assert says == (
        "Alerts that are true: backlog_old, cap_reached, few_grounded, model_changed, notify_unreadable, "
        "pool_empty, run_failed, scheduler_silent. 8 told by webhook."
    )
    assert f"https://dagster.example/runs/{run}" in message.text
    assert message.text.count(f"https://page.example{PAGE}") == 7
    assert "prada" not in message.text
    assert "made-up" not in message.text


def test_a_cooling_account_comes_back_by_itself_unless_a_person_closed_its_route(
    assets_db: ClonedDatabase,
) -> None:
    with assets_db.connection() as connection:
        connection.execute("insert into instagram_pool_accounts (username, state) values ('a', 'cooling')")
        assert stored.pool(connection) == Pool(1, 1)
        connection.execute("update instagram_routes set state = 'disabled'")
        assert stored.pool(connection) == Pool(1, 0)


def test_while_the_gate_is_closed_only_failed_runs_are_told(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    ended(instance, "intake_job", BAD)
    tick, notifications = ticking(
        assets_db,
        operation_db,
        instance,
        settings=FakeSettings(entities_gate(SettingsRow(False, {}))),
        gemini=FakeGemini(cap=5, used=5),
    )
    tick()
    assert titles(notifications) == [("webhook", "entity_pipeline: run failed")]


def test_what_cannot_be_asked_is_said_and_the_rest_is_told(
    assets_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    # The first connection is the one that asks who waits.
    flaky: Any = FlakyDatabase(
        assets_db, {1: DatabaseUnavailable("PostgreSQL at db:5432/x can't be reached.")}
    )
    tick, notifications = ticking(flaky, Away(), instance, gemini=FakeGemini(cap=5, used=5))
    assert tick().endswith("1 told by webhook. PostgreSQL at db:5432/x can't be reached.")
    assert titles(notifications) == [("webhook", "entity_pipeline: cap reached")]


def test_without_the_database_of_its_claims_nothing_is_told_and_the_tick_says_so(
    instance: dg.DagsterInstance,
) -> None:
    away: Any = Away()
    tick, notifications = ticking(away, away, instance, gemini=FakeGemini(cap=5, used=5))
    # Of the accounts that wait, and of what was told.
    assert tick() == " ".join(["PostgreSQL at db:5432/x can't be reached."] * 2)
    assert notifications.sent == []


def test_without_a_channel_nothing_is_looked_at(instance: dg.DagsterInstance) -> None:
    away: Any = Away()
    tick, _ = ticking(away, away, instance, notifications=FakeNotifications(channels=()))
    assert tick() == "Nobody is told of anything: set ALERT_WEBHOOK_URL or ALERT_SMTP_URL."


def test_a_schedule_is_silent_since_its_last_decision_and_not_before_it_was_watched(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    with operation_db.connection() as connection:
        connection.execute("insert into instagram_accounts (username) values ('prada')")
    tick, notifications = ticking(assets_db, operation_db, instance)
    assert "scheduler_silent" not in tick()
    since = tick.cursor
    tick()
    assert tick.cursor == since, "the watch begins once"
    tick.cursor = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    assert "scheduler_silent" in tick()
    assert titles(notifications) == [("webhook", "entity_pipeline: scheduler silent")]


def test_the_resources_of_production_are_asked_as_the_fakes_are(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    assets = PostgresResource(url=assets_db.url)
    with assets_db.connection() as connection:
        put_rows(connection, daily_grounding_cap=0, daily_spend_usd=0)
    tick, notifications = ticking(
        assets_db,
        operation_db,
        instance,
        settings=SettingsStore(assets_db=assets, operation_db=PostgresResource(url=operation_db.url)),
        gemini=GeminiResource(assets_db=assets, api_key="k"),
    )
    assert tick() == "Alerts that are true: cap_reached, spend_reached. 2 told by webhook."
    assert "Pacific day" in notifications.sent[0][1].text


def test_a_failed_tick_decides_nothing(instance: dg.DagsterInstance) -> None:
    assert last_decision(instance) is None
    state = decided(instance, TickStatus.SKIPPED, minutes_ago=90)
    decided(instance, TickStatus.FAILURE, minutes_ago=1, known=state)
    found = last_decision(instance)
    assert found is not None
    assert timedelta(minutes=89) < datetime.now(UTC) - found < timedelta(minutes=91)


def decided(instance: dg.DagsterInstance, status: TickStatus, *, minutes_ago: int, known: Any = None) -> Any:
    from dagster._core.definitions.run_request import InstigatorType
    from dagster._core.remote_origin import (
        RegisteredCodeLocationOrigin,
        RemoteInstigatorOrigin,
        RemoteRepositoryOrigin,
    )
    from dagster._core.scheduler.instigation import (
        InstigatorState,
        InstigatorStatus,
        ScheduleInstigatorData,
    )

    if known is None:
        location = RegisteredCodeLocationOrigin("entity_pipeline")
        origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), SCHEDULE)
        known = instance.add_instigator_state(
            InstigatorState(
                origin,
                InstigatorType.SCHEDULE,
                InstigatorStatus.RUNNING,
                ScheduleInstigatorData("*/15 * * * *"),
            )
        )
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    instance.create_tick(
        TickData(
            known.instigator_origin_id,
            SCHEDULE,
            InstigatorType.SCHEDULE,
            status,
            at.timestamp(),
            selector_id=known.selector_id,
            error=SerializableErrorInfo("broken", [], None) if status is TickStatus.FAILURE else None,
        )
    )
    return known


def test_recent_replies_are_ours_answered_and_of_the_configured_model(assets_db: ClonedDatabase) -> None:
    rows = [
        ("entity_enrichment", "gemini-2.5-flash", "gemini-2.5-flash", 2, True, "settled", 1),
        ("entity_enrichment", "gemini-2.5-flash", "gemini-2.5-flash-preview-09-2025", 0, True, "settled", 1),
        ("entity_enrichment", "gemini-2.5-flash", "gemini-9", None, True, "settled", 1),
        ("entity_enrichment", "gemini-2.5-flash", "gemini-8", 0, True, "settled", 30),
        ("entity_enrichment", "gemini-2.5-flash", None, 0, False, "settled", 1),
        ("entity_enrichment", "gemini-2.5-flash", None, 0, True, "failed", 1),
        ("entity_enrichment", "gemini-2.5-pro", "gemini-2.5-pro", 0, True, "settled", 1),
        ("other", "gemini-2.5-flash", "gemini-7", 0, True, "settled", 1),
    ]
    with assets_db.connection() as connection:
        for pipeline, model, version, queries, grounded, state, hours in rows:
            connection.execute(
                "insert into gemini_usage_events (pipeline, step, model, model_version, search_queries, grounded, "
                "state, created_at, input_hash) values (%s, 's', %s, %s, %s, %s, %s, now() - %s * '1 h'::interval, %s)",
                [
                    pipeline,
                    model,
                    version,
                    queries,
                    grounded,
                    state,
                    hours,
                    None if pipeline == "other" else "h",
                ],
            )
    found = recent_replies(assets_db, "gemini-2.5-flash", datetime.now(UTC) - timedelta(days=1))
    assert (found.grounded, found.without_search) == (3, 2)
    assert "gemini-9" in found.other_models
    assert "gemini-2.5-flash" not in found.other_models
    assert not {"gemini-8", "gemini-7"} & set(found.other_models)


def test_the_sensor_is_loaded_with_the_rest() -> None:
    assert alerts_sensor.name in {sensor.name for sensor in DEFINITIONS.sensors or []}


def test_a_failing_job_keeps_its_alert_whichever_run_is_the_newest(assets_db: ClonedDatabase) -> None:
    channel = FakeNotifications()
    for run in ("r1", "r2"):
        facts = AlertFacts(failing=[FailingJob("intake_job", run, datetime.now(UTC))])
        tell(assets_db, channel, facts, LIMITS)
    assert len(channel.sent) == 1
