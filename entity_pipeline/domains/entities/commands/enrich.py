"""`enrich`: all pending work, from posts to links, by the same jobs as in the Dagster UI."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import click
from rich.console import Console

from entity_pipeline.cli.quota import print_quota
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.domains.entities.commands.pipeline import Pipeline, pipeline
from entity_pipeline.domains.entities.commands.refresh import begin_or_continue, finish_if_done, in_usd
from entity_pipeline.domains.entities.commands.summary import print_summary
from entity_pipeline.domains.entities.partitions import FIRST_DAY, last_day
from entity_pipeline.domains.entities.reviews.queries.refreshes import Refresh


@dataclass(frozen=True, slots=True)
class Wish:
    """The options of one `enrich`. `refresh` is none, failed, stale or all; `anew` does not go on with an open one."""

    limit: int | None = None
    refresh: str = "none"
    dry_run: bool = False
    anew: bool = False
    yes: bool = False


def enrich(days: Sequence[date] | None, wish: Wish) -> None:
    """Run the stages one after the other, and print a summary of the results.

    Raises:
        ConfigurationFailure: the pipeline is switched off, or its settings can't be used.
        InputRejected: a person did not agree to the cost of a refresh.
    """
    console = Console(soft_wrap=True)
    with pipeline(days) as stages:
        _ = stages.settings  # refuses while the gate is closed
        if wish.dry_run:
            calls = stages.count_paid_calls(limit=wish.limit, refresh=wish.refresh)
            paid = "paid call" if calls == 1 else "paid calls"
            click.echo(
                f"At most {calls} {paid} would be made for the accounts that are known so far."
                f" {in_usd(stages, calls)}."
            )
            print_quota(
                console,
                stages.services.gemini.quota(),
            )
            return
        refresh = None
        if wish.refresh != "none":
            refresh = begin_or_continue(
                stages, wish.refresh, days, limit=wish.limit, anew=wish.anew, yes=wish.yes
            )
        try:
            _work(stages, wish.limit, refresh)
        except KeyboardInterrupt:
            console.print("Interrupted. What was done until now:")
            print_summary(console, stages)
            raise
        print_summary(console, stages)
        stages.roll_up()


def _work(stages: Pipeline, limit: int | None, refresh: Refresh | None) -> None:
    stages.intake()
    stages.list_accounts()
    if refresh is None:
        stages.review(limit=limit)
    else:
        stages.review(limit=limit, refresh=refresh.scope, since=refresh.started_at)
        finish_if_done(stages, refresh)
    stages.link()


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
