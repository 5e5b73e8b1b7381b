"""`status`: show pending work and decisions."""

from datetime import UTC, datetime

import click
from rich.console import Console
from rich.table import Table

from entity_pipeline.cli.quota import print_quota
from entity_pipeline.cli.services import services
from entity_pipeline.core.settings import Closed
from entity_pipeline.domains.entities.accounts.queries.enrichment import (
    cohort_progress,
    held_and_sure,
    held_reasons,
    status_counts,
)
from entity_pipeline.domains.entities.cohorts import every_cohort
from entity_pipeline.domains.entities.commands.summary import in_words
from entity_pipeline.domains.entities.settings import EntitySettings


def show_status() -> None:
    """Print the switch, the cohorts with pending work, and all decisions."""
    now = datetime.now(UTC)
    cohorts = every_cohort(now)
    console = Console(soft_wrap=True)
    with services() as built:
        state = built.settings.gate(EntitySettings)
        with built.operation_db.connection() as connection:
            progress = cohort_progress(connection, cohorts, now)
            reviews = status_counts(connection, cohorts, "gemini_review", "status")
            decisions = status_counts(connection, cohorts, "catalog_link", "status", "no decision")
            reasons = held_reasons(connection, cohorts)
            thresholds = built.settings.readable(EntitySettings).thresholds.model_dump()
            sure = held_and_sure(connection, cohorts, thresholds)
        click.echo(str(state.reason) if isinstance(state, Closed) else "The pipeline is switched on.")
        if not isinstance(state, Closed):
            print_quota(console, built.gemini.quota())
    table = Table("cohort", "accounts", "reviews pending", "of these due now", "undecided", title="Cohorts")
    for item in progress:
        cells = (item.accounts, item.reviews_pending, item.reviews_due, item.undecided)
        table.add_row(item.cohort.isoformat(), *(f"{cell:,}" for cell in cells))
    console.print(table)
    for stage, counts in (("reviews", reviews), ("links", decisions), ("held because", reasons)):
        console.print(_counts(stage, counts))
    if sure:
        held = "1 held account now reaches its" if sure == 1 else f"{sure:,} held accounts now reach their"
        click.echo(
            f"{held} threshold: `entity-pipeline decide-again` decides held accounts again and pays nothing."
        )


def _counts(stage: str, counts: dict[str, int]) -> Table:
    table = Table(stage, "accounts")
    for name, count in counts.items():
        table.add_row(in_words(stage, name), f"{count:,}")
    return table
