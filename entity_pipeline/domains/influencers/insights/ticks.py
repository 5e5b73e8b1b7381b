"""What a tick does: it reads whether there is work, and says in a sentence why it waits."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
from psycopg import Connection

from entity_pipeline.core.gemini.access import GeminiBatches
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import Closed, SettingsAccess
from entity_pipeline.domains.influencers.insights import STEP, jobs
from entity_pipeline.domains.influencers.insights.queries.insights import waiting
from entity_pipeline.domains.influencers.insights.queries.pictures import has_pictures_to_fetch
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.reasons import because
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.runs.domain_runs import IN_FLIGHT
from entity_pipeline.shared.runs.gate import gate_of
from entity_pipeline.shared.runs.locations import our_runs

Tick = dg.RunRequest | dg.SkipReason


def waiting_tasks(
    context: dg.ScheduleEvaluationContext, assets_db: Database, settings: SettingsAccess
) -> Tick:
    """One run when a batch is due, pictures may expire, or tasks wait although insights are off."""
    gate = gate_of(settings, InfluencerSettings)
    if isinstance(gate, Closed):
        return dg.SkipReason(str(gate.reason))
    wanted = gate.settings
    with assets_db.connection() as connection:
        found = waiting(connection)
        if not found.tasks:
            return dg.SkipReason(str(because("tick.no_insights_wanted")))
        is_due = found.is_batch_due(
            datetime.now(UTC), tasks=wanted.insights_batch_tasks, hours=wanted.insights_wait_hours
        )
        if not (is_due or not wanted.insights_are_on or _wants_pictures(connection, wanted)):
            return dg.SkipReason(str(because("tick.few_insights_wanted", tasks=found.tasks)))
    return _unless_running(context, jobs.submit_job.name)


def open_batches(
    context: dg.ScheduleEvaluationContext,
    job: str,
    assets_db: Database,
    settings: SettingsAccess,
    gemini: GeminiBatches,
) -> Tick:
    """One run when a batch is open, or tasks still wait for one that has ended."""
    gate = gate_of(settings, InfluencerSettings)
    if isinstance(gate, Closed):
        return dg.SkipReason(str(gate.reason))
    with assets_db.connection() as connection:
        noted = STORE.batches(connection)
    if not noted and not gemini.open_batches(STEP):
        return dg.SkipReason(str(because("tick.no_open_batch")))
    return _unless_running(context, job)


def _wants_pictures(connection: Connection[Any], settings: InfluencerSettings) -> bool:
    return bool(settings.insights_pictures) and has_pictures_to_fetch(connection, settings.insights_pictures)


def _unless_running(context: dg.ScheduleEvaluationContext, job: str) -> Tick:
    running = our_runs(context.instance, dg.RunsFilter(job_name=job, statuses=IN_FLIGHT))
    if next(iter(running), None) is not None:
        return dg.SkipReason(str(because("tick.insights_run_in_flight")))
    return dg.RunRequest()
