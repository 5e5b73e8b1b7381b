import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

# Dagster makes queued runs in its own services only, so nothing public makes one for a test.
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from psycopg.types.json import Jsonb

from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.core.instagram.settings import InstagramSettings, InstagramWindows
from entity_pipeline.core.reasons import sentence
from entity_pipeline.core.settings import Closed, Open, SettingsRow
from entity_pipeline.definitions import build_definitions
from entity_pipeline.domains.entities import automation, jobs
from entity_pipeline.domains.entities.partitions import FIRST_DAY, last_day
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.resources.registry import resources_of_environment
from entity_pipeline.shared.runs import unfinished
from entity_pipeline.shared.runs.skips import skip_reason
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.fakes.database import FollowedDatabase
from entity_pipeline_tests.fakes.gemini import FakeGemini
from entity_pipeline_tests.fakes.settings import FakeSettings
from entity_pipeline_tests.settings_rows import entities_gate

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (FIRST_DAY + timedelta(days=days) for days in (4, 5, 6, 7))
OPEN = Open(EntitySettings())
# Runs are recorded here and never executed, so their resources are not configured.
DEFINITIONS = build_definitions(dict.fromkeys(resources_of_environment(), "unused"))
HOLDS = {
    "switched off": (
        entities_gate(SettingsRow(False, {})),
        "The pipeline 'entities' is switched off: run `entity-pipeline settings enable entities` to switch it on.",
    ),
    "no row": (
        entities_gate(None),
        "pipeline_settings has no row for platform 'entity_enrichment': "
        "run `entity-pipeline settings enable entities` to create it.",
    ),
    "bad value": (
        entities_gate(SettingsRow(True, {"concurrency": 0})),
        "The settings of 'entity_enrichment' can't be used: 'concurrency' is 0 and must be at least 1.",
    ),
    "nobody can tell": (
        DatabaseUnavailable("PostgreSQL at db:5432/assets can't be reached: check its address."),
        "PostgreSQL at db:5432/assets can't be reached: check its address.",
    ),
}


@pytest.fixture(scope="module")
def one_instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """An instance on disk with a queue, as production has: a schedule takes no other."""
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
    """Evaluates sensors and schedules as the daemon does, on test databases; a sensor's cursor is kept."""

    def __init__(
        self,
        assets_db: ClonedDatabase,
        operation_db: ClonedDatabase,
        instance: dg.DagsterInstance,
        settings: FakeSettings | None = None,
        gemini: FakeGemini | None = None,
    ) -> None:
        self.instance = instance
        self.cursor: str | None = None
        self.gemini = gemini or FakeGemini()
        self._resources = {
            "assets_db": FollowedDatabase(assets_db, operation_db),
            "operation_db": operation_db,
            "settings": settings or FakeSettings(OPEN),
            "gemini": self.gemini,
        }

    def sensor(self, name: str) -> Any:
        sensor = next(item for item in DEFINITIONS.get_repository_def().sensor_defs if item.name == name)
        needed = {key: self._resources[key] for key in sensor.required_resource_keys}
        with dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, resources=needed, definitions=DEFINITIONS
        ) as context:
            data = sensor.evaluate_tick(context)
        self.cursor = data.cursor
        if data.skip_message:
            assert skip_reason(data.cursor, data.skip_message) is not None, "the page can't say it in Korean"
        return data

    def schedule(self) -> Any:
        needed = {key: self._resources[key] for key in automation.enrichment_schedule.required_resource_keys}
        with dg.build_schedule_context(
            instance=self.instance,
            resources=needed,
            scheduled_execution_time=datetime.now(UTC),
            repository_def=DEFINITIONS.get_repository_def(),
        ) as context:
            return automation.enrichment_schedule.evaluate_tick(context)


@pytest.fixture
def tick(assets_db: ClonedDatabase, operation_db: ClonedDatabase, instance: dg.DagsterInstance) -> Tick:
    return Tick(assets_db, operation_db, instance)


