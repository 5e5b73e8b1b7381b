"""Sensors and the schedule: each asks what is pending in the databases, and says in a sentence why it waits.

State is read from the databases and not from Dagster's own records, so it does not matter whether a schedule,
a backfill or a person at the command line made it so. Nothing here works on data: SQL only, within Dagster's 60 s.
"""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import Closed, Gate, PipelineSettings, SettingsAccess
from entity_pipeline.domains.entities import jobs
from entity_pipeline.domains.entities.accounts.backlog import Waiting
from entity_pipeline.domains.entities.accounts.logic.plan import HoldOff, contiguous, plan, used_up
from entity_pipeline.domains.entities.accounts.queries.intake import unadopted_days
from entity_pipeline.domains.entities.partitions import FIRST_DAY, cohort_days, every_cohort, last_day
from entity_pipeline.domains.entities.reviews.review import limits_of
from entity_pipeline.domains.entities.tags.queries.raw_posts import ChangeCursor, changed_days

POSTS_PER_TICK = 100_000
RETRY_AFTER = timedelta(minutes=15)
LOOK_CLOSELY_EVERY = timedelta(hours=1)
_LOOKED_UNTIL = "runs_looked_at_until"
_LOOKED_CLOSELY = "accounts_looked_at"
_ENDED_BADLY = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dg.sensor(
    job=jobs.intake_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks intake_job for the days whose posts changed, and for days with accounts of no cohort yet.",
)
def new_posts_sensor(
    context: dg.SensorEvaluationContext,
    assets_db: dg.ResourceParam[Database],
    operation_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
) -> dg.SensorResult | dg.SkipReason:
    """Watch `raw_posts` by (updated_at, id), and the runs it asked for: the cursor has moved on without them."""
    gate = _gate(settings)
    if isinstance(gate, Closed):
        return dg.SkipReason(gate.reason)
    now = datetime.now(UTC)
    with assets_db.connection() as connection:
        days, cursor = changed_days(
            connection, ChangeCursor.from_json(context.cursor), POSTS_PER_TICK, first_day=FIRST_DAY
        )
    with operation_db.connection() as connection:
        adoptable = unadopted_days(connection, FIRST_DAY, last_day(now))
    since, until = _window(context.cursor, now)
    unfinished = _unfinished(context.instance, jobs.INTAKE, since, until)
    # A post dated in the future waits for its day to come.
    wanted = {day for day in days if day <= last_day(now)} | set(adoptable) | unfinished
    wanted -= in_flight_days(context.instance, jobs.INTAKE) - set(days)
    text = json.dumps(json.loads(cursor.to_json()) | {_LOOKED_UNTIL: until.isoformat()})
    if not wanted:
        return dg.SensorResult(skip_reason="No post changed since the last look.", cursor=text)
    return dg.SensorResult(
        run_requests=[_range_request(first, last, now) for first, last in contiguous(wanted)], cursor=text
    )


@dg.schedule(
    job=jobs.enrichment_job,
    cron_schedule="*/15 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every 15 minutes: the most-tagged pending accounts that fit what is left of today's quota.",
)
def enrichment_schedule(
    context: dg.ScheduleEvaluationContext,
    operation_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
    gemini: dg.ResourceParam[GeminiAccess],
) -> list[dg.RunRequest] | dg.SkipReason:
    """One run for each cohort that has accounts among the chosen ones."""
    gate = _gate(settings)
    if isinstance(gate, Closed):
        return dg.SkipReason(gate.reason)
    gemini.sweep()
    quota = gemini.quota(limits_of(gate.settings))
    if (full := used_up(quota)) is not None:
        return dg.SkipReason(full.reason)
    now = datetime.now(UTC)
    in_flight = in_flight_days(context.instance, jobs.ENRICHMENT)
    with operation_db.connection() as connection:
        waiting = Waiting(connection, every_cohort(now), closely=_is_first_of_the_hour(context))
        pending = waiting.reviews(now, gate.settings.accounts_per_tick, sorted(in_flight))
        due_profiles = (
            waiting.profiles(now, profiles_per_tick(gate.settings))
            if gate.settings.instagram_backfill_enabled
            else []
        )
    decision = plan(gate, pending, in_flight, quota, due_profiles)
    if isinstance(decision, HoldOff):
        return dg.SkipReason(decision.reason)
    return [
        dg.RunRequest(
            run_key=f"{day}@{now.isoformat()}",
            partition_key=day.isoformat(),
            run_config=jobs.enrichment_config(limit, profiles=gate.settings.accounts_per_tick),
        )
        for day, limit in decision.limits.items()
    ]


