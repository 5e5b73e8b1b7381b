"""`ask-again` and `decide-again`: what failed or was held, once more. Only `ask-again` leads to a paid call."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

import click

from entity_pipeline.cli.services import database
from entity_pipeline.cli.settings import who
from entity_pipeline.domains.entities.accounts.asked import ask_decision_again, ask_review_again
from entity_pipeline.domains.entities.accounts.enrichment_queue import QueueKeeper
from entity_pipeline.domains.entities.accounts.queries.asked import AskedAccount
from entity_pipeline.domains.entities.accounts.queries.enrichment import status_counts
from entity_pipeline.domains.entities.cohorts import every_cohort
from entity_pipeline.domains.entities.commands.pipeline import Pipeline, pipeline


def ask_again(usernames: Sequence[str]) -> None:
    """Let the next run review these accounts again, whose review failed.

    Raises:
        InputRejected: there is no such account, or its review has not failed; those before it are asked again.
    """
    for account in _each(usernames, lambda connection, name: ask_review_again(connection, name, who())):
        click.echo(f"{account.username} waits for its review again.")
    click.echo(
        "The next tick of the schedule, or `entity-pipeline enrich`, asks Gemini again, within the limits."
    )


def decide_again(days: Sequence[date] | None, usernames: Sequence[str], *, replace_type: bool) -> None:
    """Decide held accounts again under the present settings, rules and catalog, or just these accounts.

    Raises:
        ConfigurationFailure: the pipeline is switched off, or its settings can't be used.
        InputRejected: there is no such account, or it can't be decided again.
    """
    with pipeline(days) as stages:
        _ = stages.settings  # refuses while the gate is closed
        before = _decisions(stages)
        if usernames:
            _each(
                usernames,
                lambda connection, name: ask_decision_again(
                    connection, name, who(), replace_type=replace_type
                ),
            )
            stages.link()
        else:
            stages.decide_again()
        after = _decisions(stages)
    changed = sorted(name for name in before | after if before[name] != after[name])
    for name in changed:
        click.echo(f"{name}: {before[name]:,} before, {after[name]:,} now")
    if not changed:
        click.echo("No account has another state than before.")


def _each(usernames: Sequence[str], ask: Callable[..., AskedAccount]) -> list[AskedAccount]:
    with (
        database("operation") as operation_db,
        database("assets") as assets_db,
        QueueKeeper(operation_db, assets_db) as keeper,
        operation_db.connection() as connection,
    ):
        asked = [ask(connection, username) for username in usernames]
        keeper.note(*(account.id for account in asked))
    return asked


def _decisions(stages: Pipeline) -> Counter[str]:
    with stages.services.operation_db.connection() as connection:
        cohorts = every_cohort(datetime.now(UTC))
        return Counter(status_counts(connection, cohorts, "catalog_link", "status", "no decision"))
