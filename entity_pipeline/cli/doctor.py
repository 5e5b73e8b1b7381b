"""`doctor`: each connection, schema and setting in a line, with what to do about it. Asks nobody that costs money."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, get_args

import click
import psycopg

from entity_pipeline.cli.services import services
from entity_pipeline.cli.shell import current_shell, with_databases
from entity_pipeline.core.domain import Domain, HealthCheck
from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.core.findings import Finding
from entity_pipeline.core.gemini.models import find_model, retirement_notice
from entity_pipeline.core.instagram.settings import InstagramSettings, InstagramWindows
from entity_pipeline.core.ports import Databases
from entity_pipeline.core.settings import Closed
from entity_pipeline.core.text.web_address import web_address
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.migrations.files import Database, files_of
from entity_pipeline.migrations.history import foreign_versions, may_read_history, pending_files
from entity_pipeline.migrations.indexes import lost_indexes, unfinished_indexes
from entity_pipeline.resources.instagram.pool import unreadable_accounts
from entity_pipeline.resources.installation_check import (
    CLOCK_TOLERANCE_S,
    clock_skew_s,
    former_settings,
    swapped,
)
from entity_pipeline.resources.postgres import open_database
from entity_pipeline.resources.schema_check import missing_schema
from entity_pipeline.shared.schema import needs_of

# What the project's rules hold prudent for one real Instagram account.
_PRUDENT = InstagramWindows(per_hour=200)

_Check = Callable[[], Iterable[Finding]]


@click.command()
@with_databases
def doctor() -> None:
    """Check every connection, schema and setting, a line each, with what to do. Asks nothing that costs money."""
    if not examine(current_shell().domains):
        sys.exit(1)


def examine(domains: Sequence[Domain]) -> bool:
    """Print a line per finding; True when nothing stands in the way of a run."""
    if mistake := _swapped():
        click.echo(f"error {mistake}")
        return False
    checks: list[_Check] = [
        lambda: _database("assets"),
        lambda: _database("operation"),
        lambda: _schema(domains),
        _migrations,
        *_checks_of_domains(domains),
        _former_settings,
        _settings,
        _addresses,
        _gemini,
        _instagram,
        _pool,
        _r2,
        _dagster,
    ]
    said: set[Finding] = set()
    for check in checks:
        for finding in _findings(check):
            # What is away is away for several checks, and one line says so.
            if finding not in said:
                click.echo(f"{finding.level:<5} {finding.text}")
            said.add(finding)
    return all(finding.level != "error" for finding in said)


def _findings(check: _Check) -> Iterator[Finding]:
    try:
        yield from check()
    except PipelineFailure as failure:
        yield Finding("error", str(failure))


def _checks_of_domains(domains: Sequence[Domain]) -> Iterator[_Check]:
    for domain in domains:
        for check in domain.health():
            yield partial(_with_databases, check)


def _with_databases(check: HealthCheck) -> Iterator[Finding]:
    with (
        open_database(os.environ["ASSETS_DATABASE_URL"]) as assets,
        open_database(os.environ["OPERATION_DATABASE_URL"]) as operation,
    ):
        yield from check(Databases(assets, operation))


def _swapped() -> str | None:
    """The one mistake after which nothing else that would be said is true."""
    with (
        suppress(PipelineFailure),
        _connection("assets") as assets,
        _connection("operation") as operation,
    ):
        return next(swapped(assets, operation), None)
    return None


def _database(name: Database) -> Iterator[Finding]:
    with _connection(name) as connection:
        yield Finding("ok", f"The {name} database answers.")
        yield from clock_findings(name, clock_skew_s(connection))


def clock_findings(name: Database, skew_s: float) -> Iterator[Finding]:
    """Whether the database's clock is too far from this machine's; both decide when something is due."""
    if abs(skew_s) > CLOCK_TOLERANCE_S:
        yield Finding(
            "warn",
            f"The {name} database's clock is {abs(skew_s):.0f} s away from this machine's: set both by NTP.",
        )


def _schema(domains: Sequence[Domain]) -> Iterator[Finding]:
    needs = [need for domain in domains for need in needs_of(domain)]
    with _connection("assets") as assets, _connection("operation") as operation:
        problems = missing_schema(assets, operation, *needs)
    for problem in problems:
        yield Finding("error", str(problem))
    if not problems:
        yield Finding("ok", "Both schemas have what the pipeline needs.")


def _migrations() -> Iterator[Finding]:
    """Pending files and lost indexes. A role with least privilege can't read the history; `_schema` covers it."""
    for name in get_args(Database):
        with _connection(name) as connection:
            files = files_of(name)
            pending = pending_files(connection, files) if may_read_history(connection) else []
            foreign = foreign_versions(connection, files)
            unfinished = [index for _, index in unfinished_indexes(connection)]
            lost = lost_indexes(connection, [file for file in files if file not in pending])
        if pending:
            yield Finding(
                "warn",
                f"migrations of {name} that are not applied: {len(pending)}, {pending[0].path.stem} first. Look at "
                "`entity-pipeline migrate --plan`, then run `entity-pipeline migrate`.",
            )
        if foreign:
            yield Finding(
                "warn",
                f"{name}: Supabase's own history has {len(foreign)} migrations of ours, which make `supabase db push` "
                "refuse: stop every process of a former release, then run `entity-pipeline migrate "
                "--remove-foreign-history`.",
            )
        for index in [*unfinished, *(file.concurrent_index for file in lost)]:
            yield Finding(
                "warn",
                f"{name}: the index {index} is missing or unfinished, and what needs it is slow; run "
                "`entity-pipeline migrate`, which builds it again while others write.",
            )


