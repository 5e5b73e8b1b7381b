"""The list of accounts as people filter, sort and count it, over `enrichment_queue`; what is shown of each row
comes from `instagram_accounts`.

Surprising: a page is asked for twice at most. First the list is walked in its order over `_WALKED` rows; where too
few of them fit, all that fit are sorted instead. The planner, asked once, would walk a million rows for filters
that are common each and seldom true together. Pages are found by key, so the last one costs what the first does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection, sql
from psycopg.rows import class_row, dict_row

from entity_pipeline.domains.entities.accounts.logic.plan import PendingAccount

Order = Literal["most_tagged", "oldest", "newest_change", "username"]

_WALKED = 8_000
# Added to the first sort column, so that no index has the order.
_NOTHING = {"int": " + 0", "text": " || ''", "timestamptz": " + interval '0'"}


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What narrows the list; None does not. ``"none"`` asks for accounts without a type, role or region.

    `cohorts` is the first and the last day, both included; None on a side leaves it open. `handle` and `name`
    are what a username or a normalised name begins with.
    """

    state: str | None = None
    type: str | None = None
    role: str | None = None
    region: str | None = None
    reason: str | None = None
    cohorts: tuple[date | None, date | None] = (None, None)
    handle: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: after these sort values, or before them when `backwards`."""

    key: Sequence[Any]
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class _Sort:
    columns: tuple[str, ...]
    types: tuple[str, ...]
    descending: bool = False


_SORTS: Mapping[Order, _Sort] = {
    "most_tagged": _Sort(("(-posts)", "handle", "account_id"), ("int", "text", "uuid")),
    "oldest": _Sort(("created_at", "account_id"), ("timestamptz", "uuid")),
    "newest_change": _Sort(("changed_at", "account_id"), ("timestamptz", "uuid"), descending=True),
    "username": _Sort(("handle", "account_id"), ("text", "uuid")),
}


def key_types(order: Order) -> tuple[str, ...]:
    """The PostgreSQL types of the order's sort values, in order."""
    return _SORTS[order].types


# The newest error says most, whichever stage met it.
_SHOWN = """
with q as materialized (select *, {key} as key from ({page}) page)
select a.id, a.username, q.state, coalesce(nullif(a.name_en, ''), {review} #>> '{{review,name_en}}') as name_en,
  coalesce(nullif(a.name_ko, ''), {review} #>> '{{review,name_ko}}') as name_ko,
  q.account_type as type, q.account_role as role, q.region, q.cohort, q.posts, q.reasons,
  {review} -> 'confidence' as confidence, {review} -> 'attempts' as attempts,
  coalesce({review} #>> '{{error,detail}}', {profile} #>> '{{history,-1,detail}}') as last_error,
  q.next_attempt, a.created_at, a.updated_at, q.key
from q join instagram_accounts a on a.id = q.account_id
order by {order}
"""


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """One account as stored; `confidence`, `attempts` and `next_attempt` are whatever the metadata holds."""

    id: UUID
    username: str
    state: str
    name_en: str | None
    name_ko: str | None
    type: str | None
    role: str | None
    region: str | None
    cohort: date
    posts: int
    reasons: list[str]
    confidence: Any
    attempts: Any
    last_error: str | None
    next_attempt: str | None
    created_at: datetime
    updated_at: datetime
    key: list[Any]


def queue_entries(
    connection: Connection, wanted: QueueFilter, order: Order, place: Place | None, limit: int
) -> list[QueueEntry]:
    """At most `limit` accounts in the order of the list, also when the place is read backwards."""
    sort = _SORTS[order]
    backwards = place is not None and place.backwards
    descending = sort.descending != backwards
    conditions, parameters = _conditions(wanted)
    after = "true"
    if place is not None:
        holders = ", ".join(f"%(key_{nth})s::{kind}" for nth, kind in enumerate(sort.types))
        after = f"({', '.join(sort.columns)}) {'<' if descending else '>'} ({holders})"
        parameters |= {f"key_{nth}": value for nth, value in enumerate(place.key)}
    where = " and ".join(conditions.values()) or "true"
    # Each has an index in that order alone: in another, the walk within it would have no end.
    within = "true"
    if order == "most_tagged":
        within = conditions.get("state", within)
    elif order == "newest_change" and wanted.type not in (None, "none"):
        within = "account_type is not null"
    walked = f"""
        select * from (
          select * from enrichment_queue where {within} and {after}
          order by {_ordered(sort, descending)} limit {_WALKED if conditions else "%(limit)s"}
        ) near where {where} limit %(limit)s
    """
    found = _shown(connection, walked, sort, parameters | {"limit": limit})
    if len(found) == limit or not conditions:
        return found
    # Only ids are sorted: whole rows cost twice the time.
    sorted_ = f"""
        select enrichment_queue.* from (
          select account_id from enrichment_queue where {where} and {after}
          order by {_ordered(sort, descending, unindexed=True)} limit %(limit)s
        ) chosen join enrichment_queue using (account_id)
    """
    return _shown(connection, sorted_, sort, parameters | {"limit": limit})


def _shown(connection: Connection, page: str, sort: _Sort, parameters: Mapping[str, Any]) -> list[QueueEntry]:
    query = _SHOWN.format(
        page=page,
        review="(a.metadata #> '{entity_enrichment,gemini_review}')",
        profile="(a.metadata #> '{entity_enrichment,profile_backfill}')",
        key=f"jsonb_build_array({', '.join(sort.columns)})",
        order=_ordered(sort, sort.descending),
    )
    return list(connection.cursor(row_factory=class_row(QueueEntry)).execute(sql.SQL(query), parameters))


