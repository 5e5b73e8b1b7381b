"""Who waits for which stage, and what to launch for them: the one planner of the schedule, the page and the command.

Looked up in `enrichment_queue` alone, which holds what `logic/standing.py` says of each account; how the list is kept
is `enrichment_queue.py`. What a run then does it decides by the accounts themselves.
"""

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from entity_pipeline.core.gemini.quota import QuotaStatus
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.settings import Closed, Gate, SettingsAccess
from entity_pipeline.domains.entities.accounts.logic.plan import HoldOff, Launch, plan, used_up
from entity_pipeline.domains.entities.accounts.queries import backlog as queries
from entity_pipeline.domains.entities.accounts.queries.backlog import OldestPending
from entity_pipeline.domains.entities.accounts.queries.enrichment import CohortRange
from entity_pipeline.domains.entities.settings import EntitySettings


@dataclass(frozen=True, slots=True)
class Wanted:
    """The most that one plan may launch: reviews, profiles, and of which cohorts. None is no limit."""

    reviews: int | None = None
    profiles: int | None = None
    only: Sequence[date] | None = None


def wanted_by_a_tick(own: EntitySettings, settings: SettingsAccess) -> Wanted:
    """What `enrichment_schedule` asks for: of profiles, what the hourly window lets through in a quarter of an hour.

    None while the row `instagram` holds all looks.
    """
    instagram = settings.gate(InstagramSettings)
    profiles = 0 if isinstance(instagram, Closed) else math.ceil(instagram.settings.windows.per_hour / 4)
    return Wanted(own.accounts_per_tick, profiles)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Looks over all cohorts that there are, on one connection to the assets database."""

    connection: Connection[Any]
    cohorts: CohortRange

    def next_runs(
        self,
        gate: Gate[EntitySettings],
        quota: QuotaStatus,
        in_flight: AbstractSet[date],
        now: datetime,
        wanted: Wanted,
    ) -> Launch | HoldOff:
        """What to launch now. Gate and quota come first: a tick that may do nothing looks for no account."""
        if isinstance(gate, Closed):
            return HoldOff(gate.reason)
        if (full := used_up(quota)) is not None:
            return full
        affordable = quota.remaining // quota.units_per_request
        most = affordable if wanted.reviews is None else min(wanted.reviews, affordable)
        pending = queries.waiting_reviews(
            self.connection, self.cohorts, now, most, in_flight=sorted(in_flight), only=wanted.only
        )
        due = self.due_profiles(gate.settings, now, wanted)
        return plan(gate, pending, in_flight, quota, due, most=most)

    def due_profiles(self, settings: EntitySettings, now: datetime, wanted: Wanted) -> list[date]:
        """Cohorts whose profiles may be looked at now; none while that is switched off."""
        if not settings.instagram_backfill_enabled:
            return []
        due = queries.waiting_profiles(self.connection, self.cohorts, now, wanted.profiles)
        return [day for day in due if wanted.only is None or day in wanted.only]

    def undecided(self, attachable: Sequence[UUID]) -> list[date]:
        """Cohorts with reviewed accounts that no link decision was made for, and those of the accounts `attachable`.

        The latter are decided, and wait for a primary account that is linked by now: only the catalog knows which.
        """
        return queries.undecided_cohorts(self.connection, self.cohorts, attachable)

    def oldest_review(self) -> OldestPending | None:
        """The account that has waited longest for its first review."""
        return queries.oldest_review(self.connection)
