"""A tick of the sensor: which sources are asked, and since when schedules are watched."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from entity_pipeline.core.alerts import AlertSource, Look
from entity_pipeline.core.domain import Domain
from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.notifications import Notifications, NotifySettings, notify_settings
from entity_pipeline.core.ports import Database
from entity_pipeline.core.reasons import Reason, failure_reason, joined
from entity_pipeline.core.settings import DomainSettings, Open, SettingsAccess
from entity_pipeline.resources.postgres import database_clock
from entity_pipeline.shared.alerts.sending import PACKAGE, Sender, gather
from entity_pipeline.shared.alerts.sources import SHARED_SOURCES
from entity_pipeline.shared.alerts.sources.runs import run_alerts
from entity_pipeline.shared.runs.gate import gate_of
from entity_pipeline.shared.runs.health import last_decision
from entity_pipeline.shared.runs.locations import own_locations
from entity_pipeline.shared.runs.owners import RunOwners
from entity_pipeline.shared.runs.skips import cursor_object, skipped

_WATCHED_SINCE = "watched_since"


def send_due_alerts(
    context: dg.SensorEvaluationContext,
    domains: Sequence[Domain],
    owners: RunOwners,
    *,
    assets_db: Database,
    operation_db: Database,
    settings: SettingsAccess,
    gemini: GeminiAccess,
    notifications: Notifications,
) -> dg.SensorResult:
    """Send the alerts that are due. A failure becomes the tick's sentence; the next tick tries again."""
    if not notifications.channels():
        return skipped(Reason(PACKAGE, "no_channel"), context.cursor)
    watched_since = _watched_since(context.cursor) or datetime.now(UTC)
    open_domains = _open(domains, settings)
    here = own_locations(context.instance, context.code_location_origin)
    sources = [run_alerts(context.instance, owners, here), *_sources(domains, open_domains)]
    try:
        with assets_db.connection() as connection:
            now = database_clock(connection)
        row = settings.row(NotifySettings)
        if not NotifySettings.is_on(row):
            return skipped(Reason(PACKAGE, "switched_off"), context.cursor)
        limits, _ = notify_settings(None if row is None else row.settings)
        look = Look(
            now=now,
            limits=limits,
            open_domains=open_domains,
            assets_db=assets_db,
            operation_db=operation_db,
            settings=settings,
            gemini=gemini,
            decided_at=_decided_at(context.instance, watched_since),
        )
        alerts, unknown = gather(sources, look)
        sender = Sender(assets_db, notifications, frozenset(domain.key for domain in domains))
        said = [sender.send(alerts, timedelta(hours=limits.remind_after_hours), now), *unknown]
    except PipelineFailure as failure:
        said = [failure_reason(str(failure))]
    return skipped(joined(said), json.dumps({_WATCHED_SINCE: watched_since.isoformat()}))


def _watched_since(cursor: str | None) -> datetime | None:
    """The time since which schedules are watched; in earlier releases it was the whole cursor."""
    try:
        return datetime.fromisoformat(str(cursor_object(cursor).get(_WATCHED_SINCE, cursor)))
    except ValueError:
        return None


def _open(domains: Sequence[Domain], settings: SettingsAccess) -> dict[str, DomainSettings]:
    gates = {domain.key: gate_of(settings, domain.settings) for domain in domains}
    return {key: gate.settings for key, gate in gates.items() if isinstance(gate, Open)}


def _sources(domains: Sequence[Domain], open_domains: dict[str, DomainSettings]) -> list[AlertSource]:
    """The sources of the open domains, and the shared ones while any domain is open."""
    own = [domain.alerts() for domain in domains if domain.key in open_domains and domain.alerts]
    return [*own, *SHARED_SOURCES] if open_domains else []


def _decided_at(instance: dg.DagsterInstance, watched_since: datetime) -> Callable[[str], datetime]:
    def decided_at(schedule: str) -> datetime:
        return max(last_decision(instance, schedule) or watched_since, watched_since)

    return decided_at