def post(database: ClonedDatabase, day: date, number: int = 1, *, updated_at: datetime | None = None) -> None:
    at = datetime(day.year, day.month, day.day, 9, number, tzinfo=UTC)
    with database.connection() as connection:
        connection.execute(
            "insert into raw_posts (platform, external_id, platform_metadata, created_at, updated_at) "
            "values ('instagram', %s, %s, %s, %s)",
            [f"{day}-{number}", Jsonb({"tagged_usernames": ["prada"]}), at, updated_at or at],
        )


def account(
    database: ClonedDatabase, username: str, cohort: date | None, posts: int = 1, **stages: Any
) -> None:
    section = {"tagging": {"posts": posts}, **stages}
    if cohort:
        section["cohort"] = cohort.isoformat()
    with database.connection() as connection:
        connection.execute(
            "insert into instagram_accounts (username, metadata, created_at) values (%s, %s, %s)",
            [username, Jsonb({"entity_enrichment": section}), cohort or MONDAY],
        )


def running(
    instance: dg.DagsterInstance,
    job: str,
    first: date,
    last: date | None = None,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
) -> dg.DagsterRun:
    tags = {"dagster/partition": first.isoformat()}
    if last:
        tags = {
            "dagster/asset_partition_range_start": first.isoformat(),
            "dagster/asset_partition_range_end": last.isoformat(),
        }
    return instance.create_run_for_job(
        DEFINITIONS.resolve_job_def(job), tags=tags, status=status, remote_job_origin=origin(job)
    )


def origin(job: str) -> RemoteJobOrigin:
    """The place the job would be loaded from, without which a run can't be queued."""
    location = RegisteredCodeLocationOrigin("entity_pipeline")
    return RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), job)


def asked_for(data: Any) -> list[tuple[str, str]]:
    """First and last day of every requested run."""
    found = []
    for request in data.run_requests:
        tags = request.tags
        key = request.partition_key
        found.append(
            (key, key)
            if key
            else (tags["dagster/asset_partition_range_start"], tags["dagster/asset_partition_range_end"])
        )
    return found


def days(*pairs: tuple[date, date]) -> list[tuple[str, str]]:
    return [(first.isoformat(), last.isoformat()) for first, last in pairs]


EVALUATIONS: dict[str, Callable[[Tick], Any]] = {
    "new_posts_sensor": lambda tick: tick.sensor("new_posts_sensor"),
    "catalog_links_sensor": lambda tick: tick.sensor("catalog_links_sensor"),
    "unfinished_runs_sensor": lambda tick: tick.sensor("unfinished_runs_sensor"),
    "enrichment_schedule": lambda tick: tick.schedule(),
}


@pytest.mark.parametrize("why", HOLDS)
@pytest.mark.parametrize("name", EVALUATIONS)
def test_a_closed_gate_holds_everything_and_says_which(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, instance: dg.DagsterInstance, name: str, why: str
) -> None:
    closed, sentence = HOLDS[why]
    post(assets_db, MONDAY)
    account(operation_db, "prada", MONDAY, gemini_review={"status": "reviewed"})
    account(operation_db, "timberland", MONDAY)
    tick = Tick(assets_db, operation_db, instance, FakeSettings(closed))
    data = EVALUATIONS[name](tick)
    assert (data.run_requests, data.skip_message) == ([], sentence)
    assert tick.gemini.sweeps == 0


def test_new_posts_are_asked_for_by_day_in_ranges(tick: Tick, assets_db: ClonedDatabase) -> None:
    for day in (MONDAY, TUESDAY, THURSDAY):
        post(assets_db, day)
    data = tick.sensor("new_posts_sensor")
    assert asked_for(data) == days((MONDAY, TUESDAY), (THURSDAY, THURSDAY))
    assert {request.job_name for request in data.run_requests} <= {None, "intake_job"}


def test_posts_older_than_the_first_partition_go_into_it(tick: Tick, assets_db: ClonedDatabase) -> None:
    post(assets_db, date(2019, 5, 1))
    assert asked_for(tick.sensor("new_posts_sensor")) == days((FIRST_DAY, FIRST_DAY))


