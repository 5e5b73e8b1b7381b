"""Try writes in transactions that are rolled back, and say in one sentence each what refuses them.

Nothing of a trial stays except gaps in sequences, and it waits only briefly for locks of others. What a trigger does
outside of PostgreSQL can't be rolled back.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import psycopg
from psycopg import errors

from entity_pipeline.core.failures import SchemaMismatch
from entity_pipeline.core.findings import Finding
from entity_pipeline.core.trials import Trial
from entity_pipeline.shared.database.refusals import is_refusal, raised_in, said_by

_LIMITS = "set local lock_timeout = '2s'; set local statement_timeout = '10s'"
# Otherwise a constraint that is checked at the commit would not be checked at all.
_CHECK_NOW = "set constraints all immediate"

_MISSING = (
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.UndefinedFunction,
    errors.InsufficientPrivilege,
)
_BUSY = (errors.LockNotAvailable, errors.QueryCanceled, errors.DeadlockDetected)


def try_writes(
    connection: psycopg.Connection[Any], trials: Iterable[Trial], *, is_schema_known_to_differ: bool
) -> Iterator[Finding]:
    """What the database refuses, each cause once: errors, and warnings where others hold locks.

    With `is_schema_known_to_differ`, missing tables, columns and rights are not repeated: another check names them.

    Raises:
        psycopg.Error: the connection was lost.
    """
    causes = set()
    for trial in trials:
        error = refused(connection, trial)
        if error is None or (is_schema_known_to_differ and isinstance(error, _MISSING)):
            continue
        if connection.closed:
            raise error
        cause = _cause(error)
        if cause not in causes:
            causes.add(cause)
            yield _finding(trial, error)


def require(connection: psycopg.Connection[Any], trials: Iterable[Trial]) -> None:
    """Raise if the schema refuses one of the writes whatever the row: then no account is at fault.

    Raises:
        SchemaMismatch: it refuses one.
    """
    for trial in trials:
        error = refused(connection, trial)
        if error is not None and (is_refusal(error) or isinstance(error, _MISSING)):
            raise SchemaMismatch(
                f"The run stops, because a database refuses what it writes. {_finding(trial, error).text}"
            ) from None


def refused(connection: psycopg.Connection[Any], trial: Trial) -> psycopg.Error | None:
    """Make the write, roll it back, and return the error that PostgreSQL gave, if it gave one."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(_LIMITS)
            trial.attempt(connection)
            connection.execute(_CHECK_NOW)
    except psycopg.Error as error:
        return error
    return None


def _cause(error: psycopg.Error) -> tuple[str | None, ...]:
    """The same for two writes that one repair makes possible."""
    said = error.diag
    # Its message names the statement.
    message = None if isinstance(error, errors.ReadOnlySqlTransaction) else said.message_primary
    return said.sqlstate, said.table_name, said.constraint_name, said.column_name, message


def _finding(trial: Trial, error: psycopg.Error) -> Finding:
    table = error.diag.table_name or trial.table
    if isinstance(error, _BUSY):
        return Finding(
            "warn",
            f"{trial.database}: {trial.what} could not be tried, because others hold locks on {table}; "
            "run `entity-pipeline doctor` again.",
        )
    reason, what_to_do = _reason(table, error)
    return Finding("error", f"{trial.database}: {trial.what} can't be written: {reason}; {what_to_do}.")


def _reason(table: str, error: psycopg.Error) -> tuple[str, str]:
    """What refuses, and what to do."""
    said, key = error.diag, error.diag.constraint_name
    match error:
        case errors.ReadOnlySqlTransaction():
            return "the connection can only read", (
                "use the address of the primary server and a role without default_transaction_read_only (a hosted "
                "database is also read-only while its disk is full)"
            )
        case errors.InsufficientPrivilege() if raised_in(error) is None:
            return said_by(error), "as the owner, grant the role what docs/schema.md lists"
        case errors.ForeignKeyViolation():
            missing = f" ({said.message_detail.rstrip('.')})" if said.message_detail else ""
            return f"the foreign key {key} of {table} refuses it{missing}", "add that row, or drop the key"
        case errors.NotNullViolation():
            column = f"{table}.{said.column_name}"
            return (
                f"the column {column} is required and stays empty",
                "make it nullable, or give it a default",
            )
        case errors.UniqueViolation() | errors.ExclusionViolation():
            return f"the key {key} of {table} refuses it", "drop the key, or let it allow this row"
        case errors.CheckViolation() if said.datatype_name:
            return f"the check {key} of the domain {said.datatype_name} refuses it", "let it allow this value"
        case errors.CheckViolation() if key:
            return f"the check {key} of {table} refuses it", "let it allow this row, or drop it"
        case errors.UndefinedTable() | errors.UndefinedColumn() | errors.UndefinedFunction():
            return f"{said_by(error)}{_place(error)}", (
                "run `entity-pipeline migrate`, or mend the trigger, function or view that asks for it"
            )
        case _ if raised_in(error):
            return f'{table} has a trigger that says "{said_by(error)}"{_place(error)}', (
                "let it pass the rows of the pipeline"
            )
        case _:
            return said_by(error), f"compare {table} with docs/schema.md"


def _place(error: psycopg.Error) -> str:
    found = raised_in(error)
    return f" ({found})" if found else ""