def _ordered(sort: _Sort, descending: bool, *, unindexed: bool = False) -> str:
    direction = " desc" if descending else ""
    first, *others = sort.columns
    columns = [f"{first}{_NOTHING[sort.types[0]]}" if unindexed else first, *others]
    return ", ".join(f"{column}{direction}" for column in columns)


def _conditions(wanted: QueueFilter) -> tuple[dict[str, str], dict[str, Any]]:
    found: dict[str, str] = {}
    values: dict[str, Any] = {}
    columns = {"state": "state", "type": "account_type", "role": "account_role", "region": "region"}
    for name, column in columns.items():
        value = getattr(wanted, name)
        if value == "none":
            found[name] = f"{column} is null"
        elif value is not None:
            found[name] = f"{column} = %({name})s"
            values[name] = value
    if wanted.reason is not None:
        found["reason"] = "reasons @> array[%(reason)s]::text[] and reasons <> '{}'"
        values["reason"] = wanted.reason
    first, last = wanted.cohorts
    if first is not None:
        found["first"] = "cohort >= %(first)s"
        values["first"] = first
    if last is not None:
        found["last"] = "cohort <= %(last)s"
        values["last"] = last
    begins = []
    for column, value in (("handle", wanted.handle), ("name_en", wanted.name), ("name_ko", wanted.name)):
        if value:
            begins.append(f"({column} >= %({column})s and {column} < %({column}_end)s)")
            values |= {column: value, f"{column}_end": value + "\U0010ffff"}
    if begins:
        found["search"] = f"({' or '.join(begins)})"
    return found, values


def waiting_reviews(
    connection: Connection,
    first_day: date,
    last_day: date,
    now: datetime,
    limit: int,
    in_flight: Sequence[date],
) -> list[PendingAccount]:
    """What `queries.enrichment.plannable_reviews` finds for the schedule, without reading any metadata."""
    # State by state, for most of the most-tagged were reviewed long ago: in their order alone, the walk would be long.
    of_state = """
        (select least(greatest(cohort, %(first_day)s::date), %(last_day)s::date) as cohort, posts, handle, account_id
        from enrichment_queue
        where state = '{state}' and not coalesce(next_attempt > %(now)s, false)
          and not least(greatest(cohort, %(first_day)s::date), %(last_day)s::date) = any(%(in_flight)s::date[])
        order by (-posts), handle, account_id limit %(limit)s)
    """
    query = f"""
        select cohort, posts
        from ({of_state.format(state="pending")} union all {of_state.format(state="deferred")}) found
        order by (-posts), handle, account_id limit %(limit)s
    """
    parameters = {
        "first_day": first_day,
        "last_day": last_day,
        "now": now.isoformat(),
        "limit": limit,
        "in_flight": list(in_flight),
    }
    return list(connection.cursor(row_factory=class_row(PendingAccount)).execute(sql.SQL(query), parameters))


def waiting_profiles(
    connection: Connection, first_day: date, last_day: date, now: datetime, limit: int
) -> list[date]:
    """What `queries.enrichment.due_profile_cohorts` finds for the schedule, without reading any metadata."""
    part = """
        (select cohort, posts, handle, account_id from enrichment_queue
        where {which} and profile_next <= %(now)s order by (-posts), handle, account_id limit %(limit)s)
    """
    late = part.format(which="profile_next is not null and state <> 'pending'")
    query = f"""
        select distinct least(greatest(cohort, %(first_day)s::date), %(last_day)s::date) from (
          select cohort from ({part.format(which="state = 'pending'")} union all {late}) found
          order by (-posts), handle, account_id limit %(limit)s
        ) accounts order by 1
    """
    parameters = {"first_day": first_day, "last_day": last_day, "now": now.isoformat(), "limit": limit}
    return [row[0] for row in connection.execute(sql.SQL(query), parameters)]


def waiting_accounts(connection: Connection) -> tuple[int, datetime | None]:
    """How many accounts wait for a review, due or put off, and when the oldest of them came in."""
    query = """
        select count(*)::int, min(created_at) from enrichment_queue where state in ('pending', 'deferred')
    """
    found = connection.execute(query).fetchone()
    assert found is not None
    return found[0], found[1]


def is_hidden(connection: Connection) -> bool:
    """There are accounts, and none of them is in the list: it was not filled, or a policy hides its rows."""
    query = "select exists (select from instagram_accounts) and not exists (select from enrichment_queue)"
    found = connection.execute(query).fetchone()
    return bool(found and found[0])


def state_counts(connection: Connection) -> dict[str, int]:
    """How many accounts are in each state."""
    query = "select state, count(*)::int from enrichment_queue group by 1"
    return dict(connection.execute(query).fetchall())


def reason_counts(connection: Connection) -> dict[str, dict[str, int]]:
    """By state `held` and `failed`: how many accounts there are for each reason."""
    query = """
        select state, reason, sum(accounts)::int as accounts from (
          select state, reasons, count(*) as accounts from enrichment_queue
          where state in ('held', 'failed') group by 1, 2
        ) alike, unnest(reasons) reason
        group by 1, 2 order by 3 desc, 2
    """
    found: dict[str, dict[str, int]] = {}
    for row in connection.cursor(row_factory=dict_row).execute(query):
        found.setdefault(row["state"], {})[row["reason"]] = row["accounts"]
    return found
