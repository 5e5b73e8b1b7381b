"""`quota`: today's use of the Gemini quota, which all domains share."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import click
from rich.console import Console

from entity_pipeline.cli.services import services
from entity_pipeline.cli.shell import current_shell, with_databases
from entity_pipeline.core.clock import minute_in_words
from entity_pipeline.core.domain import Domain
from entity_pipeline.core.gemini.quota import QuotaStatus
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.shared.gemini_spend.by_domain import DomainSpend, spend_by_domain


@click.command()
@with_databases
def quota() -> None:
    """Show today's use of the Gemini quota, and the money spent."""
    with services() as built:
        console, status = Console(soft_wrap=True), built.gemini.quota()
        print_quota(console, status)
        for spend in spends(built, current_shell().domains, status.quota_day):
            console.print(f"{spend.domain}: {spend_in_words(spend)}")


def spends(built: Any, domains: Sequence[Domain], day: date) -> Sequence[DomainSpend]:
    """The spend of each domain, and of other pipelines in the ledger, on this Pacific day."""
    shares = built.settings.readable(GeminiSettings).shares
    keys = {domain.row: domain.key for domain in domains}
    return spend_by_domain(built.gemini.spend_of_day(day), day, keys, shares)


def spend_in_words(spend: DomainSpend) -> str:
    """The sentence about one domain's day."""
    share = "no share of its own" if spend.share_usd is None else f"its share is {spend.share_usd} USD"
    return f"{spend.today_usd:.4f} USD today in {spend.requests_today:,} requests, {share}."


def print_quota(console: Console, quota: QuotaStatus) -> None:
    """Print the quota day in a few lines, with times in UTC and in the zone of this machine."""
    unit = "grounded prompts" if quota.unit == "prompt" else "search queries"
    resets = f"{minute_in_words(quota.resets_at)} ({quota.resets_at.astimezone():%H:%M %Z} here)"
    console.print(
        f"Pacific day {quota.quota_day}: {quota.used} of {quota.cap} {unit} used, {quota.reserved} reserved, "
        f"{quota.remaining} left; opens again {resets}."
    )
    if quota.held is not None:
        console.print(str(quota.held), markup=False)
    if quota.cap_reached:
        console.print("[bold]The cap is reached.[/bold]")
    if quota.blocked_until is not None:
        console.print(f"[bold]Google refuses requests until {minute_in_words(quota.blocked_until)}.[/bold]")
    console.print(f"Spent today: {quota.spent_usd:.4f} of {quota.spend_limit_usd} USD, model {quota.model}.")
