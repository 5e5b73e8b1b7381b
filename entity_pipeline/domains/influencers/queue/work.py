"""What the runs of the queue do: one over all due tasks, and one over the tasks of chosen days."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import dagster as dg

from entity_pipeline.core.instagram.access import InstagramAccess
from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import SettingsAccess
from entity_pipeline.core.tracing import Tracing
from entity_pipeline.domains.influencers import KEY
from entity_pipeline.domains.influencers.jobs import STEP_LIMIT
from entity_pipeline.domains.influencers.models import TaskType
from entity_pipeline.domains.influencers.partitions import span_of_keys
from entity_pipeline.domains.influencers.queue.days import (
    ASSETS_OF_TYPE,
    ended_days,
    open_tasks,
    report_ended,
)
from entity_pipeline.domains.influencers.queue.handlers import HANDLERS
from entity_pipeline.domains.influencers.queue.held import note_held
from entity_pipeline.domains.influencers.queue.observed import state_of_the_queue
from entity_pipeline.domains.influencers.queue.run import BESIDE, QueueReport, QueueRun
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.reporting.metadata import counts_table
from entity_pipeline.shared.reporting.partitions import days_in_words, end_partitions
from entity_pipeline.shared.runs.gate import open_settings

# A run over days goes on for as long as there are tasks.
DAYS_LIMIT = timedelta(minutes=50)


def work_in_a_tick(
    context: dg.OpExecutionContext,
    *,
    assets_db: Database,
    settings: SettingsAccess,
    instagram: InstagramAccess,
    tracing: Tracing,
) -> None:
    """Work on up to `tasks_per_tick` due tasks, the most urgent first."""
    run = _run(context.run.run_id, assets_db, settings, instagram, STEP_LIMIT)
    with tracing.step("influencers_queue"):
        report = run.once(partial(STORE.claim, types=list(HANDLERS)))
    _note(context, report)
    metadata = _metadata(report)
    days = report_ended(context, ended_days(assets_db, report.claimed), metadata)
    context.log_event(dg.AssetObservation("scrape_tasks", metadata=state_of_the_queue(assets_db)))
    context.add_output_metadata({**metadata, "days_finished": ", ".join(days) or "none"})


def work_on_days(
    context: dg.AssetExecutionContext,
    task_type: TaskType,
    *,
    assets_db: Database,
    settings: SettingsAccess,
    instagram: InstagramAccess,
    tracing: Tracing,
) -> Iterator[dg.MaterializeResult]:
    """Work on the due tasks of this type that were made on the run's days, until all are done or none may go on.

    A day turns green when every such task has ended. The others get an observation with the reason.
    """
    keys = list(context.partition_keys)
    made = span_of_keys(keys)
    run = _run(context.run.run_id, assets_db, settings, instagram, DAYS_LIMIT)
    with tracing.step(f"influencers_{task_type}"):
        report = run.until_done(partial(STORE.claim_made, made=made, types=[task_type]))
    _note(context, report)
    first, last = date.fromisoformat(min(keys)), date.fromisoformat(max(keys))
    counts = patiently_on(assets_db, partial(open_tasks, task_type=task_type, first=first, last=last))
    left = {key: count for key in keys if (count := counts.get(date.fromisoformat(key), 0))}
    waiting = (
        report.held_because or "The tasks that are left wait for their next attempt, or another run has them."
    )

    def details(key: str) -> Mapping[str, Any]:
        metadata = {"run_covers": days_in_words(keys), "tasks_left": left.get(key, 0), **_metadata(report)}
        return metadata | ({"held_because": waiting} if key in left else {})

    if left:
        context.log.warning(waiting)
    yield from end_partitions(context, ASSETS_OF_TYPE[task_type], left, details, "tasks that have not ended")


def _run(
    run_id: str, assets_db: Database, settings: SettingsAccess, instagram: InstagramAccess, limit: timedelta
) -> QueueRun:
    open_settings(settings, InfluencerSettings, *BESIDE)
    return QueueRun(run_id, assets_db, settings, instagram.session(KEY), datetime.now(UTC) + limit)


def _note(context: dg.OpExecutionContext | dg.AssetExecutionContext, report: QueueReport) -> None:
    if report.held_because:
        context.log.warning(f"{report.left} tasks were given back: {report.held_because}")
    if report.retry_at is not None:
        note_held(context.instance, context.run.run_id, report.retry_at)


def _metadata(report: QueueReport) -> dict[str, Any]:
    return {
        "tasks_claimed": len(report.claimed),
        "tasks_given_back": report.left,
        "held_because": report.held_because or "nothing",
        "this_run": counts_table(report.outcomes, counted="tasks"),
    }
