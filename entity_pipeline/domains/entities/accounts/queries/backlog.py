"""Which accounts wait, read from `enrichment_queue` in the assets database. Nothing here reads an account or writes.

The rule for waiting is `logic/standing.py`; the list holds its result. Times are compared as their stored texts,
ISO 8601 in UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from entity_pipeline.core.clock import utc_text
from entity_pipeline.domains.entities.accounts.logic.plan import PendingAccount
from entity_pipeline.domains.entities.accounts.logic.relaunch import UndecidedAccounts
from entity_pipeline.domains.entities.accounts.queries.enrichment import CohortRange

# Cohorts beyond the partitions belong to the first and the last.
_COHORT = "least(greatest(cohort, %(first_day)s::date), %(last_day)s::date)"
# State by state: a walk over all states in order would be long, because most of the most-tagged are reviewed.
_OF_STATE = f"""
(select {_COHORT} as cohort, posts, handle, account_id
from enrichment_queue
where state = '{{state}}' and not coalesce(next_attempt > %(now)s, false)
  and not {_COHORT} = any(%(in_flight)s::date[]) and (%(only)s::date[] is null or {_COHORT} = any(%(only)s::date[]))
order by (-posts), handle, account_id limit %(limit)s)
"""
_REVIEWS = f"""
select account_id as id, cohort, posts
from ({_OF_STATE.format(state="pending")} union all {_OF_STATE.format(state="deferred")}) found
order by (-posts), handle, account_id limit %(limit)s
"""
# Cohort by cohort, each found by the index after the one before it: accounts that are finished are not read.
_OLDEST_REVIEWS = f"""
with recursive days as (
  select min(cohort) as day from enrichment_queue
  union all
  select (select min(cohort) from enrichment_queue where cohort > day) from days where day is not null
)
select found.* from days, lateral (
  select account_id as id, {_COHORT} as cohort, posts from enrichment_queue
  where cohort = day and state = any('{{pending,deferred}}') and not coalesce(next_attempt > %(now)s, false)
    and not {_COHORT} = any(%(in_flight)s::date[]) and (%(only)s::date[] is null or {_COHORT} = any(%(only)s::date[]))
  order by (-posts), handle, account_id limit %(limit)s
) found
order by found.cohort, (-found.posts) limit %(limit)s
"""
_PROFILES_WHERE = """
(select cohort, posts, handle, account_id from enrichment_queue
where {which} and profile_next <= %(now)s order by (-posts), handle, account_id limit %(limit)s)
"""
_PROFILES = f"""
select distinct {_COHORT} from (
  select cohort from (
    {_PROFILES_WHERE.format(which="state = 'pending'")}
    union all {_PROFILES_WHERE.format(which="profile_next is not null and state <> 'pending'")}
  ) found order by (-posts), handle, account_id limit %(limit)s
) accounts order by 1
"""
_IS_PROFILE_DUE = "select exists (select from enrichment_queue where profile_next <= %(now)s)"
_AGED = f"""
select distinct {_COHORT} from (
  select cohort from enrichment_queue where profile_seen < %(seen_before)s
    and (%(only)s::date[] is null or {_COHORT} = any(%(only)s::date[]))
  order by profile_seen limit %(limit)s
) oldest order by 1
"""
_UNDECIDED = f"""
select {_COHORT} as cohort, count(*)::int as accounts, max(changed_at) as changed_at
from enrichment_queue where state = 'undecided' or account_id = any(%(overtaken)s) group by 1 order by 1
"""
# By the index of reasons.
_REFUSED = f"""
select distinct {_COHORT} from enrichment_queue
where reasons @> '{{write_refused}}' and reasons <> '{{}}' and state = 'held' order by 1
"""
_OLDEST = """
with all_of_them as (
  select min(created_at) as created_at, count(*)::int as waiting from enrichment_queue
  where state in ('pending', 'deferred')
)
select (select handle from enrichment_queue q where q.created_at = a.created_at
  and state in ('pending', 'deferred') limit 1) as username, a.created_at, a.waiting
