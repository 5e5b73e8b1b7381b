"""Ticks and runs from a real instance of Dagster, and the message without one."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import dagster as dg
import pytest

# Dagster makes ticks in its daemon only, so nothing public makes one for a test.
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickData,
    TickStatus,
)

from entity_pipeline.admin import dagster_records
from entity_pipeline.admin.dagster_records import DagsterRecords
from entity_pipeline.admin.texts import SHELL
from entity_pipeline.core.reasons import Reason
from entity_pipeline.shared.runs.skips import skipped
from entity_pipeline_tests.admin.installations import automation, no_dagster


def test_runs_in_flight_have_links_and_name_their_domain() -> None:
    with dg.instance_for_test() as instance:
        run = instance.create_run_for_job(
            job_def=dg.GraphDefinition(name="enrichment_job").to_job(),
            status=dg.DagsterRunStatus.STARTED,
            tags={"dagster/partition": "2026-11-01"},
        )
        figures = DagsterRecords("http://127.0.0.1:3000", lambda: instance, automation()).figures()
    assert figures.away is None
    assert [(found.job, found.partitions, found.url, found.domains) for found in figures.runs] == [
        ("enrichment_job", "2026-11-01", f"http://127.0.0.1:3000/runs/{run.run_id}", ["entities"])
    ]


def test_a_backfill_is_called_by_its_assets() -> None:
    @dg.asset
    def reviews() -> None: ...

    with dg.instance_for_test() as instance:
        instance.create_run_for_job(
            job_def=dg.Definitions([reviews]).resolve_implicit_global_asset_job_def(),
            status=dg.DagsterRunStatus.STARTED,
            asset_selection=frozenset({dg.AssetKey("reviews")}),
        )
        figures = DagsterRecords(None, lambda: instance).figures()
    assert [run.job for run in figures.runs] == ["reviews"]


def test_each_schedule_and_sensor_has_its_newest_tick_and_schedules_come_first() -> None:
    with dg.instance_for_test() as instance:
        for nth in range(9):
            tick(instance, "often_sensor", InstigatorType.SENSOR, at=1_000 + 30 * nth, says=f"look {nth}")
        tick(instance, "seldom_sensor", InstigatorType.SENSOR, at=1_100, says="nothing new")
        tick(instance, "enrichment_schedule", InstigatorType.SCHEDULE, at=900, says="nothing waits")
        tick(instance, "seldom_sensor", InstigatorType.SENSOR, at=500, says="of another place", place="old")
        figures = DagsterRecords(None, lambda: instance).figures()
    assert [(found.name, found.said) for found in figures.ticks] == [
        ("enrichment_schedule", "nothing waits"),
        ("often_sensor", "look 8"),
        ("seldom_sensor", "nothing new"),
    ]


def test_a_sensors_reason_is_a_value_and_any_other_sentence_stays_as_it_is() -> None:
    reason = Reason(SHELL, "no_dagster_home")
    with dg.instance_for_test() as instance:
        cursor = skipped(reason, None).cursor
        tick(instance, "a_sensor", InstigatorType.SENSOR, at=1_000, says=str(reason), cursor=cursor)
        tick(
            instance, "b_sensor", InstigatorType.SENSOR, at=900, says="Of an earlier release.", cursor=cursor
        )
        figures = DagsterRecords(None, lambda: instance).figures()
    assert [found.said for found in figures.ticks] == [reason, "Of an earlier release."]
    assert figures.model_dump(mode="json")["ticks"][0]["said"] == str(reason)


def test_many_readers_at_once_all_get_the_answer() -> None:
    with dg.instance_for_test() as instance:

        def slow() -> dg.DagsterInstance:
            time.sleep(0.2)
            return instance

        records = DagsterRecords(None, slow)
        with ThreadPoolExecutor(8) as people:
            answers = list(people.map(lambda _: records.figures().away, range(8)))
    assert answers == [None] * 8


def test_a_different_question_in_the_meantime_gets_an_answer_too() -> None:
    with dg.instance_for_test() as instance:

        def count(asked: dg.DagsterInstance) -> int:
            time.sleep(0.1)
            return asked.get_runs_count()

        records = DagsterRecords(None, lambda: instance)
        with ThreadPoolExecutor(4) as programs:
            counts = list(programs.map(lambda _: records.asked(count), range(4)))
    assert counts == [0] * 4
    assert DagsterRecords(None, no_dagster).asked(count) is None


def test_without_dagsters_storage_the_page_says_so() -> None:
    records = DagsterRecords(None, no_dagster)
    figures = records.figures()
    assert figures.away is not None
    assert "DAGSTER_POSTGRES_URL" in str(figures.away)
    assert (figures.runs, figures.ticks) == ([], [])
    assert records.problem() is not None


def test_without_dagster_home_the_page_says_which_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    assert "DAGSTER_HOME is not set" in str(DagsterRecords().figures().away)


def test_a_storage_that_never_answers_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dagster_records, "PATIENCE_S", 0.05)
    answered = threading.Event()

    def hang() -> dg.DagsterInstance:
        answered.wait(30)
        raise dg.DagsterError("late")

    figures = DagsterRecords(None, hang).figures()
    answered.set()
    assert "did not answer" in str(figures.away)


def tick(
    instance: dg.DagsterInstance,
    name: str,
    kind: InstigatorType,
    *,
    at: float,
    says: str,
    place: str = "here",
    cursor: str | None = None,
) -> None:
    """Record one skipped evaluation as the daemon does."""
    location = RegisteredCodeLocationOrigin(place)
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), name)
    data = ScheduleInstigatorData("* * * * *") if kind is InstigatorType.SCHEDULE else SensorInstigatorData()
    state = InstigatorState(origin, kind, InstigatorStatus.DECLARED_IN_CODE, data)
    if instance.get_instigator_state(state.instigator_origin_id, state.selector_id) is None:
        instance.add_instigator_state(state)
    instance.create_tick(
        TickData(
            instigator_origin_id=state.instigator_origin_id,
            instigator_name=name,
            instigator_type=kind,
            status=TickStatus.SKIPPED,
            timestamp=float(at),
            selector_id=state.selector_id,
            skip_reason=says,
            cursor=cursor,
        )
    )
