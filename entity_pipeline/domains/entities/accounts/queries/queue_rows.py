"""Write `enrichment_queue`, and the one row that records how far it has followed the accounts.

Only statements on the assets database. The content of the rows is decided in `logic/standing.py`, and lists for people
are read in `queries/queue.py`. Rows are locked in order of their keys, so that two writers never wait for each other.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from entity_pipeline.core.jsonb import jsonb_text
from entity_pipeline.domains.entities.accounts.logic.standing import ListedAccount

_TYPES = {
    "account_id": "uuid",
    "created_at": "timestamptz",
    "changed_at": "timestamptz",
    "cohort": "date",
    "posts": "integer",
    "reasons": "text[]",
    "waits_for_picture": "boolean",
}
_COLUMNS = [field.name for field in fields(ListedAccount)]
_ALL = ", ".join(_COLUMNS)
_KEPT, _NEW = (", ".join(f"{row}.{name}" for name in _COLUMNS[1:]) for row in ("kept", "excluded"))
_LIST = f"""
insert into enrichment_queue as kept ({_ALL}, seen_at)
select {_ALL}, %(seen_at)s from jsonb_to_recordset(%(rows)s::jsonb)
  as new ({", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in _COLUMNS)})
order by account_id
on conflict (account_id) do update
set ({", ".join(_COLUMNS[1:])}, seen_at) = ({_NEW}, excluded.seen_at)
where kept.seen_at <= excluded.seen_at and ({_KEPT}) is distinct from ({_NEW})
"""
_STAGE_NEW = "create temp table incoming_listed (like enrichment_queue) on commit drop"
_COPY_NEW = f"copy incoming_listed ({_ALL}, seen_at) from stdin"
_LIST_NEW = f"""
insert into enrichment_queue ({_ALL}, seen_at) select {_ALL}, seen_at from incoming_listed order by account_id
"""
_FORGET = """
delete from enrichment_queue using (
  select account_id from enrichment_queue where account_id = any(%(ids)s) and seen_at <= %(seen_at)s
  order by account_id for update
) gone where enrichment_queue.account_id = gone.account_id
"""
_CHANGED_BETWEEN = """
select changed_at, account_id::text from enrichment_queue
where (changed_at, account_id) > (%(after_at)s, %(after_id)s) and (changed_at, account_id) <= (%(to_at)s, %(to_id)s)
"""
_BETWEEN = f"""
select {_ALL} from enrichment_queue where account_id > %(after)s and account_id <= %(to)s
"""

LAST_ID = UUID(int=2**128 - 1)
FIRST_ID = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Sweep:
    """How far the list has followed the accounts; the fields are the columns of `enrichment_queue_sweep`.

    `as_of`: everything committed by then is in the list; None before the first pass ended. `walked_*` is where an
    unfinished pass continues, `compared_id` where an unfinished comparison does; None when there is none.
    """

    settled_at: datetime
    as_of: datetime | None = None
    pass_began_at: datetime | None = None
    pass_settles_at: datetime | None = None
    walked_at: datetime | None = None
    walked_id: UUID | None = None
    compared_at: datetime | None = None
    comparison_began_at: datetime | None = None
    compared_id: UUID | None = None


_SWEEP = [field.name for field in fields(Sweep)]
_READ_SWEEP = f"select {', '.join(_SWEEP)} from enrichment_queue_sweep"
_PASS = ("settled_at", "as_of", "pass_began_at", "pass_settles_at", "walked_at", "walked_id")
_COMPARISON = ("compared_at", "comparison_began_at", "compared_id")


def list_accounts(connection: Connection[Any], rows: Sequence[ListedAccount], seen_at: datetime) -> int:
    """Store the rows as read at `seen_at`, unless a newer reading is stored; returns how many differed."""
    if not rows:
        return 0
    text = jsonb_text([{name: getattr(row, name) for name in _COLUMNS} for row in rows])
    return connection.execute(_LIST.encode(), {"rows": text, "seen_at": seen_at}).rowcount


def list_new(connection: Connection[Any], rows: Sequence[bytes]) -> None:
    """List accounts that were just inserted, from rows of COPY text (`account_facts.AS_LISTED_WHEN_NEW`).

    Lists none of them if a sweep has already listed one: it read that one later, and will list the others.
    """
    if not rows:
        return
    with suppress(UniqueViolation), connection.transaction():
        connection.execute(_STAGE_NEW)
        with connection.cursor().copy(_COPY_NEW.encode()) as copy:
            copy.write(b"".join(rows))
        connection.execute(_LIST_NEW.encode())
        connection.execute("drop table incoming_listed")


def forget_accounts(connection: Connection[Any], ids: Sequence[UUID], seen_at: datetime) -> int:
    """Remove accounts that did not exist at `seen_at`; returns how many were listed."""
    return connection.execute(_FORGET, {"ids": list(ids), "seen_at": seen_at}).rowcount if ids else 0


def listed_changes(
    connection: Connection[Any], after: tuple[datetime, UUID], to: tuple[datetime, UUID]
) -> set[tuple[datetime, str]]:
    """`changed_at` and id of the rows after one place and up to another, like `account_facts.changed_since`."""
    asked = {"after_at": after[0], "after_id": after[1], "to_at": to[0], "to_id": to[1]}
    return set(connection.execute(_CHANGED_BETWEEN, asked).fetchall())


def listed_between(connection: Connection[Any], after: UUID, to: UUID) -> dict[UUID, ListedAccount]:
    """The rows whose ids are after one and up to another."""
    found = connection.execute(_BETWEEN.encode(), {"after": after, "to": to})
    # A state of an older release is a plain text here, equals none of the current ones, and so is corrected.
    return {row[0]: ListedAccount(*row) for row in found}


def read_sweep(connection: Connection[Any]) -> Sweep | None:
    """The row; None where it is missing or hidden, which `doctor` explains."""
    return connection.cursor(row_factory=class_row(Sweep)).execute(_READ_SWEEP.encode()).fetchone()


def note_pass(connection: Connection[Any], sweep: Sweep) -> None:
    """Store the progress of a pass. A pass that ended earlier never undoes what a later one recorded."""
    _note(connection, sweep, _PASS)


def note_comparison(connection: Connection[Any], sweep: Sweep) -> None:
    """Store the progress of a comparison."""
    _note(connection, sweep, _COMPARISON)


def _note(connection: Connection[Any], sweep: Sweep, columns: Sequence[str]) -> None:
    only_forward = ("settled_at", "as_of", "compared_at")
    changes = (
        f"{name} = greatest({name}, %({name})s)" if name in only_forward else f"{name} = %({name})s"
        for name in columns
    )
    statement = f"update enrichment_queue_sweep set {', '.join(changes)}"
    connection.execute(statement.encode(), {name: getattr(sweep, name) for name in columns})
