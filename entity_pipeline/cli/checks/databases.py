"""Checks of the two databases: whether they answer, agree about the time, and are migrated."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, get_args

import psycopg

from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.core.findings import Finding
from entity_pipeline.migrations.files import Database, files_of
from entity_pipeline.migrations.history import foreign_versions, may_read_history, pending_files
from entity_pipeline.migrations.indexes import lost_indexes, unfinished_indexes
from entity_pipeline.resources.installation_check import (
    CLOCK_TOLERANCE_S,
    clock_skew_s,
    former_settings,
    swapped,
)
from entity_pipeline.resources.postgres import open_database


@contextmanager
def connection_to(name: Database) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the database that the environment names."""
    with (
        open_database(os.environ[f"{name.upper()}_DATABASE_URL"]) as database,
        database.connection() as connection,
    ):
        yield connection


def mistaken_addresses() -> str | None:
    """The one mistake that makes all other findings meaningless."""
    with (
        suppress(PipelineFailure),
        connection_to("assets") as assets,
        connection_to("operation") as operation,
    ):
        return next(swapped(assets, operation), None)
    return None


def database_answers(name: Database) -> Iterator[Finding]:
    """Check that it answers, and its clock."""
    with connection_to(name) as connection:
        yield Finding("ok", f"The {name} database answers.")
        yield from clock_findings(name, clock_skew_s(connection))


def clock_findings(name: Database, skew_s: float) -> Iterator[Finding]:
    """Check the database's clock against this machine's, because both decide when work is due."""
    if abs(skew_s) > CLOCK_TOLERANCE_S:
        yield Finding(
            "warn",
            f"The {name} database's clock differs from this machine's by {abs(skew_s):.0f} s: set both by NTP.",
        )


def migrations_are_applied() -> Iterator[Finding]:
    """Check for pending files and lost indexes. A role with least privilege can't read the history, and need not."""
    for name in get_args(Database):
        with connection_to(name) as connection:
            files = files_of(name)
            pending = pending_files(connection, files) if may_read_history(connection) else []
            foreign = foreign_versions(connection, files)
            unfinished = [index for _, index in unfinished_indexes(connection)]
            lost = lost_indexes(connection, [file for file in files if file not in pending])
        if pending:
            yield Finding(
                "warn",
                f"{len(pending)} migrations of {name} are not applied, the first is {pending[0].path.stem}. Look at "
                "`entity-pipeline migrate --plan`, then run `entity-pipeline migrate`.",
            )
        if foreign:
            yield Finding(
                "warn",
                f"{name}: Supabase's own history has {len(foreign)} migrations of ours, which make `supabase db push` "
                "fail: stop every process of a former release, then run `entity-pipeline migrate "
                "--remove-foreign-history`.",
            )
        for index in [*unfinished, *(file.concurrent_index for file in lost)]:
            yield Finding(
                "warn",
                f"{name}: the index {index} is missing or unfinished, so queries are slow; run "
                "`entity-pipeline migrate`, which builds it again while others write.",
            )


def no_former_settings() -> Iterator[Finding]:
    """Check for columns that look like a switch but are not read."""
    with connection_to("assets") as assets:
        for sentence in former_settings(assets):
            yield Finding("warn", sentence)
