"""What a person should know of the two databases although the pipeline works: rows that are there twice, a switch
that switches nothing, and what only the administration page and `evaluate` need.

Surprising: a row of `enrichment_queue` may be missing without any error. The trigger that keeps it never fails a
person's write, and a restore or a replication may leave triggers out.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from entity_pipeline.core.settings import PLATFORM
from entity_pipeline.resources.postgres import database_clock
from entity_pipeline.resources.settings_store import SETTINGS_COLUMN, SWITCH_COLUMN

CLOCK_TOLERANCE_S = 30.0
_EXAMPLES = 3
# Names of a very large catalog take long to normalise; nobody waits longer than this to hear of them.
_LONGEST_COUNT = "20s"

# An account that is off is left alone, and makes nobody a twin.
_DOUBLED_HANDLES = """
select lower(ltrim(btrim(username), '@')), array_agg(username order by username)
from instagram_accounts where is_active
group by 1 having count(*) > 1 order by 1
"""
_DOUBLED_NAMES = """
select min(name_en), null from {} where name_en <> ''
group by public.entity_pipeline_normalise_name(name_en) having count(*) > 1 order by 1
"""

_READABLE = """
select to_regclass(%(table)s) is not null, coalesce(has_table_privilege(to_regclass(%(table)s), 'select'), false),
  exists (select from pg_class where oid = to_regclass(%(table)s) and row_security_active(oid))
"""
_TRIGGERS = """
select count(*) from pg_trigger
where tgrelid = to_regclass('public.instagram_accounts') and tgenabled in ('O', 'A')
  and tgname in ('entity_pipeline_queue_insert', 'entity_pipeline_queue_update', 'entity_pipeline_queue_delete')
"""
_STALE = """
select count(*) from (
  select from instagram_accounts a left join enrichment_queue q on q.account_id = a.id
  where q.changed_at is distinct from a.updated_at limit 100000) as stale
"""
_EMPTY = "select exists (select from instagram_accounts) and not exists (select from enrichment_queue)"

# A column of the same kind that is older than ours: `migrate` put ours beside it.
_FORMER_SETTINGS = """
select former.attname::text from pg_attribute as ours
join pg_attribute as former on former.attrelid = ours.attrelid and former.attnum between 1 and ours.attnum - 1
where ours.attrelid = to_regclass('public.pipeline_settings') and not former.attisdropped
  and (ours.attname = %s and former.atttypid = 'boolean'::regtype
    or ours.attname = %s and former.atttypid in ('jsonb'::regtype, 'json'::regtype))
