"""Odd rows that `doctor` warns of although runs work, and what only the administration page and `evaluate` need.

What keeps runs from working does not belong here; see `schema.py`. A row of `enrichment_queue` may be missing without
any error: the trigger that keeps it never fails a person's write, and a restore or a replication may leave triggers
out.
"""

import os
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from entity_pipeline.core.findings import Finding
from entity_pipeline.core.ports import Databases

_EXAMPLES = 3
# Names of a very large catalog take long to normalise; the check gives up after this time.
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

_Connection = psycopg.Connection[Any]


def rows_are_unique(databases: Databases) -> Iterator[Finding]:
    """Accounts that are one handle, and entities that are one name."""
    with databases.operation.connection() as connection:
        yield from _warnings(doubled_rows(connection))


def page_has_its_list(databases: Databases) -> Iterator[Finding]:
    """The list of the administration page is kept and may be read."""
    with databases.operation.connection() as connection:
        yield from _warnings(page_list_problems(connection, is_page_here=bool(os.environ.get("ADMIN_TOKEN"))))


def evaluations_can_be_kept(databases: Databases) -> Iterator[Finding]:
    """What only `evaluate` needs."""
    with databases.assets.connection() as connection:
        yield from _warnings(evaluation_problems(connection))


CHECKS = (rows_are_unique, page_has_its_list, evaluations_can_be_kept)


def _warnings(sentences: Iterator[str]) -> Iterator[Finding]:
    return (Finding("warn", sentence) for sentence in sentences)


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
