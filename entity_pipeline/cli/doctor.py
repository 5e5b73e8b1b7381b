"""`doctor`: print one line per finding, with what to do about it, first for the installation, then for each domain.

A failure of one check does not stop the others. The checks themselves are in `checks/` and in the domains.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import click

from entity_pipeline.cli.checks import databases, outside
from entity_pipeline.cli.services import kept_services, services
from entity_pipeline.cli.shell import current_shell, with_databases
from entity_pipeline.core.domain import Domain, HealthCheck
from entity_pipeline.core.failures import PipelineFailure
from entity_pipeline.core.findings import Finding
from entity_pipeline.core.ports import Databases
from entity_pipeline.core.settings import Closed
from entity_pipeline.resources.postgres import open_database
from entity_pipeline.resources.schema_check import missing_schema
from entity_pipeline.shared.database.trial_writes import try_writes
from entity_pipeline.shared.schema import needs_of
from entity_pipeline.shared.trials import trials_of

Check = Callable[[], Iterable[Finding]]
OF_ALL: Sequence[Check] = (
    partial(databases.database_answers, "assets"),
    partial(databases.database_answers, "operation"),
    databases.migrations_are_applied,
    databases.no_former_settings,
    outside.addresses_are_urls,
    outside.gemini_is_configured,
    outside.gemini_may_be_asked,
    outside.other_pipelines_say_whether_they_search,
    outside.instagram_is_asked_slowly,
    outside.pool_is_readable,
    outside.pictures_are_stored,
    outside.dagster_is_kept,
)


@click.command()
@with_databases
def doctor() -> None:
    """Check every connection, schema and setting, and print what to do. Sends no request that costs money."""
    with kept_services():
        is_fine = examine(current_shell().domains)
    if not is_fine:
        sys.exit(1)


def examine(domains: Sequence[Domain]) -> bool:
    """Print one line per finding; returns True when nothing prevents a run."""
    if mistake := databases.mistaken_addresses():
        click.echo(f"error {mistake}")
        return False
    errors: set[Finding] = set()
    _say(OF_ALL, errors)
    for domain in domains:
        click.echo(f"{domain.key}:")
        _say(list(checks_of(domain)), errors)
    return not errors


def checks_of(domain: Domain) -> Iterator[Check]:
    """The checks of one domain: its schema, its switch, and its own checks."""
    yield partial(_schema, domain)
    yield partial(_switch, domain)
    for check in domain.health():
        yield partial(_health, check)


def _say(checks: Sequence[Check], errors: set[Finding]) -> None:
    """Print the findings of the checks; the same error of several checks is printed only once."""
    for check in checks:
        for finding in _findings(check):
            if finding not in errors:
                click.echo(f"{finding.level:<5} {finding.text}")
            if finding.level == "error":
                errors.add(finding)


def _findings(check: Check) -> Iterator[Finding]:
    try:
        yield from check()
    except PipelineFailure as failure:
        yield Finding("error", str(failure))


def _schema(domain: Domain) -> Iterator[Finding]:
    """What both databases lack, and what they refuse."""
    trials = trials_of(domain)
    with databases.connection_to("assets") as assets, databases.connection_to("operation") as operation:
        problems = missing_schema(assets, operation, *needs_of(domain))
        for problem in problems:
            yield Finding("error" if problem.holds_up_runs else "warn", str(problem))
        if not problems:
            yield Finding("ok", "Both schemas have what the pipeline needs.")
        refusals = [
            refusal
            for name, connection in (("assets", assets), ("operation", operation))
            for refusal in try_writes(
                connection,
                (trial for trial in trials if trial.database == name),
                is_schema_known_to_differ=bool(problems),
            )
        ]
    yield from refusals
    if not refusals:
        yield Finding("ok", "A write of each kind was tried and rolled back.")


def _switch(domain: Domain) -> Iterator[Finding]:
    with services() as built:
        gate = built.settings.gate(domain.settings)
    is_closed = isinstance(gate, Closed)
    yield Finding("warn", str(gate.reason)) if is_closed else Finding("ok", "The pipeline is switched on.")


def _health(check: HealthCheck) -> Iterator[Finding]:
    with (
        open_database(os.environ["ASSETS_DATABASE_URL"]) as assets,
        open_database(os.environ["OPERATION_DATABASE_URL"]) as operation,
        services() as built,
    ):
        yield from check(Databases(assets, operation, built.settings))