@dg.sensor(
    job=jobs.linking_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks linking_job for cohorts with reviewed accounts that no decision was made for.",
)
def catalog_links_sensor(
    context: dg.SensorEvaluationContext,
    operation_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
) -> dg.SensorResult | dg.SkipReason:
    """Look for reviewed but undecided accounts."""
    gate = _gate(settings)
    if isinstance(gate, Closed):
        return dg.SkipReason(gate.reason)
    now = datetime.now(UTC)
    looked_closely_at = _looked_closely_at(context.cursor)
    closely = now - looked_closely_at >= LOOK_CLOSELY_EVERY
    with operation_db.connection() as connection:
        cohorts = Waiting(connection, every_cohort(now), closely=closely).undecided()
    looked_closely_at = now if closely and not cohorts else looked_closely_at
    cursor = json.dumps({_LOOKED_CLOSELY: looked_closely_at.isoformat()})
    if not cohorts:
        return dg.SensorResult(skip_reason="Every reviewed account has a decision.", cursor=cursor)
    free = set(cohorts) - in_flight_days(context.instance, jobs.LINKING)
    if not free:
        reason = "Every cohort with undecided accounts is already being worked on."
        return dg.SensorResult(skip_reason=reason, cursor=cursor)
    requests = [_range_request(first, last, now) for first, last in contiguous(free)]
    return dg.SensorResult(run_requests=requests, cursor=cursor)


@dg.sensor(
    jobs=[jobs.enrichment_job, jobs.linking_job],
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Asks once more for cohorts whose run failed or was cancelled: a run that dies after its last account leaves "
        "nothing pending, and its partition would never turn green. Pays nothing."
    ),
)
def unfinished_runs_sensor(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[SettingsAccess]
) -> dg.SensorResult | dg.SkipReason:
    """A run with a limit of zero counts what is pending, and turns the cohort green where that is nothing."""
    gate = _gate(settings)
    if isinstance(gate, Closed):
        return dg.SkipReason(gate.reason)
    now = datetime.now(UTC)
    since, until = _window(context.cursor, now)
    requests = []
    for job, assets, config in (
        (jobs.enrichment_job, jobs.ENRICHMENT, jobs.enrichment_config(0)),
        (jobs.linking_job, jobs.LINKING, {}),
    ):
        free = _unfinished(context.instance, assets, since, until) - in_flight_days(context.instance, assets)
        requests += [_range_request(first, last, now, job.name, config) for first, last in contiguous(free)]
    cursor = json.dumps({_LOOKED_UNTIL: until.isoformat()})
    if not requests:
        return dg.SensorResult(skip_reason="No run over a cohort failed since the last look.", cursor=cursor)
    return dg.SensorResult(run_requests=requests, cursor=cursor)


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="While the pipeline is switched off, cancels runs in the queue. Running ones stop by themselves.",
)
def switch_off_sensor(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[SettingsAccess]
) -> dg.SkipReason:
    """Empty the queue of this pipeline's runs while the gate is closed."""
    gate = _gate(settings)
    if not isinstance(gate, Closed):
        return dg.SkipReason("The pipeline is switched on.")
    queued = context.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
    ours = [run for run in queued if run.job_name != jobs.spend_job.name]
    for run in ours:
        context.instance.run_coordinator.cancel_run(run.run_id)
    cancelled = f"{len(ours)} queued runs were cancelled" if ours else "No run was in the queue"
    return dg.SkipReason(f"{gate.reason} {cancelled}.")