def test_posts_dated_in_the_future_wait_for_their_day(tick: Tick, assets_db: ClonedDatabase) -> None:
    post(assets_db, last_day(datetime.now(UTC)) + timedelta(days=3))
    assert tick.sensor("new_posts_sensor").run_requests == []


def test_the_cursor_moves_on_and_the_tick_says_that_nothing_is_new(
    tick: Tick, assets_db: ClonedDatabase
) -> None:
    post(assets_db, MONDAY)
    tick.sensor("new_posts_sensor")
    assert tick.cursor
    data = tick.sensor("new_posts_sensor")
    assert (data.run_requests, data.skip_message) == ([], "No post changed since the last look.")


def ended(
    instance: dg.DagsterInstance,
    first: date,
    last: date,
    how: dg.DagsterRunStatus,
    job: str = "intake_job",
) -> None:
    """Record a run that ended just now."""
    run = running(instance, job, first, last)
    event = {
        dg.DagsterRunStatus.FAILURE: dg.DagsterEventType.RUN_FAILURE,
        dg.DagsterRunStatus.CANCELED: dg.DagsterEventType.RUN_CANCELED,
        dg.DagsterRunStatus.SUCCESS: dg.DagsterEventType.RUN_SUCCESS,
    }[how]
    instance.report_dagster_event(dg.DagsterEvent(event.value, job), run.run_id)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (dg.DagsterRunStatus.FAILURE, days((MONDAY, TUESDAY))),
        (dg.DagsterRunStatus.CANCELED, days((MONDAY, TUESDAY))),
        (dg.DagsterRunStatus.SUCCESS, []),
    ],
    ids=lambda value: value.name if isinstance(value, dg.DagsterRunStatus) else "",
)
def test_days_whose_intake_did_not_finish_are_asked_for_again(
    tick: Tick,
    assets_db: ClonedDatabase,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    how: dg.DagsterRunStatus,
    expected: list[tuple[str, str]],
) -> None:
    post(assets_db, MONDAY)
    tick.sensor("new_posts_sensor")
    ended(instance, MONDAY, TUESDAY, how)
    assert tick.sensor("new_posts_sensor").run_requests == [], (
        "not at once: what is broken stays broken a while"
    )
    monkeypatch.setattr(unfinished, "RETRY_AFTER", timedelta(0))
    assert asked_for(tick.sensor("new_posts_sensor")) == expected
    assert tick.sensor("new_posts_sensor").run_requests == [], "once for each run that did not finish"


def test_a_day_that_changes_again_is_asked_for_again_under_another_key(
    tick: Tick, assets_db: ClonedDatabase
) -> None:
    post(assets_db, MONDAY)
    (first,) = tick.sensor("new_posts_sensor").run_requests
    post(assets_db, MONDAY, 2, updated_at=datetime(2026, 11, 20, tzinfo=UTC))
    (second,) = tick.sensor("new_posts_sensor").run_requests
    assert first.tags == second.tags
    assert first.run_key != second.run_key


def test_a_day_that_changed_is_asked_for_even_while_a_run_works_on_it(
    tick: Tick, assets_db: ClonedDatabase
) -> None:
    post(assets_db, MONDAY)
    running(tick.instance, "intake_job", MONDAY)
    assert asked_for(tick.sensor("new_posts_sensor")) == days((MONDAY, MONDAY))


def test_days_with_accounts_of_no_cohort_are_asked_for_again_when_there_are_more_of_them(
    tick: Tick, operation_db: ClonedDatabase
) -> None:
    account(operation_db, "older", None)
    assert asked_for(tick.sensor("new_posts_sensor")) == days((MONDAY, MONDAY))
    assert tick.sensor("new_posts_sensor").run_requests == []
    account(operation_db, "another", None)
    assert asked_for(tick.sensor("new_posts_sensor")) == days((MONDAY, MONDAY))
    account(operation_db, "third", None)
    running(tick.instance, "intake_job", FIRST_DAY, TUESDAY, dg.DagsterRunStatus.QUEUED)
    assert tick.sensor("new_posts_sensor").run_requests == []


