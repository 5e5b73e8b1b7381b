"""`enrich`: all pending work, from posts to links, by the same jobs as in the Dagster UI."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import click
from rich.console import Console

from entity_pipeline.cli.quota import print_quota
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.domains.entities.commands.pipeline import pipeline
from entity_pipeline.domains.entities.commands.summary import print_summary
from entity_pipeline.domains.entities.partitions import FIRST_DAY, last_day


def enrich(days: Sequence[date] | None, *, limit: int | None, refresh: str, dry_run: bool) -> None:
    """Run the stages one after the other, and print a summary of the results.

    Raises:
        ConfigurationFailure: the pipeline is switched off, or its settings can't be used.
    """
    console = Console(soft_wrap=True)
    with pipeline(days) as stages:
        _ = stages.settings  # refuses while the gate is closed
        if dry_run:
            calls = stages.count_paid_calls(limit=limit, refresh=refresh)
            paid = "paid call" if calls == 1 else "paid calls"
            click.echo(f"At most {calls} {paid} would be made for the accounts that are known so far.")
            print_quota(
                console,
                stages.services.gemini.quota(),
            )
            return
        stages.intake()
        stages.list_accounts()
        stages.review(limit=limit, refresh=refresh)
        stages.link()
        print_summary(console, stages)
        stages.roll_up()


def parse_cohorts(texts: Sequence[str]) -> list[date] | None:
    """Days given by a person; None when there are none.

    Raises:
        InputRejected: a text is not a day, or no partition exists for the day.
    """
    days = []
    for text in texts:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise InputRejected(f"'{text}' is not a day: write --cohort YYYY-MM-DD.") from None
        if not FIRST_DAY <= day <= last_day(datetime.now(UTC)):
            raise InputRejected(
                f"There is no cohort {day}: the first is {FIRST_DAY}, the last is today (UTC)."
            )
        days.append(day)
    return days or None
