"""Telling people what they must know: the sensor that looks, and the sending of what is due. SQL and one message.

At least once: an alert is claimed in `pipeline_alerts`, sent, and then noted. Of several daemons one sends; one that
dies in between leaves a claim that runs out, and the alert is sent again. Failed runs are read from Dagster's records
here and not by a run failure sensor, which would lose the alert when the webhook is away at that moment.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import dagster as dg

from entity_pipeline.core.failures import ConfigurationFailure, PipelineFailure
from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.notifications import Notifications, NotifySettings, NotSent, notify_settings
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import Open, SettingsAccess
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.shared.alerts import store as stored
from entity_pipeline.shared.alerts.rules import (
    Alert,
    AlertFacts,
    FailingJob,
    due_alerts,
    message_of,
    true_alerts,
)

T = TypeVar("T")

PAGE = "/admin/data-pipeline/instagram-accounts"
SCHEDULE = "enrichment_schedule"
_LOOKED_AT = timedelta(days=1)
_MOST_RUNS = 200
_MOST_TICKS = 20


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells people by webhook and e-mail what they must know, each once, with what to do.",
)
def alerts_sensor(
    context: dg.SensorEvaluationContext,
    assets_db: dg.ResourceParam[Database],
    settings: dg.ResourceParam[SettingsAccess],
    gemini: dg.ResourceParam[GeminiAccess],
    notifications: dg.ResourceParam[Notifications],
) -> dg.SensorResult | dg.SkipReason:
    """Look, and tell what is due. A failure is the tick's sentence; the next tick tries again."""
    if not notifications.channels():
        return dg.SkipReason("Nobody is told of anything: set ALERT_WEBHOOK_URL or ALERT_SMTP_URL.")
    watched_since = context.cursor or datetime.now(UTC).isoformat()
    facts, limits, unknown = look(
        assets_db, settings, gemini, context.instance, datetime.fromisoformat(watched_since)
    )
    try:
        came = tell(assets_db, notifications, facts, limits)
    except PipelineFailure as failure:
        came = str(failure)
    return dg.SensorResult(skip_reason=" ".join([came, *unknown]), cursor=watched_since)


def look(
    assets_db: Database,
    settings: SettingsAccess,
    gemini: GeminiAccess,
    instance: dg.DagsterInstance,
    watched_since: datetime,
) -> tuple[AlertFacts, NotifySettings, list[str]]:
    """What alerts are made of, and a sentence for each part that nobody can tell now.

    While the gate is closed only failed runs count: everything else waits for a person anyway.
    """
    unknown: list[str] = []

    def known(ask: Callable[[], T]) -> T | None:
        try:
            return ask()
        except PipelineFailure as failure:
            unknown.append(str(failure))
            return None

    failing = failing_jobs(instance, datetime.now(UTC) - _LOOKED_AT)
    gate = known(lambda: settings.gate(EntitySettings))
    if not isinstance(gate, Open):
        return AlertFacts(failing=failing), NotifySettings(), unknown
    opened = gate.settings
    notify = known(lambda: settings.row(NotifySettings))
    limits, unreadable = notify_settings(notify.settings if notify is not None else None)
    facts = AlertFacts(
        failing=failing,
        quota=known(gemini.quota),
        waiting=known(lambda: _asked(assets_db, stored.waiting_accounts)),
        replies=known(lambda: gemini.recent_replies(datetime.now(UTC) - _LOOKED_AT)),
        pool=known(lambda: _asked(assets_db, stored.pool)) if opened.instagram_backfill_enabled else None,
        scheduler_seen_at=max(last_decision(instance) or watched_since, watched_since),
        unreadable_keys=unreadable,
    )
    return facts, limits, unknown


def tell(assets_db: Database, notifications: Notifications, facts: AlertFacts, limits: NotifySettings) -> str:
    """Send what is due, one message a channel; returns a sentence of what came of it.

    Raises:
        PipelineFailure: the database with `pipeline_alerts` can't be asked, so nothing more was sent.
    """
    channels = notifications.channels()
    with assets_db.connection() as connection:
        now = stored.database_now(connection)
    alerts = true_alerts(facts, limits, now)
    came = [_tell_by(channel, assets_db, notifications, alerts, limits, now) for channel in channels]
    with assets_db.connection() as connection:
        stored.note_true(connection, channels, [alert.key for alert in alerts])
    kinds = ", ".join(sorted({alert.kind.value for alert in alerts})) or "none"
    return " ".join([f"Alerts that are true: {kinds}.", *filter(None, came)])


def failing_jobs(instance: dg.DagsterInstance, since: datetime) -> list[FailingJob]:
    """Jobs with a failed run since then and no later successful one."""
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    newest: dict[str, Any] = {}
    for record in instance.get_run_records(failed, limit=_MOST_RUNS):
        job = record.dagster_run.job_name
        if job not in newest or _ended(record) > _ended(newest[job]):
            newest[job] = record
    return [
        FailingJob(job, record.dagster_run.run_id, _ended(record))
        for job, record in sorted(newest.items())
        if not _made_good(instance, job, _ended(record))
    ]


def last_decision(instance: dg.DagsterInstance) -> datetime | None:
    """When `enrichment_schedule` last decided, be it to wait; None when it never did. A failed tick decides nothing."""
    decided = [
        datetime.fromtimestamp(tick.timestamp, UTC)
        for state in instance.all_instigator_state()
        if state.instigator_name == SCHEDULE
        for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=_MOST_TICKS)
        if tick.status.value in ("SUCCESS", "SKIPPED")
    ]
    return max(decided, default=None)


def _tell_by(
    channel: str,
    assets_db: Database,
    notifications: Notifications,
    alerts: Sequence[Alert],
    limits: NotifySettings,
    now: datetime,
) -> str:
    with assets_db.connection() as connection:
        told = stored.told_by(connection, channel)
        due = due_alerts(alerts, told, timedelta(hours=limits.remind_after_hours), now)
        ours = stored.claim(connection, channel, [alert.key for alert in due], told)
    chosen = [alert for alert in due if alert.key in ours]
    if not chosen:
        return ""
    runs = {
        run: address
        for alert in chosen
        if (run := alert.run_id) and (address := notifications.run_address(run))
    }
    page = notifications.page_address()
    try:
        notifications.send(channel, message_of(chosen, f"{page}{PAGE}" if page else None, runs))
    except (ConfigurationFailure, NotSent) as failure:
        return f"{failure} {len(chosen)} alerts wait for it."
    with assets_db.connection() as connection:
        stored.note_sent(connection, channel, sorted(ours))
    return f"{len(chosen)} told by {channel}."


def _asked(database: Database, ask: Callable[[Any], T]) -> T:
    with database.connection() as connection:
        return ask(connection)


def _made_good(instance: dg.DagsterInstance, job: str, failed_at: datetime) -> bool:
    good = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS], updated_after=failed_at)
    return any(_ended(record) > failed_at for record in instance.get_run_records(good, limit=_MOST_RUNS))


def _ended(record: dg.RunRecord) -> datetime:
    if record.end_time is not None:
        return datetime.fromtimestamp(record.end_time, UTC)
    return record.update_timestamp.astimezone(UTC)
