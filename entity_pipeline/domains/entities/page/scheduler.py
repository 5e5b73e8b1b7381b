"""The switch, and what the schedule would do now: its own gate and plan over the same accounts, launching nothing.

Surprising: the schedule reads the accounts' metadata, and the page the narrow `enrichment_queue`, which a test
holds equal; only so is it quick at a million accounts.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from entity_pipeline.admin.figures import DagsterFigures, PlannedCohort, SchedulerFigures
from entity_pipeline.core.gemini.access import GeminiAccess
from entity_pipeline.core.gemini.settings import GeminiSettings, limits_of
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import Closed, SettingsAccess, readable
from entity_pipeline.domains.entities.accounts.logic.plan import HoldOff, Launch, plan
from entity_pipeline.domains.entities.accounts.queries.queue import waiting_profiles, waiting_reviews
from entity_pipeline.domains.entities.automation import profiles_per_tick
from entity_pipeline.domains.entities.partitions import FIRST_DAY, last_day
from entity_pipeline.domains.entities.settings import EntitySettings

_TICK = timedelta(minutes=15)


def decision_now(
    settings: SettingsAccess,
    operation_db: Database,
    gemini: GeminiAccess,
    in_flight: frozenset[date],
    now: datetime,
) -> Launch | HoldOff:
    """What the next tick of `enrichment_schedule` would decide if it came now."""
    state = settings.gate(EntitySettings)
    if isinstance(state, Closed):
        return HoldOff(str(state.reason))
    newest = last_day(now)
    with operation_db.connection() as connection:
        pending = waiting_reviews(
            connection, FIRST_DAY, newest, now, state.settings.accounts_per_tick, sorted(in_flight)
        )
        due = (
            waiting_profiles(connection, FIRST_DAY, newest, now, profiles_per_tick(settings))
            if state.settings.instagram_backfill_enabled
            else []
        )
    return plan(state, pending, in_flight, gemini.quota(limits_of(settings.readable(GeminiSettings))), due)


def scheduler_figures(
    settings: SettingsAccess, decision: Launch | HoldOff, dagster: DagsterFigures, now: datetime
) -> SchedulerFigures:
    """The page's figures."""
    row, state = settings.row(EntitySettings), settings.gate(EntitySettings)
    stored: Mapping[str, Any] = row.settings if row is not None and isinstance(row.settings, Mapping) else {}
    effective = readable(EntitySettings, row)
    limits = decision.limits if isinstance(decision, Launch) else {}
    return SchedulerFigures(
        is_enabled=bool(row is not None and row.is_enabled),
        is_open=not isinstance(state, Closed),
        closed_because=str(state.reason) if isinstance(state, Closed) else None,
        updated_at=row.updated_at if row is not None else None,
        updated_by=row.updated_by if row is not None else None,
        plan=[PlannedCohort(cohort=day, accounts=count) for day, count in limits.items()],
        waits_because=decision.reason if isinstance(decision, HoldOff) else None,
        next_tick_at=next_tick(now),
        settings=effective.model_dump(mode="json"),
        stored=dict(stored),
        dagster=dagster,
        as_of=now,
    )


def next_tick(now: datetime) -> datetime:
    """The next quarter of an hour, when `enrichment_schedule` is evaluated."""
    quarter = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
    return quarter + _TICK
