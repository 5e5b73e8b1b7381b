import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import dagster as dg
import pytest

from entity_pipeline.core.alerts import Alert, AlertSource, Look
from entity_pipeline.core.domain import Domain
from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.core.gemini.access import RecentReplies
from entity_pipeline.core.gemini.models import DEFAULT_MODEL
from entity_pipeline.core.notifications import NotifySettings
from entity_pipeline.core.settings import (
    Closed,
    DomainSettings,
    Gate,
    Open,
    S,
    SettingsModel,
    SettingsRow,
    gate,
)
from entity_pipeline.definitions import build_definitions
from entity_pipeline.domains.entities.accounts.enrichment_queue import sweep_all
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.gemini.ledger_reading import recent_replies
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.resources.registry import resources_of_environment
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline.shared.alerts.sensor import alerts_sensor
from entity_pipeline.shared.runs.owners import RunOwners, owners
from entity_pipeline.shared.runs.skips import skip_reason
from entity_pipeline_tests.cli.settings_row import put_rows
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.fakes.gemini import FakeGemini
from entity_pipeline_tests.fakes.notifications import FakeNotifications
from entity_pipeline_tests.fakes.settings import FakeSettings
from entity_pipeline_tests.shared.alerts.looks import AWAY, Away
from entity_pipeline_tests.shared.runs.two_domains import LAKES, RIVERS, end, job_run

DEFINITIONS = build_definitions(dict.fromkeys(resources_of_environment(), "unused"))
SENSOR = next(sensor for sensor in DEFINITIONS.sensors or [] if sensor.name == "alerts_sensor")
BAD = dg.DagsterRunStatus.FAILURE


