"""What a tick does: it reads what is pending from the databases, and says in a sentence why it waits.

State is read from the databases and not from Dagster's own records, so it does not matter whether a schedule, a
backfill or a person at the command line caused it. Nothing here works on data: only SQL, within Dagster's 60 s.
"""

import json
from datetime import UTC, datetime

import dagster as dg

from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import Closed, SettingsAccess
from entity_pipeline.domains.entities import jobs
from entity_pipeline.domains.entities.accounts.backlog import Backlog, wanted_by_a_tick
from entity_pipeline.domains.entities.accounts.logic.plan import HoldOff
from entity_pipeline.domains.entities.accounts.logic.relaunch import Launches
from entity_pipeline.domains.entities.accounts.queries.intake import unadopted_days
from entity_pipeline.domains.entities.cohorts import every_cohort
from entity_pipeline.domains.entities.links.queries.overtaken import overtaken
from entity_pipeline.domains.entities.partitions import FIRST_DAY, last_day
from entity_pipeline.domains.entities.reasons import because
from entity_pipeline.domains.entities.reviews.question import STEP
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.domains.entities.tags.queries.raw_posts import ChangeCursor, changed_days
from entity_pipeline.shared.runs.gate import gate_of
from entity_pipeline.shared.runs.locations import own_locations
from entity_pipeline.shared.runs.requests import requests_for
from entity_pipeline.shared.runs.skips import cursor_object, skipped
from entity_pipeline.shared.runs.unfinished import RunWindow

POSTS_PER_TICK = 100_000


def changed_posts(
    context: dg.SensorEvaluationContext, assets_db: Database, operation_db: Database, settings: SettingsAccess
) -> dg.SensorResult:
    """Watch `raw_posts` by (updated_at, id), and earlier requested runs, whose days the cursor has already passed."""
    gate = gate_of(settings, EntitySettings)
    if isinstance(gate, Closed):
        return skipped(gate.reason, context.cursor)
    now = datetime.now(UTC)
    with assets_db.connection() as connection:
        days, cursor = changed_days(
            connection, ChangeCursor.from_json(context.cursor), POSTS_PER_TICK, first_day=FIRST_DAY
        )
    with operation_db.connection() as connection:
        adoptable = unadopted_days(connection, FIRST_DAY, last_day(now))
    window = RunWindow.after(context.cursor, now)
    unfinished = jobs.RUNS.unfinished(
        context.instance, jobs.INTAKE, window.since, window.until, _here(context)
    )
    # A post dated in the future waits until its day.
    launches = Launches.from_cursor(cursor_object(context.cursor))
    in_flight = jobs.RUNS.in_flight(context.instance, jobs.INTAKE, _here(context))
    adopting = launches.due(adoptable, (), now) - in_flight
    wanted = {day for day in days if day <= last_day(now)} | adopting | unfinished
    wanted -= in_flight - set(days)
    launched = launches.after(adopting, adoptable, (), now)
    text = json.dumps(json.loads(cursor.to_json()) | window.entry | launched.entry)
    if not wanted:
        return skipped(because("tick.no_new_post"), text)
    return dg.SensorResult(run_requests=requests_for(wanted, now), cursor=text)


def next_enrichment(
    context: dg.ScheduleEvaluationContext, assets_db: Database, settings: SettingsAccess, gemini: GeminiAccess
) -> list[dg.RunRequest] | dg.SkipReason:
    """One run for each cohort that has accounts among the chosen ones."""
    gate = gate_of(settings, EntitySettings)
    if isinstance(gate, Closed):
        return dg.SkipReason(str(gate.reason))
    gemini.sweep()
    quota = gemini.quota(STEP)
    now = datetime.now(UTC)
    in_flight = jobs.RUNS.in_flight(context.instance, jobs.ENRICHMENT)
    with assets_db.connection() as connection:
        backlog = Backlog(connection, every_cohort(now))
        decision = backlog.next_runs(gate, quota, in_flight, now, wanted_by_a_tick(gate.settings, settings))
    if isinstance(decision, HoldOff):
        return dg.SkipReason(str(decision.reason))
    return [
        dg.RunRequest(
            run_key=f"{day}@{now.isoformat()}",
            partition_key=day.isoformat(),
            run_config=jobs.enrichment_config(limit, profiles=gate.settings.accounts_per_tick),
        )
        for day, limit in decision.limits.items()
    ]


def undecided_cohorts(
    context: dg.SensorEvaluationContext, assets_db: Database, operation_db: Database, settings: SettingsAccess
) -> dg.SensorResult:
    """Look for reviewed but undecided accounts."""
    gate = gate_of(settings, EntitySettings)
    if isinstance(gate, Closed):
        return skipped(gate.reason, None)
    now = datetime.now(UTC)
    with operation_db.connection() as connection:
        again = overtaken(connection)
    with assets_db.connection() as connection:
        backlog = Backlog(connection, every_cohort(now))
        undecided, refused = backlog.undecided(again), backlog.refused()
    if not undecided and not refused:
        return skipped(because("tick.all_decided"), None)
    in_flight = jobs.RUNS.in_flight(context.instance, jobs.LINKING, _here(context))
    if undecided and in_flight >= undecided.keys():
        return skipped(because("tick.all_in_work"), context.cursor)
    launches = Launches.from_cursor(cursor_object(context.cursor))
    due = launches.due(undecided, refused, now) - in_flight
    cursor = json.dumps(launches.after(due, undecided, refused, now).entry)
    if not due:
        return skipped(because("tick.refused_waits"), cursor)
    return dg.SensorResult(run_requests=requests_for(due, now), cursor=cursor)


def unfinished_runs(context: dg.SensorEvaluationContext, settings: SettingsAccess) -> dg.SensorResult:
    """Request runs with a limit of zero, which turn a cohort green if nothing in it is pending."""
    gate = gate_of(settings, EntitySettings)
    if isinstance(gate, Closed):
        return skipped(gate.reason, context.cursor)
    now = datetime.now(UTC)
    window = RunWindow.after(context.cursor, now)
    requests = []
    for job, assets, config in (
        (jobs.enrichment_job, jobs.ENRICHMENT, jobs.enrichment_config(0)),
        (jobs.linking_job, jobs.LINKING, {}),
    ):
        ended_badly = jobs.RUNS.unfinished(
            context.instance, assets, window.since, window.until, _here(context)
        )
        free = ended_badly - jobs.RUNS.in_flight(context.instance, assets, _here(context))
        requests += requests_for(free, now, job.name, config)
    cursor = json.dumps(window.entry)
    if not requests:
        return skipped(because("tick.no_failed_run"), cursor)
    return dg.SensorResult(run_requests=requests, cursor=cursor)


def _here(context: dg.SensorEvaluationContext) -> frozenset[str]:
    return own_locations(context.instance, context.code_location_origin)
