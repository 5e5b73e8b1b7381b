"""`request`: what one request of the ledger asked Gemini. What it cost and answered is on the account's page."""

import json
from collections.abc import Mapping
from typing import Any

import click

from entity_pipeline.cli.services import services
from entity_pipeline.cli.shell import with_databases
from entity_pipeline.core.failures import InputRejected

_TEXTS_ARE_NOT_KEPT = (
    "Its texts are not kept: keep_requests of the row gemini was none, GEMINI_REQUEST_KEYS was empty, it never left, "
    "or it was pruned."
)


@click.command()
@click.argument("event_id", metavar="ID")
@with_databases
def request(event_id: str) -> None:
    """Show one request of the ledger, opened with GEMINI_REQUEST_KEYS. It holds a public profile."""
    with services() as built:
        kept = built.gemini.kept_request(event_id)
    if kept is None:
        raise InputRejected(f"The ledger has no request with the ID {event_id!a}.")
    click.echo(as_text(kept))
    if "parts" not in kept:
        click.echo(_TEXTS_ARE_NOT_KEPT)


def as_text(kept: Mapping[str, Any]) -> str:
    """As JSON in which nothing steers a terminal: strangers wrote some of it."""
    shown = json.dumps(kept, ensure_ascii=False, indent=2)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in shown)