def _former_settings() -> Iterator[Finding]:
    with _connection("assets") as assets:
        for sentence in former_settings(assets):
            yield Finding("warn", sentence)


@contextmanager
def _connection(name: Database) -> Iterator[psycopg.Connection[Any]]:
    with (
        open_database(os.environ[f"{name.upper()}_DATABASE_URL"]) as database,
        database.connection() as connection,
    ):
        yield connection


def _settings() -> Iterator[Finding]:
    with services() as built:
        gate = built.settings.gate(EntitySettings)
    is_closed = isinstance(gate, Closed)
    yield Finding("warn", str(gate.reason)) if is_closed else Finding("ok", "The pipeline is switched on.")


def _addresses() -> Iterator[Finding]:
    """Servers of one's own; a mistake would only show with the first request."""
    for name in ("GEMINI_BASE_URL", "INSTAGRAM_BASE_URL"):
        if (url := os.environ.get(name)) and web_address(url) is None:
            yield Finding("error", f"{name} must be a URL such as http://127.0.0.1:8000.")


def _gemini() -> Iterator[Finding]:
    with services() as built:
        name = built.gemini.model
    yield from model_findings(name, datetime.now(UTC).date())
    if find_model(name) is None:
        return
    if os.environ.get("GEMINI_API_KEY"):
        where = os.environ.get("GEMINI_BASE_URL") or "Google"
        yield Finding("ok", f"A Gemini key is set; requests go to {where}.")
    else:
        yield Finding("error", "GEMINI_API_KEY is not set: set it to a key of your Google project.")


def model_findings(name: str, today: date) -> Iterator[Finding]:
    """Whether the registry knows the model, and from 30 days before it retires, that it does."""
    model = find_model(name)
    if model is None:
        yield Finding(
            "error",
            f"GEMINI_MODEL is '{name}', which core/gemini/models.py does not know: choose another or add it.",
        )
    elif (notice := retirement_notice(model, today)) is not None:
        yield Finding("warn", str(notice.reason))


def _instagram() -> Iterator[Finding]:
    with services() as built:
        settings, instagram = built.settings.readable(EntitySettings), built.settings.gate(InstagramSettings)
    if not settings.instagram_backfill_enabled:
        yield Finding("ok", "The profile backfill is switched off; reviews go on without it.")
        return
    if isinstance(instagram, Closed):
        yield Finding("warn", f"The profile backfill waits: {instagram.reason}")
        return
    yield Finding(
        "ok",
        f"The profile backfill is on and goes to {os.environ.get('INSTAGRAM_BASE_URL') or 'Instagram'}.",
    )
    windows = instagram.settings.windows
    hasty = windows.gap_s < _PRUDENT.gap_s or any(
        getattr(windows, name) > getattr(_PRUDENT, name) for name in ("per_minute", "per_hour", "per_day")
    )
    if hasty and not os.environ.get("INSTAGRAM_BASE_URL"):
        yield Finding(
            "warn",
            (
                "The windows of instagram allow more than 2 s apart, 20 a minute, 200 an hour and 1,000 a day: "
                "Instagram may lock accounts."
            ),
        )


def _pool() -> Iterator[Finding]:
    with _connection("assets") as assets:
        unreadable = unreadable_accounts(assets, os.environ.get("INSTAGRAM_SESSION_KEYS"))
    for username, reason in unreadable.items():
        yield Finding("error", f"'{username}' of the pool can't be used: {reason}")


def _r2() -> Iterator[Finding]:
    names = ("R2_ENDPOINT_URL", "R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY", "R2_BUCKET", "R2_PUBLIC_BASE_URL")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        yield Finding("warn", f"Pictures are not stored: set {', '.join(missing)}.")
        return
    with services() as built:
        built.r2.check()
    yield Finding("ok", f"The bucket {os.environ['R2_BUCKET']} stores, shows and deletes an object.")


def _dagster() -> Iterator[Finding]:
    if os.environ.get("DAGSTER_POSTGRES_URL") and os.environ.get("DAGSTER_HOME"):
        with open_database(os.environ["DAGSTER_POSTGRES_URL"]) as database, database.connection():
            yield Finding("ok", "Dagster's own database answers.")
    else:
        yield Finding(
            "warn",
            "DAGSTER_HOME and DAGSTER_POSTGRES_URL are not set: `enrich` works, but its runs are not kept.",
        )