from all_of_them a where a.waiting > 0
"""
# The rows that a run over some cohorts should find among the accounts, in the order in which it takes them.
_LISTED = f"""
select account_id from enrichment_queue where {{which}} and {_COHORT} between %(start)s and %(end)s
order by (-posts), handle, account_id limit %(limit)s
"""
_LISTED_REVIEWS = _LISTED.format(
    which="state in ('pending', 'deferred') and not coalesce(next_attempt > %(now)s, false)"
)
_LISTED_PROFILES = _LISTED.format(which="profile_next <= %(now)s")
_LISTED_UNDECIDED = _LISTED.format(which="state = 'undecided'")
_WAITING = (
    "select count(*)::int, min(created_at) from enrichment_queue where state in ('pending', 'deferred')"
)


@dataclass(frozen=True, slots=True)
class OldestPending:
    """The account that has waited longest for its first review, by its handle, and how many wait in total."""

    username: str
    created_at: datetime
    waiting: int


def waiting_reviews(
    connection: Connection[Any],
    cohorts: CohortRange,
    now: datetime,
    limit: int,
    *,
    in_flight: Sequence[date] = (),
    only: Sequence[date] | None = None,
    oldest_first: bool = False,
) -> list[PendingAccount]:
    """Accounts that may be reviewed now, of all cohorts or `only` some, without those in flight.

    The most-tagged ones; with `oldest_first` those of the oldest cohorts, the most-tagged of each first.
    """
    query = _OLDEST_REVIEWS if oldest_first else _REVIEWS
    asked = {"in_flight": list(in_flight), "only": None if only is None else list(only), "limit": limit}
    parameters = cohorts.parameters() | asked | {"now": now.isoformat()}
    found = connection.cursor(row_factory=class_row(PendingAccount)).execute(query.encode(), parameters)
    return list(found)


def waiting_profiles(
    connection: Connection[Any], cohorts: CohortRange, now: datetime, limit: int | None
) -> list[date]:
    """Cohorts of the `limit` most-tagged accounts, or of all, whose profile may be fetched now."""
    parameters = cohorts.parameters() | {"now": now.isoformat(), "limit": limit}
    return [row[0] for row in connection.execute(_PROFILES.encode(), parameters)]


def is_profile_due(connection: Connection[Any], now: datetime) -> bool:
    """Whether any profile that was not found yet may be fetched now."""
    return connection.execute(_IS_PROFILE_DUE, {"now": now.isoformat()}).fetchone() == (True,)


def aged_cohorts(
    connection: Connection[Any],
    cohorts: CohortRange,
    seen_before: datetime,
    limit: int,
    only: Sequence[date] | None = None,
) -> list[date]:
    """Cohorts of the `limit` found profiles whose last look is the oldest, all before this moment."""
    asked = {
        "seen_before": utc_text(seen_before),
        "limit": limit,
        "only": None if only is None else list(only),
    }
    return [row[0] for row in connection.execute(_AGED.encode(), cohorts.parameters() | asked)]


def undecided_cohorts(
    connection: Connection[Any], cohorts: CohortRange, overtaken: Sequence[UUID]
) -> dict[date, UndecidedAccounts]:
    """Cohorts with reviewed accounts without a link decision, and those of the accounts `overtaken`."""
    parameters = cohorts.parameters() | {"overtaken": list(overtaken)}
    found = connection.execute(_UNDECIDED.encode(), parameters)
    return {cohort: UndecidedAccounts(*of_cohort) for cohort, *of_cohort in found}


def refused_cohorts(connection: Connection[Any], cohorts: CohortRange) -> list[date]:
    """Cohorts with accounts whose decision the database refused to write."""
    return [row[0] for row in connection.execute(_REFUSED.encode(), cohorts.parameters())]


def oldest_review(connection: Connection[Any]) -> OldestPending | None:
    """None when no account waits."""
    return connection.cursor(row_factory=class_row(OldestPending)).execute(_OLDEST).fetchone()


def waiting_accounts(connection: Connection[Any]) -> tuple[int, datetime | None]:
    """How many accounts wait for a review, due or postponed, and when the oldest of them was created."""
    found = connection.execute(_WAITING).fetchone()
    assert found is not None
    return found[0], found[1]


def listed_reviews(
    connection: Connection[Any], cohorts: CohortRange, now: datetime, limit: int | None
) -> list[UUID]:
    """The accounts of some cohorts that may be reviewed now, according to the list."""
    return _listed(connection, _LISTED_REVIEWS, cohorts, now, limit)


def listed_profiles(
    connection: Connection[Any], cohorts: CohortRange, now: datetime, limit: int | None
) -> list[UUID]:
    """The accounts of some cohorts whose profile may be fetched now, according to the list."""
    return _listed(connection, _LISTED_PROFILES, cohorts, now, limit)


def listed_undecided(
    connection: Connection[Any], cohorts: CohortRange, now: datetime, limit: int | None = None
) -> list[UUID]:
    """The accounts of some cohorts without a link decision, according to the list."""
    return _listed(connection, _LISTED_UNDECIDED, cohorts, now, limit)


def _listed(
    connection: Connection[Any], query: str, cohorts: CohortRange, now: datetime, limit: int | None
) -> list[UUID]:
    parameters = cohorts.parameters() | {"now": now.isoformat(), "limit": limit}
    return [row[0] for row in connection.execute(query.encode(), parameters)]
