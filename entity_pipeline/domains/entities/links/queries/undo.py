"""Find our audit rows of a run or an account, and restore values, in the open transaction."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.jsonb import jsonb_text
from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.domains.entities.accounts.queries.enrichment_metadata import change_within_stage
from entity_pipeline.domains.entities.audit import entity_audit
from entity_pipeline.shared.audit.provenance import AuditRow
from entity_pipeline.shared.audit.writer import SELECT_OURS

_WRITES = f"""
with ours as ({SELECT_OURS})
select * from ours where undoes is null and redoes is null and account_id is not null
"""

_RUNS = f"""
select distinct run_id from ({SELECT_OURS}) ours where starts_with(run_id, %(beginning)s) limit 3
"""
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

_UNDOING = f"select * from ({SELECT_OURS}) ours where undoes is not null and account_id is not null"
_UNDONE = f"""
select account_id from ({_UNDOING}) undone
where case when %(run_id)s::text is null
  then account = %(username)s or lower(ltrim(btrim(account), '@')) = %(handle)s else run_id = %(run_id)s end
group by account_id order by max(created_at) desc
"""
_UNDOING_ROWS = f"""
{_UNDOING} and account_id = %(account_id)s and (%(run_id)s::text is null or run_id = %(run_id)s)
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


def full_run_id(connection: psycopg.Connection[Any], beginning: str) -> str:
    """The id of the run that wrote something and whose id begins so, as both UIs shorten it.

    Raises:
        InputRejected: several runs do. A beginning that no run has is returned as it is.
    """
    values = {**entity_audit.ours, "beginning": beginning}
    found = [row[0] for row in connection.execute(_RUNS, values)]
    if len(found) > 1 and beginning not in found:
        raise InputRejected(f"Several runs begin with '{beginning}': give more of the id.")
    return found[0] if len(found) == 1 else beginning


def accounts_named(connection: psycopg.Connection[Any], username: str) -> Sequence[UUID]:
    """Accounts that have this name, or had it when we wrote, and for which we ever wrote something."""
    values = {**entity_audit.ours, "username": username, "handle": handle_or_none(username)}
    return [row[0] for row in connection.execute(_ACCOUNT, values)]


def undone_accounts(
    connection: psycopg.Connection[Any], run_id: str | None, username: str | None
) -> Sequence[UUID]:
    """Accounts for which an undo of this run, or of this account, took something back; the last one first."""
    values = {"username": username, "handle": handle_or_none(username or ""), "run_id": run_id}
    return [row[0] for row in connection.execute(_UNDONE, {**entity_audit.ours, **values})]


def undoing_rows(
    connection: psycopg.Connection[Any], account_id: UUID, run_id: str | None
) -> Sequence[AuditRow]:
    """Our undoing rows for the account, of one run's writes or of all, newest first."""
    return _audit_rows(connection, _UNDOING_ROWS, account_id, run_id)


def our_writes(
    connection: psycopg.Connection[Any], account_id: UUID, run_id: str | None
) -> Sequence[AuditRow]:
    """Our writes for the account, in one run or in all, newest first."""
    return _audit_rows(connection, _ROWS, account_id, run_id)


def _audit_rows(
    connection: psycopg.Connection[Any], query: str, account_id: UUID, run_id: str | None
) -> Sequence[AuditRow]:
    parameters = {**entity_audit.ours, "account_id": account_id, "run_id": run_id}
    with connection.cursor(row_factory=class_row(AuditRow)) as cursor:
        return cursor.execute(query, parameters).fetchall()


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


def insert_again(
    connection: psycopg.Connection[Any], table: str, columns: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Insert a row that was removed, with its id; returns it as JSON values."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    query = sql.SQL(
        "insert into {table} as t ({names}) select {names} from jsonb_populate_record(null::{table}, %s::jsonb) "
        "returning to_jsonb(t)"
    ).format(table=sql.Identifier(table), names=names)
    row = connection.execute(query, [jsonb_text(columns)]).fetchone()
    assert row is not None
    return dict(row[0])


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


def mark_undone(connection: psycopg.Connection[Any], account_id: UUID, status: object) -> None:
    """Set `catalog_link.status`, so that the account is not linked again automatically; `status` is the one before."""
    change_within_stage(connection, account_id, "catalog_link", {"status": "undone", "before_undo": status})


def mark_redone(connection: psycopg.Connection[Any], account_id: UUID, status: object) -> None:
    """Give `catalog_link` the status from before the undo. Without one, the account is decided again."""
    again: Mapping[str, Any] = {"status": status} if status else {"status": "held", "reviewed_at": None}
    change_within_stage(connection, account_id, "catalog_link", {**again, "before_undo": None})
