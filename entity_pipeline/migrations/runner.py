"""`migrate`: apply the SQL files that a database does not have yet, with dbmate.

dbmate applies the files and records them in our own history table (see `history`). Its own lock is not used on
purpose: a process that waits inside a statement would block another's CREATE INDEX CONCURRENTLY. `migrate` polls for
a transaction lock instead, which also works through a transaction pooler.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from entity_pipeline.core.failures import ConfigurationFailure, DatabaseUnavailable, PipelineFailure
from entity_pipeline.migrations import dbmate, partitioned
from entity_pipeline.migrations.blockers import wait_for_earlier_ones
from entity_pipeline.migrations.dbmate import Say
from entity_pipeline.migrations.files import files_of
from entity_pipeline.migrations.history import (
    HISTORY_TABLE,
    SUPABASE_TABLE,
    adopt,
    foreign_versions,
    pending_files,
    record,
    remove_foreign_versions,
    versions_elsewhere,
)
from entity_pipeline.migrations.indexes import drop_unfinished_indexes, lost_indexes
from entity_pipeline.migrations.json_columns import refuse_json
from entity_pipeline.migrations.targets import Target

LOCK_WAIT_S = 300.0
PATIENCE_S = 300.0

# Any fixed number, but the same in every release. Not a parameter: with one, psycopg leaves a portal open, and with it
# a snapshot.
_TRY_LOCK = "select pg_try_advisory_xact_lock(6451202611210001)"
_POLL_S = 0.2
_LONGEST_PAUSE_S = 15.0


def migrate(
    assets_url: str, operation_url: str, *, say: Say = lambda _: None, patience_s: float = PATIENCE_S
) -> list[str]:
    """Apply every pending file to both databases and return them as ``"assets/<file name>"``, in order.

    A failure in one database does not keep the other from being migrated. Safe to run again, while others write, and
    from several processes at once. A file that can't get its lock within its `lock_timeout` gives way and is tried
    again for `patience_s` seconds; `say` gets the lock's holder. A process that waits longer than `LOCK_WAIT_S` for
    another one gives up. A lost index is built again. Versions that a former release recorded elsewhere are first
    copied to our history and not applied again.

    Raises:
        ConfigurationFailure: a URL, a privilege or the existing schema does not allow it.
        DatabaseUnavailable: a database can't be reached, or another migration or transaction holds it.
    """
    applied: list[str] = []
    failures: list[PipelineFailure] = []
    for target in (Target("assets", assets_url), Target("operation", operation_url)):
        try:
            applied += _migrate(target, say, patience_s)
        except PipelineFailure as failure:
            failures.append(failure)
            other = "operation" if target.name == "assets" else "assets"
    if not failures:
        return applied
    rest = str(failures[1]) if len(failures) > 1 else f"The {other} database is up to date."
    raise type(failures[0])(f"{failures[0]} {rest}")


def _migrate(target: Target, say: Say, patience_s: float) -> list[str]:
    try:
        with _sole_migrator(target) as connection:
            refuse_json(target.name, connection)
            wait_for_earlier_ones(connection, say, LOCK_WAIT_S)
            for table, versions in adopt(connection, files_of(target.name)).items():
                say(f"copied {len(versions)} versions of {target.name} from {table} to {HISTORY_TABLE}")
            applied = _apply(target, connection, say, patience_s)
            return [*applied, *_build_lost_indexes(target, connection)]
    except psycopg.Error as error:
        raise target.failure("was not migrated", str(error)) from None


def remove_foreign_history(
    assets_url: str, operation_url: str, *, say: Say = lambda _: None
) -> dict[str, list[str]]:
    """Remove the records of former releases from Supabase's own table, by database; `say` lists them first.

    Run it after `migrate`: only versions that our own history has are removed. From then on the table refuses them,
    so that a process of a former release can't apply its files again.

    Raises:
        ConfigurationFailure: the role does not own the table, or `migrate` has not run.
        DatabaseUnavailable: a database can't be reached, or another migration is running.
    """
    removed: dict[str, list[str]] = {}
    for target in (Target("assets", assets_url), Target("operation", operation_url)):
        try:
            with _sole_migrator(target) as connection:
                files = files_of(target.name)
                if pending_files(connection, files) or versions_elsewhere(connection, files):
                    raise ConfigurationFailure(
                        f"The {target.name} database is not up to date: run `entity-pipeline migrate` first. "
                        "Its history in Supabase's table was not removed."
                    )
                if foreign := foreign_versions(connection, files):
                    say(f"removing from {SUPABASE_TABLE} of {target.name}: {', '.join(foreign)}")
                removed[target.name] = remove_foreign_versions(connection, files)
        except psycopg.Error as error:
            raise target.failure(f"kept its rows in {SUPABASE_TABLE}", str(error)) from None
    return removed


@contextmanager
def _sole_migrator(target: Target) -> Iterator[psycopg.Connection]:
    """An autocommit connection to work with, while a second one holds the lock in an open transaction."""
    with target.connect() as holder, target.connect_without_statement_timeout() as connection:
        give_up_at = time.monotonic() + LOCK_WAIT_S
        while True:
            with holder.transaction():
                if holder.execute(_TRY_LOCK).fetchone() == (True,):
                    # Also closes the portal of the SELECT, whose snapshot CREATE INDEX CONCURRENTLY would wait for.
                    holder.execute("set local idle_in_transaction_session_timeout = 0")
                    yield connection
                    return
            if time.monotonic() > give_up_at:
                raise DatabaseUnavailable(
                    f"Another migration has held the {target.name} database for {LOCK_WAIT_S:.0f} s: "
                    "wait until it ends, then run `entity-pipeline migrate` again."
                )
            time.sleep(_POLL_S)


def _apply(target: Target, connection: psycopg.Connection, say: Say, patience_s: float) -> list[str]:
    applied: list[str] = []
    give_up_at, pause_s = time.monotonic() + patience_s, 1.0
    while True:
        drop_unfinished_indexes(connection)
        outcome = dbmate.run(target, connection, say)
        applied += [f"{target.name}/{name}" for name in outcome.applied]
        if not outcome.error:
            return applied
        if partitioned.is_refused(outcome.error):
            applied.append(_build_in_parts(target, connection, outcome.at))
            continue
        if not outcome.gave_way or time.monotonic() + pause_s > give_up_at:
            raise target.failure(f"was not migrated{outcome.at}", outcome.error, outcome.held_by)
        say(
            f"gave way{outcome.at} to others that use the table; trying again in {pause_s:.0f} s.{outcome.held_by}"
        )
        # The statements that queued behind ours go first now.
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _build_in_parts(target: Target, connection: psycopg.Connection, at: str) -> str:
    """Build the index of a partitioned table in dbmate's place, and record the file."""
    (file,) = [file for file in files_of(target.name) if at.endswith(file.name)]
    try:
        partitioned.build(connection, file)
    except psycopg.Error as error:
        raise target.failure(f"was not migrated at {file.name}", str(error)) from None
    record(connection, file)
    return file.name


def _build_lost_indexes(target: Target, connection: psycopg.Connection) -> list[str]:
    """Build indexes that the history has and the database lacks: never finished, or dropped since."""
    lost = lost_indexes(connection, files_of(target.name))
    for file in lost:
        try:
            if partitioned.is_partitioned(connection, file):
                partitioned.build(connection, file)
            else:
                connection.execute(file.sql.encode())
        except psycopg.Error as error:
            raise target.failure(f"was not migrated at {file.name}", str(error)) from None
    return [file.name for file in lost]