order by former.attnum
"""

_THERE = (
    "select to_regclass('public.raw_posts') is not null, to_regclass('public.instagram_accounts') is not null"
)

_Connection = psycopg.Connection[Any]


def swapped(assets: _Connection, operation: _Connection) -> Iterator[str]:
    """Whether each address names the other database; `migrate` would fill both with what belongs to the other."""
    if (assets.execute(_THERE).fetchone(), operation.execute(_THERE).fetchone()) == (
        (False, True),
        (True, False),
    ):
        yield (
            "ASSETS_DATABASE_URL names the database with instagram_accounts and OPERATION_DATABASE_URL the one with "
            "raw_posts: they are swapped."
        )


def doubled_rows(operation: _Connection) -> Iterator[str]:
    """Accounts that are one handle, and entities that are one name; each kind in a sentence."""
    handles = _limited(operation, sql.SQL(_DOUBLED_HANDLES))
    if handles:
        shown = "; ".join(", ".join(names) for _, names in handles[:_EXAMPLES])
        yield (
            f"operation: handles with more than one active account: {len(handles)} ({shown}). The pipeline holds all "
            "of them as duplicate_username; keep one of each and set is_active to false in the others."
        )
    for table in ("artists", "brands", "groups"):
        names = _limited(operation, sql.SQL(_DOUBLED_NAMES).format(sql.Identifier(table)))
        if names:
            shown = ", ".join(str(name) for name, _ in names[:_EXAMPLES])
            yield (
                f"operation: names that belong to more than one row of {table}: {len(names)} ({shown}). An account of "
                "such a name is held until a person links it or merges the rows."
            )


def page_list_problems(operation: _Connection, *, is_page_here: bool) -> Iterator[str]:
    """What is wrong with `enrichment_queue`: the administration page shows it, and ticks are slow without it.

    A role that may not read it is fine, unless the page runs with this environment: `is_page_here`.
    """
    there, readable, may_hide = _access(operation, "public.enrichment_queue")
    if not there:
        yield (
            "operation: the table enrichment_queue is missing, and the administration page has no list without it; "
            "run `entity-pipeline migrate`."
        )
        return
    if operation.execute(_TRIGGERS).fetchone() != (3,):
        yield (
            "operation: enrichment_queue is not kept, for a trigger of instagram_accounts is missing or switched off; "
            "enable entity_pipeline_queue_insert, _update and _delete, then bring the list up to date "
            "(docs/admin.md)."
        )
    if not readable:
        if is_page_here:
            yield (
                "operation: this role may not select on enrichment_queue, and the administration page reads it; as its "
                "owner: grant select on enrichment_queue to the role, with a policy (docs/admin.md)."
            )
    elif may_hide and operation.execute(_EMPTY).fetchone() == (True,):
        yield (
            "operation: row-level security hides the rows of enrichment_queue from this role, and the administration "
            "page would show no account; create a policy for the role (docs/admin.md)."
        )
    elif stale := _count(operation, _STALE):
        yield (
            f"operation: rows of enrichment_queue that are out of date: {stale:,}. The administration page shows these "
            "accounts as they were; as its owner: select entity_pipeline_queue_refresh(array(select id from "
            "instagram_accounts))."
        )


def former_settings(assets: _Connection) -> Iterator[str]:
    """A switch and settings that `pipeline_settings` had under other names, and that change nothing here."""
    former = [name for (name,) in assets.execute(_FORMER_SETTINGS, [SWITCH_COLUMN, SETTINGS_COLUMN])]
    if former:
        yield (
            "assets: pipeline_settings has older columns that look like a switch or settings "
            f"({', '.join(former)}), and this pipeline does not read them: only {SWITCH_COLUMN} and {SETTINGS_COLUMN} "
            f"of the row '{PLATFORM}' count, and `entity-pipeline settings` changes them. To use the older ones "
            "instead, name them in entity_pipeline/resources/settings_store.py (docs/schema.md)."
        )


def evaluation_problems(assets: _Connection) -> Iterator[str]:
    """What is wrong with `review_evaluations`, which only `entity-pipeline evaluate` uses."""
    there, readable, _ = _access(assets, "public.review_evaluations")
    if not there:
        yield (
            "assets: the table review_evaluations is missing, and `entity-pipeline evaluate` can't keep what it "
            "measured; run `entity-pipeline migrate`."
        )
    elif not readable:
        yield (
            "assets: this role may not select on review_evaluations, which `entity-pipeline evaluate` needs; as its "
            "owner: grant select, insert on review_evaluations to the role."
        )


def clock_skew_s(
    connection: _Connection, machine_clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> float:
    """How far the database's clock is ahead of this machine's, in seconds; the way there and back counts half."""
    before = machine_clock()
    there = database_clock(connection)
    return (there - (before + (machine_clock() - before) / 2)).total_seconds()


def _limited(connection: _Connection, query: sql.SQL | sql.Composed) -> list[tuple[str, list[str]]]:
    """The rows, or none when they take too long or a table is not there, which others say."""
    try:
        with connection.transaction():
            connection.execute(sql.SQL("set local statement_timeout = {}").format(_LONGEST_COUNT))
            return connection.execute(query).fetchall()
    except (
        psycopg.errors.QueryCanceled,
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.UndefinedTable,
    ):
        return []
    except (psycopg.errors.UndefinedFunction, psycopg.errors.UndefinedColumn):
        return []


def _access(connection: _Connection, table: str) -> tuple[bool, bool, bool]:
    row = connection.execute(_READABLE, {"table": table}).fetchone()
    return row if row is not None else (False, False, False)


def _count(connection: _Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0