spend_schedule = dg.ScheduleDefinition(
    name="spend_schedule",
    job=jobs.spend_job,
    cron_schedule="5 * * * *",
    execution_timezone="America/Los_Angeles",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Five minutes past each hour: rolls the Gemini ledger up by quota day, and shows today's quota.",
)

sensors = [new_posts_sensor, catalog_links_sensor, unfinished_runs_sensor, switch_off_sensor]
schedules = [enrichment_schedule, spend_schedule]


def _window(cursor: str | None, now: datetime) -> tuple[datetime, datetime]:
    """Ends of runs that were not looked at yet: from the last look to `RETRY_AFTER` ago."""
    until = now - RETRY_AFTER
    try:
        since = datetime.fromisoformat(json.loads(cursor or "")[_LOOKED_UNTIL])
    except (ValueError, KeyError, TypeError):
        since = until - timedelta(days=1)
    return since, max(since, until)


def _looked_closely_at(cursor: str | None) -> datetime:
    try:
        return datetime.fromisoformat(json.loads(cursor or "")[_LOOKED_CLOSELY])
    except (ValueError, KeyError, TypeError):
        return datetime(1970, 1, 1, tzinfo=UTC)


def _is_first_of_the_hour(context: dg.ScheduleEvaluationContext) -> bool:
    """One of the four ticks of an hour asks the accounts themselves, if the list names nobody."""
    return context.scheduled_execution_time.minute < 15


def _unfinished(
    instance: dg.DagsterInstance, assets: Sequence[str], since: datetime, until: datetime
) -> set[date]:
    """Days of runs over one of the assets that failed or were cancelled between these instants."""
    # Dagster excludes both bounds.
    since_then = since - timedelta(microseconds=1)
    ended = dg.RunsFilter(statuses=_ENDED_BADLY, updated_after=since_then, updated_before=until)
    keys = {dg.AssetKey(asset) for asset in assets}
    return {day for run in instance.get_runs(ended) if keys & _assets_of(run) for day in _days_of(run.tags)}


def profiles_per_tick(settings: PipelineSettings) -> int:
    """What the hourly window lets through in the quarter of an hour between two ticks."""
    return math.ceil(settings.instagram_windows.per_hour / 4)


def _range_request(
    first: date,
    last: date,
    now: datetime,
    job_name: str | None = None,
    config: Mapping[str, object] | None = None,
) -> dg.RunRequest:
    """The run key changes with every tick: Dagster never repeats a key, and the same day changes again."""
    return dg.RunRequest(
        run_key=f"{job_name or ''}{first}..{last}@{now.isoformat()}",
        job_name=job_name,
        run_config=config,
        tags=jobs.range_tags(first.isoformat(), last.isoformat()),
    )


def _gate(settings: SettingsAccess) -> Gate:
    """The gate; closed with the reason when nobody can read it."""
    try:
        return settings.gate()
    except PipelineFailure as failure:
        return Closed(str(failure))


def in_flight_days(instance: dg.DagsterInstance, assets: Sequence[str]) -> set[date]:
    """Partitions of one of the assets that a queued or running run covers, be it of our jobs or a backfill."""
    keys = {dg.AssetKey(asset) for asset in assets}
    runs = instance.get_runs(dg.RunsFilter(statuses=ACTIVE))
    return {day for run in runs if keys & _assets_of(run) for day in _days_of(run.tags)}


def _assets_of(run: dg.DagsterRun) -> set[dg.AssetKey]:
    if run.asset_selection:
        return set(run.asset_selection)
    return {dg.AssetKey(asset) for asset in jobs.ASSETS_OF_JOB.get(run.job_name, [])}


def _days_of(tags: Mapping[str, str]) -> Sequence[date]:
    first, last = (
        tags.get("dagster/asset_partition_range_start"),
        tags.get("dagster/asset_partition_range_end"),
    )
    if first and last:
        start, end = cohort_days([first, last])
        return [date.fromordinal(day) for day in range(start.toordinal(), end.toordinal() + 1)]
    return cohort_days([key]) if (key := tags.get("dagster/partition")) else []
