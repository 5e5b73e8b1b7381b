"""The asset, its jobs and its schedules in Dagster."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.definitions import build_definitions
from entity_pipeline.domains.influencers.insights import automation, jobs
from entity_pipeline.domains.influencers.insights.work import InsightsRun
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.resources.registry import resources_of_environment
from entity_pipeline.resources.settings_store import SettingsStore
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.insights.insight_cases import (
    SETTINGS,
    World,
    add_blog,
    description,
    reply,
    with_fake,
)
from entity_pipeline_tests.fakes.gemini_batches import FakeGeminiBatches
from entity_pipeline_tests.fakes.instagram import FakeInstagram
from entity_pipeline_tests.settings_rows import put_row

NAMES = ("anna", "boris", "cholpon")


class Untraced:
    """No trace."""

    def step(self, name: str) -> Any:
        return nullcontext()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """On disk: a schedule takes no other."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


def switch(database: ClonedDatabase, *, on: bool = True, **changes: Any) -> SettingsStore:
    wanted = SETTINGS.model_copy(update=changes).model_dump(mode="json", exclude_unset=True)
    with database.connection() as connection:
        put_row(connection, InfluencerSettings, wanted, on=on)
        put_row(connection, GeminiSettings, {})
        put_row(connection, InstagramSettings, {"terms_acknowledged": True})
    return SettingsStore(assets_db=database)  # type: ignore[arg-type]


def three(database: ClonedDatabase) -> World:
    """Three blogs that wait, and a fake that answers about each once."""
    ids = {name: str(add_blog(database, name)) for name in NAMES}
    fake = FakeGeminiBatches({key: [reply(text_about(key, name))] for name, key in ids.items()}, looks=1)
    return with_fake(database, fake)


def text_about(key: str, name: str) -> str:
    import json

    return json.dumps(description({"key": key, "posts": [{"code": f"{name}-0"}]}))


def run_job(made: World, settings: Any, job: str, instance: dg.DagsterInstance) -> dict[str, Any]:
    """Run a job as the definitions have it; returns the metadata of `ai_insights`."""
    definitions = build_definitions(
        {
            "assets_db": made.database,
            "settings": settings,
            "gemini": made.gemini,
            "instagram": FakeInstagram(),
            "r2": made.store,
            "tracing": Untraced(),
        }
    )
    result = definitions.resolve_job_def(job).execute_in_process(instance=instance)
    assert result.success
    [event] = [
        one
        for one in result.get_asset_materialization_events()
        if one.asset_key == dg.AssetKey("ai_insights")
    ]
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_the_jobs_submit_collect_and_remove(assets_db: ClonedDatabase, instance: dg.DagsterInstance) -> None:
    made, settings = three(assets_db), switch(assets_db)
    submitted = run_job(made, settings, "influencers_insights_submit_job", instance)
    assert (submitted["batches_submitted"], submitted["held_because"]) == (1, "nothing")
    waits = run_job(made, settings, "influencers_poll_batches_job", instance)
    assert (waits["batches_ended"], waits["batches_cancelled"]) == (0, 0)
    ended = run_job(made, settings, "influencers_retry_stale_batches_job", instance)
    assert ended["batches_ended"] == 1
    assert {task[:2] for task in made.tasks().values()} == {("done", None)}
    made.run_sql("update blogs set ai_analyzed_at = now() - interval '400 days' where username = 'anna'")
    removed = run_job(made, settings, "influencers_insights_retention_job", instance)
    assert removed["insights_removed"] == 1


def test_an_overdue_batch_is_warned_of_and_cancelled_by_the_stale_job_only(assets_db: ClonedDatabase) -> None:
    ids = [str(add_blog(assets_db, name)) for name in NAMES]
    fake = FakeGeminiBatches({key: [None] for key in ids}, looks=100, overdue_from=1)
    made, settings, said = with_fake(assets_db, fake), switch(assets_db), list[str]()
    made.submit()
    run = InsightsRun(assets_db, settings, fake, FakeInstagram(), made.store, "run-1", timedelta(minutes=1))
    run.work("collect", said.append)
    assert fake.cancelled == []
    run.work("retry_stale", said.append)
    assert fake.cancelled == ["batch-1"]
    assert len(said) == 2
    assert "batch-1 is overdue" in said[0]


def test_a_run_of_a_domain_that_is_off_fails_and_no_tick_asks_for_one(
    assets_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    made, settings = three(assets_db), switch(assets_db, on=False)
    for job in jobs.jobs:
        with pytest.raises(dg.Failure, match="switched off"):
            run_job(made, settings, job.name, instance)
    assert made.gemini.submitted == []
    for ticked in ticks(made, settings, instance).values():
        assert isinstance(ticked, dg.SkipReason)
        assert "switched off" in str(ticked.skip_message)


def ticks(made: World, settings: Any, instance: dg.DagsterInstance) -> dict[str, Any]:
    """The decision of each schedule."""
    resources = {"assets_db": made.database, "settings": settings, "gemini": made.gemini}
    found = {}
    for schedule in automation.schedules:
        needed = {key: resources[key] for key in schedule.required_resource_keys}
        with dg.build_schedule_context(instance=instance, resources=needed) as context:
            found[schedule.name] = schedule(context)
    return found


def said(ticked: dict[str, Any]) -> dict[str, str]:
    return {
        name.removeprefix("influencers_").removesuffix("_schedule"): str(one.skip_message)
        if isinstance(one, dg.SkipReason)
        else "run"
        for name, one in ticked.items()
    }


def test_a_tick_runs_only_what_has_something_to_do(
    assets_db: ClonedDatabase, instance: dg.DagsterInstance
) -> None:
    settings = switch(assets_db)
    made = with_fake(assets_db, FakeGeminiBatches({}, looks=100))
    assert said(ticks(made, settings, instance)) == {
        "insights_submit": "No blog waits for its insights.",
        "poll_batches": "No batch is open, and no task waits for one.",
        "retry_stale_batches": "No batch is open, and no task waits for one.",
        "insights_retention": "run",
    }
    add_blog(assets_db, "anna")
    assert said(ticks(made, settings, instance))["insights_submit"] == "run", "its pictures may expire"
    made.run_sql("update blogs set avatar_url = null; update blog_posts set thumbnail_url = null")
    assert said(ticks(made, settings, instance))["insights_submit"].startswith("1 blogs wait")
    off = switch(assets_db, insights_enabled=False)
    assert said(ticks(made, off, instance))["insights_submit"] == "run", "the task ends as disabled"
    settings = switch(assets_db)
    add_blog(assets_db, "boris")
    add_blog(assets_db, "cholpon")
    assert said(ticks(made, settings, instance))["insights_submit"] == "run"
    made.submit()
    assert said(ticks(made, settings, instance))["poll_batches"] == "run"
    made.run_sql("update scrape_tasks set batch_key = null, status = 'pending'")
    assert said(ticks(made, settings, instance))["poll_batches"] == "run", (
        "a batch that no task noted is open"
    )


def test_a_tick_waits_for_the_run_before(assets_db: ClonedDatabase, instance: dg.DagsterInstance) -> None:
    settings = switch(assets_db)
    made = three(assets_db)
    job = build_definitions(dict.fromkeys(resources_of_environment(), "unused")).resolve_job_def(
        jobs.submit_job.name
    )
    instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert (
        said(ticks(made, settings, instance))["insights_submit"] == "A run of this job is queued or running."
    )
