"""Find our audit rows of a run or an account, and restore values, in the open transaction."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.domains.entities.accounts.queries.enrichment_metadata import change_within_stage
from entity_pipeline.domains.entities.audit import entity_audit
from entity_pipeline.shared.audit.provenance import AuditRow
from entity_pipeline.shared.audit.writer import SELECT_OURS

_WRITES = f"with ours as ({SELECT_OURS}) select * from ours where undoes is null and account_id is not null"

# An entity can be removed only after everything that the same run attached to it.
_RUN = f"""
select account_id from ({_WRITES} and run_id = %(run_id)s) written
group by account_id order by bool_or(before is null), max(created_at) desc
"""
_ACCOUNT = f"""
select account_id from ({_WRITES}) written
where account = %(username)s or lower(ltrim(btrim(account), '@')) = %(handle)s
   or account_id in (select id from instagram_accounts where lower(ltrim(btrim(username), '@')) = %(handle)s)
group by account_id order by max(created_at) desc
"""
_ROWS = f"""
{_WRITES} and account_id = %(account_id)s and (%(run_id)s::text is null or run_id = %(run_id)s)
order by created_at desc, id desc
"""

_REFERENCES = """
select c.conrelid::regclass::text, a.attname::text
from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
where c.contype = 'f' and c.confrelid = %s::regclass and cardinality(c.conkey) = 1
order by 1, 2
"""


def accounts_of_run(connection: psycopg.Connection[Any], run_id: str) -> Sequence[UUID]:
    """Accounts for which the run wrote something, the last one first; those with a created entity come at the end."""
    return [row[0] for row in connection.execute(_RUN, {**entity_audit.ours, "run_id": run_id})]


def accounts_named(connection: psycopg.Connection[Any], username: str) -> Sequence[UUID]:
    """Accounts that have this name, or had it when we wrote, and for which we ever wrote something."""
    values = {**entity_audit.ours, "username": username, "handle": handle_or_none(username)}
    return [row[0] for row in connection.execute(_ACCOUNT, values)]


def our_writes(
    connection: psycopg.Connection[Any], account_id: UUID, run_id: str | None
) -> Sequence[AuditRow]:
    """Our writes for the account, in one run or in all, newest first."""
    with connection.cursor(row_factory=class_row(AuditRow)) as cursor:
        return cursor.execute(
            _ROWS, {**entity_audit.ours, "account_id": account_id, "run_id": run_id}
        ).fetchall()


def locked_row(connection: psycopg.Connection[Any], table: str, row_id: UUID) -> Mapping[str, Any] | None:
    """The whole row as JSON values, locked against writers and new references; None when it is gone."""
    query = sql.SQL("select to_jsonb(t) from {} t where id = %s for update").format(sql.Identifier(table))
    found = connection.execute(query, [row_id]).fetchone()
    return None if found is None else dict(found[0])


def restore(connection: psycopg.Connection[Any], table: str, row_id: UUID, values: Mapping[str, Any]) -> None:
    """Set the columns of one row."""
    pairs = (sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in values)
    query = sql.SQL("update {} set {} where id = {}").format(
        sql.Identifier(table), sql.SQL(", ").join(pairs), sql.Literal(row_id)
    )
    connection.execute(query, values)


def remove(connection: psycopg.Connection[Any], table: str, row_id: UUID) -> None:
    """Delete one row."""
    connection.execute(sql.SQL("delete from {} where id = %s").format(sql.Identifier(table)), [row_id])


def references(connection: psycopg.Connection[Any], table: str, row_id: UUID) -> Sequence[str]:
    """The columns that refer to this row, as ``table.column``, by any foreign key of this database."""
    found: list[str] = []
    for other, column in connection.execute(_REFERENCES, [table]).fetchall():
        query = sql.SQL("select exists (select from {} where {} = %s)").format(
            sql.Identifier(*other.split(".")), sql.Identifier(column)
        )
        row = connection.execute(query, [row_id]).fetchone()
        if row is not None and row[0]:
            found.append(f"{other}.{column}")
    return found


def mark_undone(connection: psycopg.Connection[Any], account_id: UUID) -> None:
    """Set `catalog_link.status`, so that the account is not linked again automatically."""
    change_within_stage(connection, account_id, "catalog_link", {"status": "undone"})