@pytest.fixture
def instance(fast_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance on disk, since only such an instance keeps ticks."""
    (fast_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.from_config(str(fast_path)) as made:
        yield made


class Tick:
    """Evaluates one tick of the sensor after the other, as the daemon does."""

    def __init__(self, instance: dg.DagsterInstance, sensor: Any, resources: dict[str, Any]) -> None:
        self._instance = instance
        self._sensor = sensor
        self._resources = resources
        self.cursor: str | None = None

    def __call__(self) -> str:
        with dg.build_sensor_context(
            instance=self._instance, cursor=self.cursor, resources=self._resources, definitions=DEFINITIONS
        ) as context:
            data = self._sensor.evaluate_tick(context)
        assert not data.run_requests
        self.cursor = data.cursor
        assert skip_reason(data.cursor, data.skip_message) is not None, "the page can't say it in Korean"
        return str(data.skip_message)


def ticking(
    assets_db: Any, operation_db: Any, instance: dg.DagsterInstance, sensor: Any = SENSOR, **changed: Any
) -> tuple[Tick, FakeNotifications]:
    notifications = changed.pop("notifications", FakeNotifications())
    resources = {
        "assets_db": assets_db,
        "operation_db": operation_db,
        "settings": FakeSettings(Open(EntitySettings())),
        "gemini": FakeGemini(model=DEFAULT_MODEL),
        "notifications": notifications,
    }
    return Tick(instance, sensor, resources | changed), notifications


def watched_since(tick: Tick) -> str:
    return str(json.loads(tick.cursor or "")["watched_since"])


def titles(notifications: FakeNotifications) -> list[str]:
    return [message.title for _, message in notifications.sent]


def failed_intake(instance: dg.DagsterInstance) -> str:
    job = DEFINITIONS.resolve_job_def("intake_job")
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    return end(instance, run, BAD)


def waiting(operation_db: ClonedDatabase, assets_db: ClonedDatabase, *, days: int = 0) -> None:
    with operation_db.connection() as connection:
        connection.execute(
            "insert into instagram_accounts (username, created_at) values ('prada', now() - %s * interval '1 day')",
            [days],
        )
    sweep_all(operation_db, assets_db)


def test_everything_that_is_seen_is_sent_in_one_message_with_links(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    waiting(operation_db, assets_db, days=9)
    with assets_db.connection() as connection:
        connection.execute(
            "insert into instagram_pool_accounts (username, state) values ('a', 'needs_session'), ('b', 'disabled')"
        )
    run = failed_intake(instance)
    notify = {"silent_after_hours": 2, "webhook": "https://hooks.example/made-up"}
    settings = FakeSettings(
        Open(EntitySettings(instagram_backfill_enabled=True)), stored={NotifySettings: notify}
    )
    tick, notifications = ticking(
        assets_db,
        operation_db,
        instance,
        settings=settings,
        gemini=FakeGemini(model=DEFAULT_MODEL, cap=5, used=5, replies=RecentReplies(30, 30, ("gemini-9",))),
    )
    tick.cursor = (datetime.now(UTC) - timedelta(hours=3)).isoformat()
    says = tick()
    tick()
    ((_, message),) = notifications.sent
    assert says == (
        "Active alerts: entities/backlog_old, entities/run_failed, entities/scheduler_silent, "
        "gemini/cap_reached, gemini/few_grounded, gemini/model_changed, instagram/pool_empty, "
        "notify/settings_unreadable. 8 sent by webhook."
    )
    assert f"https://dagster.example/runs/{run}" in message.text
    assert message.text.count("https://page.example/admin/data-pipeline/entities") == 2
    assert message.text.count("https://page.example/admin\n") + message.text.endswith("/admin") == 5
    assert "prada" not in message.text
    assert "made-up" not in message.text


def test_while_the_gate_is_closed_only_failed_runs_are_sent(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    failed_intake(instance)
    tick, notifications = ticking(
        assets_db,
        operation_db,
        instance,
        settings=FakeSettings(gate(EntitySettings, {EntitySettings.row: SettingsRow(False, {})})),
        gemini=FakeGemini(model=DEFAULT_MODEL, cap=5, used=5),
    )
    tick()
    assert titles(notifications) == ["entity_pipeline: entities run failed"]


def test_sources_that_cannot_be_asked_are_reported_and_the_rest_is_sent(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    with assets_db.connection() as connection:
        connection.execute("alter table enrichment_queue rename to gone")
    gemini = FakeGemini(model=DEFAULT_MODEL, cap=5, used=5)
    tick, notifications = ticking(PostgresResource(url=assets_db.url), operation_db, instance, gemini=gemini)
    assert tick().startswith("Active alerts: gemini/cap_reached. 1 sent by webhook. ")
    assert titles(notifications) == ["entity_pipeline: gemini cap reached"]


def test_without_the_database_of_its_claims_nothing_is_sent_and_the_tick_says_so(
    operation_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    tick, notifications = ticking(Away(), operation_db, instance, gemini=FakeGemini(cap=5, used=5))
    assert tick() == AWAY
    assert notifications.sent == []


def test_without_a_channel_nothing_is_looked_at(instance: dg.DagsterInstance) -> None:
    tick, _ = ticking(Away(), Away(), instance, notifications=FakeNotifications(channels=()))
    assert tick() == "No alerts are sent. Set ALERT_WEBHOOK_URL or ALERT_SMTP_URL to receive them."


def test_while_notify_is_switched_off_no_alert_is_sent_and_then_all_that_are_true(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    failed_intake(instance)
    off = FakeSettings(Open(EntitySettings()), switched_off=[NotifySettings])
    tick, notifications = ticking(assets_db, operation_db, instance, settings=off)
    assert tick() == ("No alerts are sent. Run `entity-pipeline settings enable notify` to switch them on.")
    assert notifications.sent == []
    tick, notifications = ticking(assets_db, operation_db, instance)
    tick()
    assert titles(notifications) == ["entity_pipeline: entities run failed"]


def test_without_the_row_notify_alerts_are_sent(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    class Rowless(FakeSettings):
        def row(self, model: type[SettingsModel]) -> SettingsRow | None:
            return None if model is NotifySettings else super().row(model)

    failed_intake(instance)
    tick, notifications = ticking(assets_db, operation_db, instance, settings=Rowless(Open(EntitySettings())))
    tick()
    assert titles(notifications) == ["entity_pipeline: entities run failed"]


def test_a_schedule_is_silent_since_its_last_decision_and_not_before_it_was_watched(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    waiting(operation_db, assets_db)
    tick, notifications = ticking(assets_db, operation_db, instance)
    assert "scheduler_silent" not in tick()
    since = watched_since(tick)
    tick()
    assert watched_since(tick) == since, "the watch begins once"
    tick.cursor = (datetime.now(UTC) - timedelta(hours=2)).isoformat()  # as earlier releases kept it
    assert "scheduler_silent" in tick()
    assert "scheduler_silent" in tick(), "the watch goes on"
    assert titles(notifications) == ["entity_pipeline: entities scheduler silent"]


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
    assert tick() == "Active alerts: gemini/cap_reached, gemini/spend_reached. 2 sent by webhook."
    assert "Pacific day" in notifications.sent[0][1].text


class OfRivers(DomainSettings):
    """Settings of the domain `rivers`."""

    row: ClassVar[str] = "rivers"


class OfLakes(DomainSettings):
    """Settings of the domain `lakes`."""

    row: ClassVar[str] = "lakes"


class Gates(FakeSettings):
    """Every domain is open except the named ones."""

    def __init__(self, *closed: type[DomainSettings]) -> None:
        super().__init__(Closed.because("Switched off."))
        self.closed = closed

    def gate(self, model: type[S]) -> Gate[S]:
        return Closed.because("Switched off.") if model in self.closed else Open(model())


def low_water(domain: str) -> Callable[[], AlertSource]:
    def alerts(look: Look) -> Iterator[Alert]:
        assert domain in look.open_domains
        yield Alert(f"{domain}/low_water", f"Low water in {domain}.", "Wait for rain.")

    return lambda: alerts


def broken() -> AlertSource:
    def alerts(_: Look) -> Iterator[Alert]:
        raise DatabaseUnavailable("The gauge does not answer.")

    return alerts


def two_domains(rivers: Callable[[], AlertSource] | None = None) -> Any:
    domains = [
        Domain(
            key="rivers",
            summary="",
            settings=OfRivers,
            definitions=lambda: RIVERS,
            alerts=rivers or low_water("rivers"),
        ),
        Domain(
            key="lakes", summary="", settings=OfLakes, definitions=lambda: LAKES, alerts=low_water("lakes")
        ),
    ]
    return alerts_sensor(domains, owners([("rivers", RIVERS), ("lakes", LAKES)]))


def test_two_domains_alert_side_by_side_each_with_its_own_page(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    end(instance, job_run(instance, "rivers"), BAD)
    tick, notifications = ticking(assets_db, operation_db, instance, two_domains(), settings=Gates(OfRivers))
    assert tick() == "Active alerts: lakes/low_water, rivers/run_failed. 2 sent by webhook."
    tick, _ = ticking(
        assets_db, operation_db, instance, two_domains(), settings=Gates(), notifications=notifications
    )
    tick()
    assert [message.text.count("data-pipeline/") for _, message in notifications.sent] == [1, 1]
    assert "https://page.example/admin/data-pipeline/lakes" in notifications.sent[0][1].text
    assert notifications.sent[1][1].text.startswith("Low water in rivers.")
    assert notifications.sent[1][1].text.endswith("https://page.example/admin/data-pipeline/rivers")


def test_a_domain_whose_source_fails_does_not_silence_the_other(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    tick, notifications = ticking(
        assets_db, operation_db, instance, two_domains(rivers=broken), settings=Gates()
    )
    assert tick() == "Active alerts: lakes/low_water. 1 sent by webhook. The gauge does not answer."
    assert titles(notifications) == ["entity_pipeline: lakes low water"]


def test_without_an_open_domain_the_shared_sources_are_not_asked(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    full = FakeGemini(model=DEFAULT_MODEL, cap=5, used=5)
    tick, _ = ticking(
        assets_db, operation_db, instance, two_domains(), settings=Gates(OfRivers, OfLakes), gemini=full
    )
    assert tick() == "Active alerts: none."
    tick, _ = ticking(assets_db, operation_db, instance, two_domains(), settings=Gates(OfRivers), gemini=full)
    assert "gemini/cap_reached" in tick()
    nothing = alerts_sensor([], RunOwners({}, {}))
    assert ticking(assets_db, operation_db, instance, nothing)[0]() == "Active alerts: none."


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
