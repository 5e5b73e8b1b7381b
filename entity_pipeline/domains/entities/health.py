"""Checks for `doctor`: odd rows that do not stop runs, a list that is behind, and the needs of `evaluate`.

Problems that stop runs do not belong here; see `schema.py`. `enrichment_queue` may fall behind the accounts without an
error, because nothing sweeps where Dagster's daemon does not run.
"""

import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import sql

from entity_pipeline.core.clock import minute_in_words
from entity_pipeline.core.findings import Finding
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.ports import Databases
from entity_pipeline.core.settings import Closed
from entity_pipeline.domains.entities.accounts.enrichment_queue import LIST_IS_LATE
from entity_pipeline.domains.entities.accounts.queries.account_facts import server_clock
from entity_pipeline.domains.entities.accounts.queries.queue_rows import read_sweep
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.domains.entities.tags.queries.raw_posts import count_without_a_day

_EXAMPLES = 3
# The names of a very large catalog take long to normalise; the check gives up after this time.
_LONGEST_COUNT = "20s"

# An account that is switched off is left alone and does not count as a twin.
_DOUBLED_HANDLES = """
select lower(ltrim(btrim(username), '@')), array_agg(username order by username)
from instagram_accounts where is_active
group by 1 having count(*) > 1 order by 1
"""
_DOUBLED_NAMES = """
select min(name_en), null from {} where name_en <> ''
group by public.entity_pipeline_name_key(name_en) having count(*) > 1 order by 1
"""

_READABLE = """
select to_regclass(%(table)s) is not null, coalesce(has_table_privilege(to_regclass(%(table)s), 'select'), false),
  exists (select from pg_class where oid = to_regclass(%(table)s) and row_security_active(oid))
"""
_THERE = "select to_regclass('public.enrichment_queue_sweep') is not null"
_POSTS_THERE = "select coalesce(has_table_privilege(to_regclass('public.raw_posts'), 'select'), false)"
COMPARISON_IS_LATE = timedelta(days=2)

_Connection = psycopg.Connection[Any]


def rows_are_unique(databases: Databases) -> Iterator[Finding]:
    """Warn about accounts with the same handle, and entities with the same name."""
    with databases.operation.connection() as connection:
        yield from _warnings(doubled_rows(connection))


def list_is_up_to_date(databases: Databases) -> Iterator[Finding]:
    """Check that the list for planners and the administration page follows the accounts."""
    with databases.operation.connection() as operation, databases.assets.connection() as assets:
        yield from _warnings(list_problems(assets, operation))


def evaluations_can_be_kept(databases: Databases) -> Iterator[Finding]:
    """Check the needs of `evaluate`."""
    with databases.assets.connection() as connection:
        yield from _warnings(evaluation_problems(connection))


def backfill_may_look(databases: Databases) -> Iterator[Finding]:
    """Report whether the profile backfill is on, and which host it queries."""
    instagram = databases.settings.gate(InstagramSettings)
    if not databases.settings.readable(EntitySettings).instagram_backfill_enabled:
        yield Finding("ok", "The profile backfill is switched off; reviews continue without it.")
    elif isinstance(instagram, Closed):
        yield Finding("warn", f"The profile backfill waits: {instagram.reason}")
    else:
        where = os.environ.get("INSTAGRAM_BASE_URL") or "Instagram"
        yield Finding("ok", f"The profile backfill is on and queries {where}.")


def posts_have_days(databases: Databases) -> Iterator[Finding]:
    """Warn about posts that no partition can hold."""
    with databases.assets.connection() as connection:
        yield from _warnings(undated_posts(connection))


CHECKS = (rows_are_unique, posts_have_days, list_is_up_to_date, evaluations_can_be_kept, backfill_may_look)


def _warnings(sentences: Iterator[str]) -> Iterator[Finding]:
    return (Finding("warn", sentence) for sentence in sentences)


def undated_posts(assets: _Connection) -> Iterator[str]:
    """A sentence about posts whose `created_at` is not a day. Existence and rights are needs in `schema.py`."""
    if assets.execute(_POSTS_THERE).fetchone() == (True,) and (odd := count_without_a_day(assets)):
        yield (
            f"assets: posts whose created_at is infinite or too far away to be a day: {odd}. They belong to no "
            "partition and are never counted; correct created_at."
        )


def doubled_rows(operation: _Connection) -> Iterator[str]:
    """A sentence each for accounts with the same handle and for entities with the same name."""
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
                f"operation: names that belong to more than one row of {table}: {len(names)} ({shown}). An account "
                "with such a name is held until a person links it or merges the rows."
            )


def list_problems(assets: _Connection, operation: _Connection) -> Iterator[str]:
    """Whether `enrichment_queue` is behind the accounts. Its existence and rights are needs in `schema.py`."""
    if assets.execute(_THERE).fetchone() != (True,) or (state := read_sweep(assets)) is None:
        return
    now = server_clock(operation)
    if state.as_of is None:
        if operation.execute("select exists (select from instagram_accounts)").fetchone() == (True,):
            yield (
                "assets: enrichment_queue is empty, so no account is planned and the page shows none; to fill it, "
                "start Dagster's daemon with changed_accounts_sensor on, or run `entity-pipeline enrich`."
            )
        return
    if now - state.as_of > LIST_IS_LATE:
        yield (
            f"assets: enrichment_queue is as of {minute_in_words(state.as_of)}; "
            "check that Dagster's daemon runs and that changed_accounts_sensor is on."
        )
    if now - (state.compared_at or state.as_of) > COMPARISON_IS_LATE:
        yield (
            "assets: enrichment_queue was not compared with all accounts for two days, and may list deleted ones; "
            "check that enrichment_queue_schedule is on."
        )


def evaluation_problems(assets: _Connection) -> Iterator[str]:
    """Problems of `review_evaluations`, which only `entity-pipeline evaluate` uses."""
    there, readable, _ = _access(assets, "public.review_evaluations")
    if not there:
        yield (
            "assets: the table review_evaluations is missing, so `entity-pipeline evaluate` can't store its results; "
            "run `entity-pipeline migrate`."
        )
    elif not readable:
        yield (
            "assets: this role may not select on review_evaluations, which `entity-pipeline evaluate` needs; as its "
            "owner: grant select, insert on review_evaluations to the role."
        )


def _limited(connection: _Connection, query: sql.SQL | sql.Composed) -> list[tuple[str, list[str]]]:
    """The rows, or none when they take too long or a table is missing, which other checks report."""
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