def test_the_most_tagged_accounts_are_asked_for_by_cohort_within_the_limit(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    for number, (cohort, posts) in enumerate([(MONDAY, 9), (MONDAY, 1), (TUESDAY, 8), (TUESDAY, 7)]):
        account(operation_db, f"account{number}", cohort, posts)
    settings = FakeSettings(Open(EntitySettings(accounts_per_tick=3)))
    tick = Tick(assets_db, operation_db, instance, settings)
    data = tick.schedule()
    assert asked_for(data) == days((MONDAY, MONDAY), (TUESDAY, TUESDAY))
    assert [request.run_config["ops"]["gemini_reviews"]["config"] for request in data.run_requests] == [
        {"limit": 1, "refresh": "none", "dry_run": False},
        {"limit": 2, "refresh": "none", "dry_run": False},
    ]
    assert tick.gemini.sweeps == 1
    keys = {request.run_key for request in data.run_requests}
    assert keys.isdisjoint(request.run_key for request in tick.schedule().run_requests)


def test_the_config_that_is_asked_for_is_one_the_job_takes(tick: Tick, operation_db: ClonedDatabase) -> None:
    account(operation_db, "prada", MONDAY)
    (request,) = tick.schedule().run_requests
    assert dg.validate_run_config(DEFINITIONS.resolve_job_def("enrichment_job"), request.run_config)


@pytest.mark.parametrize(
    "status",
    [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING],
)
def test_cohorts_in_flight_are_never_planned(
    tick: Tick, operation_db: ClonedDatabase, status: dg.DagsterRunStatus
) -> None:
    account(operation_db, "monday", MONDAY)
    account(operation_db, "thursday", THURSDAY)
    running(tick.instance, "enrichment_job", MONDAY, WEDNESDAY, status)
    assert asked_for(tick.schedule()) == days((THURSDAY, THURSDAY))
    running(tick.instance, "enrichment_job", THURSDAY, status=status)
    assert tick.schedule().skip_message == (
        "A run is at work. No account of any other cohort waits for a review."
    )


def test_runs_that_ended_or_do_other_work_are_not_in_flight(tick: Tick, operation_db: ClonedDatabase) -> None:
    account(operation_db, "monday", MONDAY)
    for status in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED):
        running(tick.instance, "enrichment_job", MONDAY, status=status)
    running(tick.instance, "linking_job", MONDAY)
    assert asked_for(tick.schedule()) == days((MONDAY, MONDAY))


def test_a_backfill_from_the_ui_is_in_flight_as_well(tick: Tick, operation_db: ClonedDatabase) -> None:
    account(operation_db, "monday", MONDAY)
    tick.instance.create_run_for_job(
        DEFINITIONS.resolve_implicit_global_asset_job_def(),
        tags={"dagster/partition": MONDAY.isoformat()},
        status=dg.DagsterRunStatus.STARTED,
        asset_selection=frozenset({dg.AssetKey("gemini_reviews")}),
    )
    assert tick.schedule().run_requests == []


@pytest.mark.parametrize(
    ("gemini", "sentence"),
    [
        (FakeGemini(cap=5, used=5), "The cap of 5 grounded prompts is reached"),
        (
            FakeGemini(blocked_until=datetime(2099, 1, 1, tzinfo=UTC)),
            "Google refuses requests until 2099-01-01",
        ),
        (FakeGemini(share_is_spent=True), "'entities' has spent its share of 1 USD"),
    ],
    ids=["cap", "blocked", "share"],
)
def test_a_quota_that_is_used_up_is_the_reason(
    assets_db: ClonedDatabase,
    operation_db: ClonedDatabase,
    instance: dg.DagsterInstance,
    gemini: FakeGemini,
    sentence: str,
) -> None:
    account(operation_db, "prada", MONDAY)
    data = Tick(assets_db, operation_db, instance, gemini=gemini).schedule()
    assert data.run_requests == []
    assert data.skip_message.startswith(sentence)


