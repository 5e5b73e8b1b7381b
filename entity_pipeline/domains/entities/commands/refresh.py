"""`enrich --refresh`: reviews made again, as a named piece of work that says its cost first and can be continued."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import click

from entity_pipeline.cli.confirmation import confirm
from entity_pipeline.cli.settings import who
from entity_pipeline.core.clock import minute_in_words
from entity_pipeline.domains.entities.commands.pipeline import Pipeline
from entity_pipeline.domains.entities.reviews.queries.refreshes import (
    Refresh,
    begin_refresh,
    finish_refresh,
    open_refresh,
)
from entity_pipeline.domains.entities.reviews.question import STEP

_PRICED_BY = timedelta(days=30)


def begin_or_continue(
    stages: Pipeline, scope: str, days: Sequence[date] | None, *, limit: int | None, anew: bool, yes: bool
) -> Refresh | None:
    """The refresh to work on, once a person agreed to its cost; None if nothing is left of it.

    Raises:
        InputRejected: the person did not agree.
    """
    earlier = None if anew else _open(stages, scope, days or ())
    refresh = earlier or Refresh.beginning(scope, days or (), datetime.now(UTC), who().label)
    left = stages.count_wanted(refresh=scope, since=refresh.started_at)
    if not left:
        click.echo(f"Nothing is left to review for --refresh {scope}.")
        if earlier is not None:
            _finish(stages, earlier)
        return None
    if earlier is not None:
        click.echo(
            f"Refresh {earlier.name}, begun {minute_in_words(earlier.started_at)} by {earlier.started_by}, goes on."
        )
    now = min(left, stages.affordable(limit))
    click.echo(f"{_paid_calls(left)} left. {in_usd(stages, left)}.{_of_today(left, now)}")
    confirm("Make and pay for these calls?", yes=yes)
    if earlier is None:
        with stages.services.assets_db.connection() as connection:
            begin_refresh(connection, refresh)
        click.echo(f"Refresh {refresh.name} begins. If it is interrupted, the same command continues it.")
    return refresh


def finish_if_done(stages: Pipeline, refresh: Refresh) -> None:
    """Record the end, or say how much the next command continues with."""
    left = stages.count_wanted(refresh=refresh.scope, since=refresh.started_at)
    if left:
        click.echo(f"Refresh {refresh.name} is not finished: {left:,} left. The same command continues it.")
    else:
        _finish(stages, refresh)


def _finish(stages: Pipeline, refresh: Refresh) -> None:
    with stages.services.assets_db.connection() as connection:
        finish_refresh(connection, refresh)
    click.echo(f"Refresh {refresh.name} is finished.")


def in_usd(stages: Pipeline, calls: int) -> str:
    """What so many reviews will cost, by what reviews of this model cost lately."""
    price = _price_per_call(stages)
    if price is None:
        return "Their price is not known yet, because the ledger has no review by this model"
    return f"That is about {price * calls:.2f} USD ({price:.5f} USD per call in the last 30 days)"


def _price_per_call(stages: Pipeline) -> Decimal | None:
    gemini, today = stages.services.gemini, stages.services.gemini.quota().quota_day
    rows = [row for row in gemini.spend(today - _PRICED_BY) if row.quota_day != today]
    ours = [
        row
        for row in (*rows, *gemini.spend_of_day(today))
        if (row.pipeline, row.step, row.model) == (STEP.pipeline, STEP.name, gemini.model)
    ]
    requests = sum(row.requests for row in ours)
    return sum((row.cost_usd for row in ours), Decimal(0)) / requests if requests else None


def _open(stages: Pipeline, scope: str, days: Sequence[date]) -> Refresh | None:
    with stages.services.assets_db.connection() as connection:
        return open_refresh(connection, scope, days)


def _paid_calls(count: int) -> str:
    return "At most 1 paid call is" if count == 1 else f"At most {count:,} paid calls are"


def _of_today(left: int, now: int) -> str:
    return (
        "" if now == left else f" This command makes at most {now:,} of them, by its limit and today's quota."
    )
