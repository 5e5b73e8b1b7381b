"""Which accounts wait for which stage, and what to launch: the one planner of the schedule, the page and the command.

It reads only `enrichment_queue`, which holds the result of `logic/standing.py` for each account and is maintained by
`enrichment_queue.py`. A run then decides by the accounts themselves.
"""

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any
from uuid import UUID

from psycopg import Connection

from entity_pipeline.core.gemini.quota import QuotaStatus
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.settings import Closed, Gate, SettingsAccess
from entity_pipeline.domains.entities.accounts.logic.plan import (
    HoldOff,
    Launch,
    places_for_the_oldest,
    plan,
    used_up,
)
from entity_pipeline.domains.entities.accounts.logic.relaunch import UndecidedAccounts
from entity_pipeline.domains.entities.accounts.queries import backlog as queries
from entity_pipeline.domains.entities.accounts.queries.backlog import OldestPending
from entity_pipeline.domains.entities.accounts.queries.enrichment import CohortRange
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.shared.instagram_rest import rests_until

AGED_PROFILES_AT_ONCE = 10
"""Profiles that one run looks at again, so that newly tagged accounts find room in Instagram's windows."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The most reviews and profiles that one plan may launch, and the cohorts it may cover. None means no limit."""

    reviews: int | None = None
    profiles: int | None = None
    only: Sequence[date] | None = None


def wanted_by_a_tick(own: EntitySettings, settings: SettingsAccess) -> Wanted:
    """The limits of `enrichment_schedule`: for profiles, what the hourly window allows in a quarter of an hour.

    No profiles while the row `instagram` forbids all requests.
    """
    instagram = settings.gate(InstagramSettings)
    profiles = 0 if isinstance(instagram, Closed) else math.ceil(instagram.settings.windows.per_hour / 4)
    return Wanted(own.accounts_per_tick, profiles)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Reads the backlog of all cohorts on one connection to the assets database."""

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
        """What to launch now. Gate and quota are checked first, so a tick that may do nothing reads no account."""
        if isinstance(gate, Closed):
            return HoldOff(gate.reason)
        if (full := used_up(quota)) is not None:
            return full
        affordable = quota.remaining // quota.units_per_request
        most = affordable if wanted.reviews is None else min(wanted.reviews, affordable)
        among = partial(
            queries.waiting_reviews,
            self.connection,
            self.cohorts,
            now,
            in_flight=sorted(in_flight),
            only=wanted.only,
        )
        due = self.due_profiles(gate.settings, now, wanted)
        rests = rests_until(self.connection, now) if due else None
        if rests is not None:
            due = []
        fair = places_for_the_oldest(most, gate.settings.fairness)
        oldest = among(fair, oldest_first=True) if fair else []
        return plan(
            gate, among(most), in_flight, quota, due, longest_waiting=oldest, most=most, rests_until=rests
        )

    def due_profiles(self, settings: EntitySettings, now: datetime, wanted: Wanted) -> list[date]:
        """Cohorts whose profiles may be fetched now; none while the backfill is switched off.

        Profiles that were found long ago are due again only while no other profile of any cohort is.
        """
        if not settings.instagram_backfill_enabled or wanted.profiles == 0:
            return []
        due = queries.waiting_profiles(self.connection, self.cohorts, now, wanted.profiles)
        seen_before = settings.profiles_seen_before(now)
        if not due and seen_before is not None:
            due = queries.aged_cohorts(
                self.connection, self.cohorts, seen_before, AGED_PROFILES_AT_ONCE, wanted.only
            )
        return [day for day in due if wanted.only is None or day in wanted.only]

    def undecided(self, overtaken: Sequence[UUID]) -> dict[date, UndecidedAccounts]:
        """Cohorts with reviewed accounts without a link decision, and those of the accounts `overtaken`.

        The latter have a decision, but something beside their own review changed: a primary account was linked, or an
        account was renamed. Only the catalog knows them.
        """
        return queries.undecided_cohorts(self.connection, self.cohorts, overtaken)

    def refused(self) -> list[date]:
        """Cohorts with accounts whose decision the database refused to write, and which are tried again."""
        return queries.refused_cohorts(self.connection, self.cohorts)

    def oldest_review(self) -> OldestPending | None:
        """The account that has waited longest for its first review."""
        return queries.oldest_review(self.connection)
