"""The list of accounts that people filter, sort and count: `enrichment_queue` in the assets database. The other values
of each row come from `instagram_accounts` in the operation database.

A page takes at most two queries. First the list is walked in its order over `_WALKED` rows; if too few of them match,
all matching rows are sorted instead. In a single query PostgreSQL would walk a million rows for filters that are each
common but rarely true together. Pages are found by key, so the last one costs as much as the first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection, sql
from psycopg.rows import class_row, dict_row

Order = Literal["most_tagged", "oldest", "newest_change", "username"]

_WALKED = 8_000
# Added to the first sort column, so that no index provides the order.
_NOTHING = {"int": " + 0", "text": " || ''", "timestamptz": " + interval '0'"}


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """The filters of the list; None means no filter. ``"none"`` selects accounts without a type, role or region.

    `cohorts` is the first and the last day, both included; None leaves a side open. `handle` and `name` are parts of a
    username and of a normalised name.
    """

    states: Sequence[str] = ()
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


_LISTED = """
select account_id as id, state, account_type as type, account_role as role, region, cohort, posts, reasons,
  next_attempt, created_at, changed_at, handle, {key} as key
from ({page}) page order by {order}
"""
# The newest error is the most useful one, whichever stage had it.
_SHOWN = """
select id, username, coalesce(nullif(name_en, ''), review #>> '{review,name_en}') as name_en,
  coalesce(nullif(name_ko, ''), review #>> '{review,name_ko}') as name_ko, review -> 'confidence' as confidence,
  review -> 'attempts' as attempts, coalesce(review #>> '{error,detail}', last_look) as last_error, updated_at,
  account_type::text as stored_type, link ->> 'run_id' as run_id
from (
  select id, username, name_en, name_ko, account_type,
    least(greatest(updated_at, '0001-01-02'), '9999-12-30') as updated_at,
    metadata #> '{entity_enrichment,catalog_link}' as link, metadata #> '{entity_enrichment,gemini_review}' as review,
    metadata #>> '{entity_enrichment,profile_backfill,history,-1,detail}' as last_look
  from instagram_accounts where id = any(%s) offset 0
) account
"""


@dataclass(frozen=True, slots=True)
class ListedEntry:
    """One row of the list, with the values of the order's sort columns as `key`."""

    id: UUID
    state: str
    type: str | None
    role: str | None
    region: str | None
    cohort: date
    posts: int
    reasons: list[str]
    next_attempt: str | None
    created_at: datetime
    changed_at: datetime
    handle: str
    key: list[Any]


@dataclass(frozen=True, slots=True)
class ShownAccount:
    """The values shown beside an account's row; `confidence` and `attempts` are whatever the metadata holds."""

    id: UUID
    username: str
    name_en: str | None
    name_ko: str | None
    confidence: Any
    attempts: Any
    last_error: str | None
    updated_at: datetime
    stored_type: str | None
    run_id: str | None


def queue_entries(
    connection: Connection, wanted: QueueFilter, order: Order, place: Place | None, limit: int
) -> list[ListedEntry]:
    """At most `limit` accounts in the order of the list, even when the place is read backwards."""
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
    # Each has an index in one order only: in another order the walk within it would take too long.
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
    found = _entries(connection, walked, sort, parameters | {"limit": limit})
    if len(found) == limit or not conditions:
        return found
    # Only ids are sorted: whole rows would take twice the time.
    sorted_ = f"""
        select enrichment_queue.* from (
          select account_id from enrichment_queue where {where} and {after}
          order by {_ordered(sort, descending, unindexed=True)} limit %(limit)s
        ) chosen join enrichment_queue using (account_id)
    """
    return _entries(connection, sorted_, sort, parameters | {"limit": limit})


def shown_accounts(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, ShownAccount]:
    """The shown values of the accounts that exist, by id, from the operation database."""
    found = connection.cursor(row_factory=class_row(ShownAccount)).execute(_SHOWN, [list(ids)])
    return {account.id: account for account in found}


def _entries(
    connection: Connection, page: str, sort: _Sort, parameters: Mapping[str, Any]
) -> list[ListedEntry]:
    query = _LISTED.format(
        page=page,
        key=f"jsonb_build_array({', '.join(sort.columns)})",
        order=_ordered(sort, sort.descending),
    )
    return list(connection.cursor(row_factory=class_row(ListedEntry)).execute(sql.SQL(query), parameters))


def _ordered(sort: _Sort, descending: bool, *, unindexed: bool = False) -> str:
    direction = " desc" if descending else ""
    first, *others = sort.columns
    columns = [f"{first}{_NOTHING[sort.types[0]]}" if unindexed else first, *others]
    return ", ".join(f"{column}{direction}" for column in columns)


def _conditions(wanted: QueueFilter) -> tuple[dict[str, str], dict[str, Any]]:
    found: dict[str, str] = {}
    values: dict[str, Any] = {}
    if wanted.states:
        found["state"] = "state = %(state)s" if len(wanted.states) == 1 else "state = any(%(state)s)"
        values["state"] = wanted.states[0] if len(wanted.states) == 1 else list(wanted.states)
    columns = {"type": "account_type", "role": "account_role", "region": "region"}
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
    within = []
    for column, value in (("handle", wanted.handle), ("name_en", wanted.name), ("name_ko", wanted.name)):
        if value:
            within.append(f"strpos({column}, %({column})s) > 0")
            values[column] = value
    if within:
        found["search"] = f"coalesce({' or '.join(within)}, false)"
    return found, values


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
