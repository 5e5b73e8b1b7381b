"""What the schedule would launch now, from its own planner (`accounts/backlog.py`). Launches nothing."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from pydantic import Field

from entity_pipeline.admin.dagster_figures import of_domain, worded
from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.scheduler import AutomationFigures, switch_values
from entity_pipeline.admin.shown import Sentence, Shown
from entity_pipeline.core.settings import Closed
from entity_pipeline.domains.entities import KEY
from entity_pipeline.domains.entities.accounts.backlog import Backlog, wanted_by_a_tick
from entity_pipeline.domains.entities.accounts.logic.plan import HoldOff, Launch
from entity_pipeline.domains.entities.cohorts import every_cohort
from entity_pipeline.domains.entities.jobs import ENRICHMENT, INTAKE, RUNS
from entity_pipeline.domains.entities.reasons import because
from entity_pipeline.domains.entities.reviews.question import STEP
from entity_pipeline.domains.entities.settings import EntitySettings

SCHEDULE = "enrichment_schedule"
_TICK = timedelta(minutes=15)
_NO_REVIEW_WAITS = ("plan.nothing_waits", "plan.instagram_rests")


class PlannedCohort(Shown):
    """A run that the schedule would launch now."""

    cohort: date
    accounts: int = Field(description="The most reviews; 0 where only profiles are due.")


class SchedulerFigures(AutomationFigures):
    """The switch, what the schedule would launch now, and why it waits."""

    plan: list[PlannedCohort] = Field(description="What the next tick would launch; empty while it waits.")
    waits_because: Sentence | None = Field(description="A sentence while `plan` is empty.")
    next_tick_at: datetime


def scheduler_figures(at: Installation) -> SchedulerFigures:
    """The current figures."""
    now = datetime.now(UTC)
    dagster = of_domain(at.dagster.figures(), at.automation, KEY)
    in_flight = _in_flight(at, ENRICHMENT) if dagster.away is None else frozenset()
    decision = decision_now(at, in_flight, now)
    is_idle = isinstance(decision, HoldOff) and decision.reason.key in _NO_REVIEW_WAITS
    if is_idle and dagster.away is None and _in_flight(at, INTAKE):
        decision = HoldOff(because("plan.taking_in"))
    limits = decision.limits if isinstance(decision, Launch) else {}
    if isinstance(decision, HoldOff):
        dagster = worded(dagster, decision.reason)
    return SchedulerFigures(
        **switch_values(at, EntitySettings),
        plan=[PlannedCohort(cohort=day, accounts=count) for day, count in limits.items()],
        waits_because=decision.reason if isinstance(decision, HoldOff) else None,
        next_tick_at=next_tick(now),
        dagster=dagster,
        as_of=now,
    )


def _in_flight(at: Installation, assets: Sequence[str]) -> frozenset[date]:
    """The days of runs over these assets, also of those that a person or the command launched."""
    days = at.dagster.asked(lambda instance: frozenset(RUNS.in_flight(instance, assets)))
    return days or frozenset()


def decision_now(at: Installation, in_flight: frozenset[date], now: datetime) -> Launch | HoldOff:
    """What the next tick of `enrichment_schedule` would decide if it came now."""
    gate = at.settings.gate(EntitySettings)
    if isinstance(gate, Closed):
        return HoldOff(gate.reason)
    quota, wanted = at.gemini.quota(STEP), wanted_by_a_tick(gate.settings, at.settings)
    with at.assets_db.connection() as connection:
        return Backlog(connection, every_cohort(now)).next_runs(gate, quota, in_flight, now, wanted)


def next_tick(now: datetime) -> datetime:
    """The next quarter of an hour, when `enrichment_schedule` is evaluated."""
    quarter = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
    return quarter + _TICK
