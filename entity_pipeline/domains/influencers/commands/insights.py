"""`insights`: what would be asked and what it may cost, or one run that collects and submits now."""

from datetime import UTC, datetime

import click

from entity_pipeline.cli.runs import Runner, dagster_instance
from entity_pipeline.cli.services import services
from entity_pipeline.cli.shell import current_shell
from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.core.settings import Closed
from entity_pipeline.domains.influencers.insights.estimate import Estimate, estimate
from entity_pipeline.domains.influencers.settings import InfluencerSettings


def insights(*, dry_run: bool) -> None:
    """Print the estimate; without `dry_run`, then collect what was answered and submit what is due.

    Raises:
        ConfigurationFailure: the domain is switched off, or its settings can't be used.
    """
    with services() as built:
        gate = built.settings.gate(InfluencerSettings)
        settings = built.settings.readable(InfluencerSettings)
        found = estimate(built.assets_db, settings, datetime.now(UTC).date())
        for line in sentences(found, settings):
            click.echo(line)
        if dry_run:
            return
        if isinstance(gate, Closed):
            raise ConfigurationFailure(str(gate.reason))
    with dagster_instance() as instance:
        runner = Runner(instance, current_shell().definitions())
        for job in ("influencers_poll_batches_job", "influencers_insights_submit_job"):
            [done] = runner.run(job).asset_materializations_for_node("ai_insights")
            for name in ("batches_ended", "batches_submitted", "held_because"):
                if name in done.metadata:
                    click.echo(f"{name.replace('_', ' ')}: {done.metadata[name].value}")


def sentences(found: Estimate, settings: InfluencerSettings) -> list[str]:
    """The estimate for people."""
    lines = [
        f"{found.waiting:,} blogs wait for their insights: {found.to_ask:,} would be asked about with "
        f"{found.pictures:,} pictures, {found.unchanged:,} are unchanged, and {found.nothing_to_describe:,} have "
        "nothing to describe."
    ]
    if not settings.insights_are_on:
        lines.append("Insights are off, so these tasks end without a question.")
    if found.most_usd is None:
        lines.append(f"The prices of {settings.insights_model} are not known.")
    else:
        lines.append(f"At most {found.most_usd:.4f} USD in batches of {settings.insights_model}.")
    return lines
