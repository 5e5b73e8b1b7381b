"""`alerts`: whether the channels for alerts work."""

import click

from entity_pipeline.cli.services import services
from entity_pipeline.cli.shell import with_databases
from entity_pipeline.core.failures import ConfigurationFailure, PipelineFailure
from entity_pipeline.core.notifications import Message

_TEST = Message(
    "Test of the alerts of entity_pipeline",
    "This message was sent by `entity-pipeline alerts test`. Alerts arrive the same way.",
)


@click.group()
def alerts() -> None:
    """The channels for alerts."""


@alerts.command("test")
@with_databases
def alerts_test() -> None:
    """Send a test message by each configured channel."""
    with services() as built:
        channels = built.notifications.channels()
        if not channels:
            raise ConfigurationFailure(
                "No channel is configured: set ALERT_WEBHOOK_URL, or ALERT_SMTP_URL with ALERT_EMAIL_FROM and "
                "ALERT_EMAIL_TO."
            )
        failed = []
        for channel in channels:
            try:
                built.notifications.send(channel, _TEST)
            except PipelineFailure as failure:
                failed.append(str(failure))
            else:
                click.echo(f"Sent by {channel}.")
    if failed:
        raise ConfigurationFailure(" ".join(failed))