def test_a_tick_with_nothing_to_review_says_so(tick: Tick, operation_db: ClonedDatabase) -> None:
    account(operation_db, "done", MONDAY, gemini_review={"status": "reviewed"})
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    account(operation_db, "later", MONDAY, gemini_review={"status": "deferred", "next_attempt_at": later})
    assert tick.schedule().skip_message == "No account waits for a review."


def test_deferred_profiles_are_looked_at_again_although_the_reviews_are_done(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    done = {"status": "reviewed"}
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    account(operation_db, "due", MONDAY, gemini_review=done, profile_backfill={"status": "deferred"})
    account(operation_db, "found", TUESDAY, gemini_review=done, profile_backfill={"status": "found"})
    deferred = {"status": "deferred", "next_attempt_at": later}
    account(operation_db, "not_yet", WEDNESDAY, gemini_review=done, profile_backfill=deferred)
    assert Tick(assets_db, operation_db, instance).schedule().run_requests == []
    on = Open(EntitySettings(instagram_backfill_enabled=True))
    settings = FakeSettings(on, shared=(InstagramSettings(terms_acknowledged=True),))
    data = Tick(assets_db, operation_db, instance, settings).schedule()
    assert asked_for(data) == days((MONDAY, MONDAY))
    ops = data.run_requests[0].run_config["ops"]
    assert ops["gemini_reviews"]["config"]["limit"] == 0
    assert ops["instagram_profiles"]["config"]["limit"] > 0


def test_no_more_profiles_are_planned_than_the_window_lets_through_before_the_next_tick(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    for posts, cohort in enumerate([MONDAY, TUESDAY, WEDNESDAY], start=1):
        account(operation_db, f"account{posts}", cohort, posts, gemini_review={"status": "reviewed"})
    eight = InstagramSettings(terms_acknowledged=True, windows=InstagramWindows(per_hour=8))
    settings = FakeSettings(Open(EntitySettings(instagram_backfill_enabled=True)), shared=(eight,))
    data = Tick(assets_db, operation_db, instance, settings).schedule()
    assert asked_for(data) == days((TUESDAY, TUESDAY), (WEDNESDAY, WEDNESDAY))


def test_reviewed_accounts_without_a_decision_are_linked_by_range(
    tick: Tick, operation_db: ClonedDatabase
) -> None:
    for day in (MONDAY, TUESDAY, THURSDAY):
        account(operation_db, f"of.{day.day}", day, gemini_review={"status": "reviewed"})
    data = tick.sensor("catalog_links_sensor")
    assert asked_for(data) == days((MONDAY, TUESDAY), (THURSDAY, THURSDAY))
    assert tick.sensor("catalog_links_sensor").skip_message.startswith("No account changed since")
    account(operation_db, "of.late", THURSDAY, gemini_review={"status": "reviewed"})
    running(tick.instance, "linking_job", MONDAY, WEDNESDAY)
    again = tick.sensor("catalog_links_sensor")
    assert asked_for(again) == days((THURSDAY, THURSDAY))
    keys = {request.run_key for request in data.run_requests}
    assert keys.isdisjoint(request.run_key for request in again.run_requests)
    running(tick.instance, "linking_job", THURSDAY)
    assert tick.sensor("catalog_links_sensor").skip_message == (
        "Every cohort with undecided accounts is already being worked on."
    )


def test_a_refused_link_is_tried_again_and_not_with_every_tick(
    tick: Tick, operation_db: ClonedDatabase
) -> None:
    link = {"status": "held", "reasons": ["write_refused"]}
    account(operation_db, "locked", MONDAY, gemini_review={"status": "reviewed"}, catalog_link=link)
    assert asked_for(tick.sensor("catalog_links_sensor")) == days((MONDAY, MONDAY))
    assert tick.sensor("catalog_links_sensor").run_requests == []
    tick.cursor = "nonsense"
    assert asked_for(tick.sensor("catalog_links_sensor")) == days((MONDAY, MONDAY))


def test_a_tick_with_nothing_to_link_says_so(tick: Tick, operation_db: ClonedDatabase) -> None:
    account(operation_db, "pending", MONDAY)
    assert tick.sensor("catalog_links_sensor").skip_message == "Every reviewed account has a decision."


def test_switching_off_empties_the_queue_and_leaves_what_runs(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    queued = [
        running(instance, job, MONDAY, status=dg.DagsterRunStatus.QUEUED)
        for job in ("intake_job", "enrichment_job", "linking_job")
    ]
    started = running(instance, "enrichment_job", TUESDAY)
    spend = instance.create_run_for_job(
        DEFINITIONS.resolve_job_def("spend_job"),
        status=dg.DagsterRunStatus.QUEUED,
        remote_job_origin=origin("spend_job"),
    )
    tick = Tick(assets_db, operation_db, instance, FakeSettings(Closed.because("Switched off.")))

    def status(run: dg.DagsterRun) -> str:
        found = instance.get_run_by_id(run.run_id)
        assert found is not None
        return found.status.value

    data = tick.sensor("switch_off_sensor")
    assert data.skip_message.startswith("entities: Switched off. 3 queued runs were cancelled.")
    assert [status(run) for run in queued] == ["CANCELED"] * 3
    assert (status(started), status(spend)) == ("STARTED", "QUEUED")
    again = tick.sensor("switch_off_sensor")
    assert again.skip_message.startswith("entities: Switched off. No run was queued.")


def test_while_the_pipeline_is_on_the_queue_is_left_alone(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    queued = running(instance, "enrichment_job", MONDAY, status=dg.DagsterRunStatus.QUEUED)
    tick = Tick(assets_db, operation_db, instance)
    assert tick.sensor("switch_off_sensor").skip_message == "Every domain is switched on."
    found = instance.get_run_by_id(queued.run_id)
    assert found is not None
    assert found.status is dg.DagsterRunStatus.QUEUED


def test_cohorts_whose_run_died_are_looked_at_once_more_without_paying(
    tick: Tick, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tick.sensor("unfinished_runs_sensor").run_requests == []
    ended(instance, MONDAY, MONDAY, dg.DagsterRunStatus.FAILURE, "enrichment_job")
    ended(instance, TUESDAY, TUESDAY, dg.DagsterRunStatus.CANCELED, "linking_job")
    ended(instance, TUESDAY, TUESDAY, dg.DagsterRunStatus.SUCCESS, "enrichment_job")
    assert tick.sensor("unfinished_runs_sensor").run_requests == [], "not at once"
    monkeypatch.setattr(unfinished, "RETRY_AFTER", timedelta(0))
    data = tick.sensor("unfinished_runs_sensor")
    assert [request.job_name for request in data.run_requests] == ["enrichment_job", "linking_job"]
    assert asked_for(data) == days((MONDAY, MONDAY), (TUESDAY, TUESDAY))
    assert data.run_requests[0].run_config == jobs.enrichment_config(0)
    assert tick.sensor("unfinished_runs_sensor").run_requests == [], "once for each run"


def test_a_cohort_that_is_worked_on_again_needs_no_second_look(
    tick: Tick, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unfinished, "RETRY_AFTER", timedelta(0))
    ended(instance, MONDAY, MONDAY, dg.DagsterRunStatus.FAILURE, "enrichment_job")
    running(instance, "enrichment_job", MONDAY)
    assert tick.sensor("unfinished_runs_sensor").run_requests == []


def test_the_sensor_of_the_list_says_how_far_it_has_followed(
    tick: Tick, operation_db: ClonedDatabase
) -> None:
    account(operation_db, "prada", MONDAY)
    said = tick.sensor("changed_accounts_sensor").skip_message
    assert re.fullmatch(r"Rows brought up to date: \d\. The list is as of [-0-9]+ [:0-9]+ UTC\.", said)
    found = skip_reason(tick.cursor, said)
    assert found is not None
    assert re.match(r"최신 상태로 맞춘 행: \d개\. 목록 기준 시각: ", sentence(found, "ko"))
