"""Read accounts for `enrichment_queue`: their facts, which ones have changed, and how far back to look.

It only reads the operation database. The long parts of a review are left out, because they would make a million
accounts gigabytes large.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import tuple_row

from entity_pipeline.domains.entities.accounts.logic.standing import AccountFacts
from entity_pipeline.domains.entities.accounts.queries.enrichment_metadata import USABLE

CLOCKS_APART = timedelta(minutes=5)
"""How far an application's clock, if it sets `updated_at`, may lag behind the server's."""
HIDDEN_TRANSACTION = timedelta(hours=1)
"""The longest transaction that is still noticed where other roles' sessions are hidden from ours."""
LOOK_BACK_AT_MOST = timedelta(days=1)
"""A forgotten session must not make every sweep longer; the daily comparison finds its changes."""

_LATEST = "'9999-12-30'::timestamptz"


def readable_time(column: str) -> str:
    """A stored time as Python can hold it: infinite ones, and those before Christ, are brought within its years."""
    return f"least(greatest({column}, '0001-01-02'::timestamptz), {_LATEST})"


# `-` removes keys from an object, and raises on a number or a text. OFFSET 0: the metadata is decompressed once.
_SLIM = """
case when jsonb_typeof(ours) = 'object' then jsonb_build_object(
  'cohort', ours -> 'cohort',
  'tagging', jsonb_build_object('posts', ours #> '{tagging,posts}'),
  'gemini_review', case when jsonb_typeof(ours -> 'gemini_review') = 'object' then
    (ours -> 'gemini_review') - '{evidence,search_queries,search_entry_point,notes}'::text[] end,
  'profile_backfill', case when jsonb_typeof(ours -> 'profile_backfill') = 'object' then
    (ours -> 'profile_backfill') - '{history,fields_written}'::text[] end,
  'catalog_link', ours -> 'catalog_link') end
"""


def _facts(which: str) -> str:
    return f"""
        select read_at, id, username, name_en, name_ko, account_type, account_role, region, is_active, is_usable,
          created_at, updated_at, {_SLIM}
        from (select statement_timestamp() as read_at) clock left join (
          select id, username, name_en, name_ko, account_type::text as account_type,
            entity_ig_role::text as account_role, entity_region_code as region, is_active,
            {readable_time("created_at")} as created_at,
            {readable_time("coalesce(updated_at, created_at)")} as updated_at, {USABLE} as is_usable,
            metadata -> 'entity_enrichment' as ours
          from instagram_accounts where {which}
          offset 0
        ) account on true
        order by id
    """


AS_LISTED_WHEN_NEW = """
is_active and name_en is null and name_ko is null,
id, created_at, coalesce(updated_at, created_at), (metadata #>> '{entity_enrichment,cohort}')::date,
(metadata #>> '{entity_enrichment,tagging,posts}')::integer, 'pending', left(account_type::text, 40),
left(entity_ig_role::text, 40), left(entity_region_code, 10), '{}'::text[], username, null, null, null, '', false, null,
statement_timestamp()
"""
"""For an account that intake inserts: whether it is a usual one, and its row of the list as `standing` would make it,
for `queue_rows.list_new`."""

_THESE = _facts("id = any(%(ids)s)")
_NEXT = _facts("id > %(after)s order by id limit %(limit)s")
# Ids as text: as UUIDs, reading and comparing them takes three times as long. Under their own name they would be
# sorted as text, without the index.
# A sweep would never pass a time that no clock reaches; the nightly comparison finds such a row.
_CHANGED = f"""
select updated_at, id::text as id_text from instagram_accounts
where (updated_at, id) > (%(at)s, %(id)s) and updated_at < {_LATEST}
order by updated_at, id limit %(limit)s
"""
# A session of another role hides its kind and its transaction, unless our role may read all statistics.
_SESSIONS = """
select clock_timestamp(), min(xact_start), coalesce(bool_or(backend_type is null), false)
from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class Horizon:
    """`now` by the server's clock. Uncommitted writes will have an `updated_at` of `settles_at` or later."""

    now: datetime
    settles_at: datetime


def horizon(connection: Connection[Any]) -> Horizon:
    """How far back the next sweep must look; called before this one reads anything.

    `updated_at` is when a transaction began, not when it was committed. So a sweep looks back to the start of the
    oldest open transaction, and a little further for applications that set it by their own clock.
    """
    row = connection.cursor(row_factory=tuple_row).execute(_SESSIONS).fetchone()
    assert row is not None
    now, oldest, is_any_hidden = row
    settles_at = min(now, oldest or now) - CLOCKS_APART
    if is_any_hidden:
        settles_at = min(settles_at, now - HIDDEN_TRANSACTION)
    return Horizon(now, max(settles_at, now - LOOK_BACK_AT_MOST))


def server_clock(connection: Connection[Any]) -> datetime:
    """The time by the clock that `Sweep` uses."""
    row = connection.execute("select clock_timestamp()").fetchone()
    assert row is not None
    now: datetime = row[0]
    return now


def facts_of(connection: Connection[Any], ids: Sequence[UUID]) -> tuple[list[AccountFacts], datetime]:
    """The accounts that exist, and a moment no later than the one at which they were read."""
    return _read(connection, _THESE, {"ids": list(ids)})


def facts_after(connection: Connection[Any], after: UUID, limit: int) -> tuple[list[AccountFacts], datetime]:
    """The next accounts by id, and a moment no later than the one at which they were read."""
    return _read(connection, _NEXT, {"after": after, "limit": limit})


def changed_since(
    connection: Connection[Any], at: datetime, account_id: UUID, limit: int
) -> list[tuple[datetime, str]]:
    """`updated_at` and id of the accounts written after this place, in that order."""
    return connection.execute(_CHANGED.encode(), {"at": at, "id": account_id, "limit": limit}).fetchall()


def _read(
    connection: Connection[Any], query: str, parameters: dict[str, Any]
) -> tuple[list[AccountFacts], datetime]:
    rows = connection.execute(query.encode(), parameters).fetchall()
    return [AccountFacts(*account) for _, *account in rows if account[0] is not None], rows[0][0]
