"""Ticks of the sensor and the schedules: one run, or the reason in a sentence."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

# Dagster makes queued runs in its own services only, so nothing public makes one for a test.
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.reasons import sentence
from entity_pipeline.core.settings import Closed, Open
from entity_pipeline.definitions import build_definitions
from entity_pipeline.domains.influencers import automation, jobs
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.queue.held import HELD_TAG, LONGEST
from entity_pipeline.domains.influencers.queue.requests import ask_for_blogs
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.resources.registry import resources_of_environment
from entity_pipeline.shared.runs.skips import skip_reason
from entity_pipeline.shared.tasks.rules import NewTask
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.fakes.settings import FakeSettings

OPEN = Open(InfluencerSettings(discover_hashtags=["seoul"]))
TERMS = (InstagramSettings(terms_acknowledged=True),)
# Runs are recorded here and never executed, so their resources are not configured.
DEFINITIONS = build_definitions(dict.fromkeys(resources_of_environment(), "unused"))
JOB = "influencers_queue_job"


@pytest.fixture(scope="module")
def one_instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """An instance on disk with a queue, as production has."""
    home = tmp_path_factory.mktemp("dagster_home")
    (home / "dagster.yaml").write_text(
        "run_coordinator:\n  module: dagster.core.run_coordinator\n  class: QueuedRunCoordinator\n"
        "telemetry:\n  enabled: false\n"
    )
    with dg.DagsterInstance.from_config(str(home)) as made:
        yield made


@pytest.fixture
def instance(one_instance: dg.DagsterInstance) -> Iterator[dg.DagsterInstance]:
    """Without runs."""
    yield one_instance
    for run in one_instance.get_runs():
        one_instance.delete_run(run.run_id)


class Tick:
    """Evaluates the sensor and the schedules as the daemon does."""

    def __init__(
        self, database: ClonedDatabase, instance: dg.DagsterInstance, settings: FakeSettings | None = None
    ) -> None:
        self._instance = instance
        self._resources = {
            "assets_db": database,
            "settings": settings or FakeSettings(OPEN, shared=TERMS),
        }

    def sensor(self, name: str = "influencers_queue_sensor") -> Any:
        sensor = next(item for item in DEFINITIONS.get_repository_def().sensor_defs if item.name == name)
        needed = {key: self._resources[key] for key in sensor.required_resource_keys}
        with dg.build_sensor_context(
            instance=self._instance, resources=needed, definitions=DEFINITIONS
        ) as context:
            data = sensor.evaluate_tick(context)
        if data.skip_message:
            assert skip_reason(data.cursor, data.skip_message) is not None
        return data

    def schedule(self, schedule: dg.ScheduleDefinition) -> Any:
        needed = {key: self._resources[key] for key in schedule.required_resource_keys}
        with dg.build_schedule_context(
            instance=self._instance,
            resources=needed,
            scheduled_execution_time=datetime.now(UTC),
            repository_def=DEFINITIONS.get_repository_def(),
        ) as context:
            return schedule.evaluate_tick(context)


@pytest.fixture
def tick(assets_db: ClonedDatabase, instance: dg.DagsterInstance) -> Tick:
    return Tick(assets_db, instance)


def put(database: ClonedDatabase, *names: str) -> None:
    with database.connection() as connection:
        ask_for_blogs(connection, names)


def recorded(
    instance: dg.DagsterInstance, job: str, status: dg.DagsterRunStatus, **more: Any
) -> dg.DagsterRun:
    """A run that Dagster knows; a queued one can be cancelled."""
    location = RegisteredCodeLocationOrigin("entity_pipeline")
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), job)
    return instance.create_run_for_job(
        DEFINITIONS.resolve_job_def(job), status=status, remote_job_origin=origin, **more
    )


def test_a_due_task_asks_for_one_run(tick: Tick, assets_db: ClonedDatabase) -> None:
    put(assets_db, "ada", "bea")
    assert len(tick.sensor().run_requests) == 1


def test_nothing_is_asked_for_while_nothing_is_due(tick: Tick, assets_db: ClonedDatabase) -> None:
    assert tick.sensor().skip_message == "No task is due."
    put(assets_db, "ada")
    with assets_db.connection() as connection:
        [task] = STORE.claim(connection, "a run", 1)
        STORE.put_off(connection, task, datetime.now(UTC) + timedelta(hours=1), "no place")
        blog = task.task_key
        # Another job sends these in batches.
        STORE.create(connection, [NewTask(TaskType.AI_ANALYSIS, blog, 3)])
    assert tick.sensor().skip_message == "No task is due."


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (FakeSettings(Closed.because("Switched off."), shared=TERMS), "Switched off."),
        (FakeSettings(OPEN), "terms"),
        (FakeSettings(DatabaseUnavailable("PostgreSQL can't be reached.")), "PostgreSQL can't be reached."),
    ],
    ids=["off", "terms not acknowledged", "unreadable"],
)
def test_a_closed_gate_is_the_reason(
    assets_db: ClonedDatabase, instance: dg.DagsterInstance, settings: FakeSettings, said: str
) -> None:
    put(assets_db, "ada")
    tick = Tick(assets_db, instance, settings)
    assert said in tick.sensor().skip_message
    if settings is not None and said != "terms":
        for schedule in automation.schedules:
            assert tick.schedule(schedule).skip_message == said


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED])
def test_one_run_works_on_the_queue_at_a_time(
    tick: Tick, assets_db: ClonedDatabase, instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    put(assets_db, "ada")
    recorded(instance, "influencers_recover_tasks_job", status)
    assert tick.sensor().run_requests
    recorded(instance, JOB, status)
    assert tick.sensor().skip_message == "A run is already working on the queue."


def test_a_run_over_chosen_days_works_on_the_queue_too(
    tick: Tick, assets_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    put(assets_db, "ada")
    instance.create_run_for_job(
        DEFINITIONS.resolve_implicit_global_asset_job_def(),
        status=dg.DagsterRunStatus.STARTED,
        asset_selection=frozenset(map(dg.AssetKey, jobs.SCRAPED)),
    )
    assert tick.sensor().skip_message == "A run is already working on the queue."


def test_after_a_run_without_budget_the_queue_rests_but_not_for_long(
    tick: Tick, assets_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    put(assets_db, "ada")
    until = datetime.now(UTC) + timedelta(minutes=5)
    recorded(instance, JOB, dg.DagsterRunStatus.SUCCESS, tags={HELD_TAG: until.isoformat()})
    assert tick.sensor().skip_message == (
        f"Tasks are due, and wait until Instagram may be asked again: {until:%Y-%m-%d %H:%M} UTC."
    )
    days = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    recorded(instance, JOB, dg.DagsterRunStatus.SUCCESS, tags={HELD_TAG: days})
    latest = re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d", tick.sensor().skip_message)
    assert latest is not None
    at = datetime.strptime(latest[0], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    assert at <= datetime.now(UTC) + LONGEST
    recorded(instance, JOB, dg.DagsterRunStatus.SUCCESS)
    assert tick.sensor().run_requests


def test_while_every_account_rests_no_run_is_asked_for(tick: Tick, assets_db: ClonedDatabase) -> None:
    put(assets_db, "ada")
    with assets_db.connection() as connection:
        connection.execute(
            "insert into instagram_routes (name, state, cooling_until) values "
            "('direct', 'cooling', now() + interval '1 hour') "
            "on conflict (name) do update set state = 'cooling', cooling_until = excluded.cooling_until"
        )
    assert tick.sensor().skip_message.startswith("Tasks are due, and wait until Instagram may be asked again")


def test_recovery_is_asked_for_only_when_a_lease_has_run_out(tick: Tick, assets_db: ClonedDatabase) -> None:
    put(assets_db, "ada")
    with assets_db.connection() as connection:
        STORE.claim(connection, "a run", 1)
        assert tick.schedule(automation.recover_tasks_schedule).skip_message == "No worker has lost a task."
        connection.execute("update scrape_tasks set lease_until = now() - interval '1 second'")
    assert len(tick.schedule(automation.recover_tasks_schedule).run_requests) == 1


def test_the_daily_and_the_weekly_schedule_ask_for_their_run(
    assets_db: ClonedDatabase, instance: dg.DagsterInstance, tick: Tick
) -> None:
    assert len(tick.schedule(automation.schedule_updates_schedule).run_requests) == 1
    assert len(tick.schedule(automation.discover_weekly_schedule).run_requests) == 1
    without = Tick(assets_db, instance, FakeSettings(Open(InfluencerSettings()), shared=TERMS))
    assert without.schedule(automation.discover_weekly_schedule).skip_message == (
        "discover_hashtags names no hashtag."
    )


def test_the_times_are_those_of_the_seed() -> None:
    assert {one.name: one.cron_schedule for one in automation.schedules} == {
        "influencers_recover_tasks_schedule": "*/10 * * * *",
        "influencers_schedule_updates_schedule": "0 3 * * *",
        "influencers_discover_weekly_schedule": "0 2 * * 1",
    }
    assert {one.execution_timezone for one in automation.schedules} == {"UTC"}
    assert automation.queue_sensor.minimum_interval_seconds == 30


def test_switching_off_cancels_the_queued_runs_of_the_domain(
    assets_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    queued = recorded(instance, JOB, dg.DagsterRunStatus.QUEUED)
    started = recorded(instance, JOB, dg.DagsterRunStatus.STARTED)
    tick = Tick(assets_db, instance, FakeSettings(Closed.because("Switched off."), shared=TERMS))
    assert "influencers: Switched off. 1 queued runs were cancelled." in (
        tick.sensor("switch_off_sensor").skip_message
    )
    found = [instance.get_run_by_id(run.run_id) for run in (queued, started)]
    assert [run.status.value for run in found if run is not None] == ["CANCELED", "STARTED"]


def test_a_reason_has_korean_words(tick: Tick) -> None:
    data = tick.sensor()
    reason = skip_reason(data.cursor, data.skip_message)
    assert reason is not None
    assert sentence(reason, "ko") == "지금 처리할 작업이 없습니다."
