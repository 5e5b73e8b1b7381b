"""What the schedule would do now: its own gate and plan over the same list of accounts, launching nothing."""

from datetime import UTC, date, datetime, timedelta

from pydantic import Field

from entity_pipeline.admin.dagster_figures import of_domain
from entity_pipeline.admin.gemini_quota import quota_status
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.scheduler import AutomationFigures, switch_of
from entity_pipeline.admin.shown import Sentence, Shown
from entity_pipeline.core.settings import Closed
from entity_pipeline.domains.entities import KEY
from entity_pipeline.domains.entities.accounts.logic.plan import HoldOff, Launch, plan
from entity_pipeline.domains.entities.accounts.queries.queue import waiting_profiles, waiting_reviews
from entity_pipeline.domains.entities.automation import profiles_per_tick
from entity_pipeline.domains.entities.jobs import ENRICHMENT, RUNS
from entity_pipeline.domains.entities.partitions import FIRST_DAY, last_day
from entity_pipeline.domains.entities.settings import EntitySettings

_TICK = timedelta(minutes=15)


class PlannedCohort(Shown):
    """A run that the schedule would ask for now."""

    cohort: date
    accounts: int = Field(description="Most reviews; 0 where only profiles are due.")


class SchedulerFigures(AutomationFigures):
    """The switch, what the schedule would do now, and why it waits."""

    plan: list[PlannedCohort] = Field(description="What the next tick would launch; empty while it waits.")
    waits_because: Sentence | None = Field(description="A sentence while `plan` is empty.")
    next_tick_at: datetime


def scheduler_figures(at: Installation) -> SchedulerFigures:
    """The figures now."""
    now = datetime.now(UTC)
    dagster = of_domain(at.dagster.figures(), at.automation, KEY)
    in_flight: frozenset[date] | None = None
    if dagster.away is None:
        in_flight = at.dagster.asked(lambda instance: frozenset(RUNS.in_flight(instance, ENRICHMENT)))
    decision = decision_now(at, in_flight or frozenset(), now)
    limits = decision.limits if isinstance(decision, Launch) else {}
    return SchedulerFigures(
        **switch_of(at, EntitySettings),
        plan=[PlannedCohort(cohort=day, accounts=count) for day, count in limits.items()],
        waits_because=decision.reason if isinstance(decision, HoldOff) else None,
        next_tick_at=next_tick(now),
        dagster=dagster,
        as_of=now,
    )


def decision_now(at: Installation, in_flight: frozenset[date], now: datetime) -> Launch | HoldOff:
    """What the next tick of `enrichment_schedule` would decide if it came now."""
    gate = at.settings.gate(EntitySettings)
    if isinstance(gate, Closed):
        return HoldOff(gate.reason)
    settings, newest = gate.settings, last_day(now)
    with at.operation_db.connection() as connection:
        pending = waiting_reviews(
            connection, FIRST_DAY, newest, now, settings.accounts_per_tick, sorted(in_flight)
        )
        due = (
            waiting_profiles(connection, FIRST_DAY, newest, now, profiles_per_tick(at.settings))
            if settings.instagram_backfill_enabled
            else []
        )
    return plan(gate, pending, in_flight, quota_status(at), due)


def next_tick(now: datetime) -> datetime:
    """The next quarter of an hour, when `enrichment_schedule` is evaluated."""
    quarter = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
    return quarter + _TICK
