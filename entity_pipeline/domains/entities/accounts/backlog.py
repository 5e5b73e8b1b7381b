"""What waits for a stage, as sensors, the schedule and the checks ask: looked up in `enrichment_queue`.

The list is only where they look first. It is kept by triggers that may be switched off, may be hidden from a role,
and may miss a row without any error. So wherever it is not kept, and now and then when it names nobody (`closely`),
the accounts themselves are asked, which takes the longer the more there are. What a run then does it decides by
the accounts alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from psycopg import Connection

from entity_pipeline.domains.entities.accounts.logic.plan import PendingAccount
from entity_pipeline.domains.entities.accounts.queries import enrichment
from entity_pipeline.domains.entities.accounts.queries.enrichment import CohortRange, OldestPending
from entity_pipeline.domains.entities.accounts.queries.queue import waiting_profiles, waiting_reviews
from entity_pipeline.domains.entities.links.queries.catalog_rows import attachable

# The right comes first: without it the second statement would be refused.
_MAY_READ = r"""
select coalesce(has_table_privilege(to_regclass('public.enrichment_queue'), 'select'), false)
  and coalesce((select count(*) >= 2 and bool_and(tgenabled in ('O', 'A')) from pg_trigger
    where tgrelid = to_regclass('public.instagram_accounts') and tgname like 'entity\_pipeline\_queue\_%'), false)
"""
_SHOWS_ROWS = "select exists (select from enrichment_queue) or not exists (select from instagram_accounts)"

_UNDECIDED = """
select distinct least(greatest(cohort, %(first_day)s::date), %(last_day)s::date)
from enrichment_queue where state = 'undecided' or account_id = any(%(attachable)s)
order by 1
"""
_OLDEST = """
with all_of_them as (
  select min(created_at) as created_at, count(*)::int as waiting from enrichment_queue
  where state in ('pending', 'deferred')
)
select (select handle from enrichment_queue q where q.created_at = a.created_at
  and state in ('pending', 'deferred') limit 1), a.created_at, a.waiting
from all_of_them a where a.waiting > 0
"""


def is_listed(connection: Connection) -> bool:
    """`enrichment_queue` is there, ours to read, and kept."""
    asked = connection.execute(_MAY_READ).fetchone()
    return asked == (True,) and connection.execute(_SHOWS_ROWS).fetchone() == (True,)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Asks over the cohorts `every` of one connection. `closely` is True for a look that must miss nobody."""

    connection: Connection
    every: CohortRange
    closely: bool = False

    def reviews(self, now: datetime, limit: int, in_flight: Sequence[date]) -> list[PendingAccount]:
        """The most-tagged accounts that may be reviewed now, but those of cohorts in flight."""
        first, last = self.every.first_day, self.every.last_day
        listed = is_listed(self.connection)
        found = waiting_reviews(self.connection, first, last, now, limit, in_flight) if listed else []
        if found or not self._look_again(listed):
            return found
        return enrichment.plannable_reviews(self.connection, first, last, now, limit, in_flight)

    def profiles(self, now: datetime, limit: int) -> list[date]:
        """Cohorts of the most-tagged accounts whose profile may be looked at now."""
        first, last = self.every.first_day, self.every.last_day
        listed = is_listed(self.connection)
        found = waiting_profiles(self.connection, first, last, now, limit) if listed else []
        if found or not self._look_again(listed):
            return found
        return enrichment.due_profile_cohorts(self.connection, self.every, now, limit)

    def undecided(self) -> list[date]:
        """See `enrichment.undecided_cohorts`. Who waits though its primary account is linked is never looked up."""
        listed = is_listed(self.connection)
        found: list[date] = []
        if listed:
            parameters = {
                "first_day": self.every.first_day,
                "last_day": self.every.last_day,
                "attachable": list(attachable(self.connection)),
            }
            found = [row[0] for row in self.connection.execute(_UNDECIDED, parameters)]
        if found or not self._look_again(listed):
            return found
        return enrichment.undecided_cohorts(self.connection, self.every)

    def oldest_review(self) -> OldestPending | None:
        """See `enrichment.oldest_pending_review`; the account by its handle."""
        if not is_listed(self.connection):
            return enrichment.oldest_pending_review(self.connection, self.every)
        found = self.connection.execute(_OLDEST).fetchone()
        return OldestPending(*found) if found else None

    def _look_again(self, listed: bool) -> bool:
        return self.closely or not listed
