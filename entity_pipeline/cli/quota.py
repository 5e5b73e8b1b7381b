"""`quota`: the Gemini ledger's day, which all domains share."""

import click
from rich.console import Console

from entity_pipeline.cli.services import services
from entity_pipeline.cli.shell import with_databases
from entity_pipeline.core.gemini.quota import QuotaStatus
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.settings import Closed


@click.command()
@with_databases
def quota() -> None:
    """Show today's use of the Gemini quota, and what was spent."""
    with services() as built:
        state = built.settings.gate(GeminiSettings)
        if isinstance(state, Closed):
            click.echo(str(state.reason))
        print_quota(Console(soft_wrap=True), built.gemini.quota())


def print_quota(console: Console, quota: QuotaStatus) -> None:
    """The quota day in a few lines; times in UTC and in the zone of this machine."""
    unit = "grounded prompts" if quota.unit == "prompt" else "search queries"
    resets = f"{quota.resets_at:%Y-%m-%d %H:%M} UTC ({quota.resets_at.astimezone():%H:%M %Z} here)"
    console.print(
        f"Pacific day {quota.quota_day}: {quota.used} of {quota.cap} {unit} used, {quota.reserved} reserved, "
        f"{quota.remaining} left; opens again {resets}."
    )
    if quota.cap_reached:
        console.print("[bold]The cap is reached.[/bold]")
    if quota.blocked_until is not None:
        console.print(f"[bold]Google refuses requests until {quota.blocked_until:%Y-%m-%d %H:%M} UTC.[/bold]")
    console.print(f"Spent today: {quota.spent_usd:.4f} of {quota.spend_limit_usd} USD, model {quota.model}.")
