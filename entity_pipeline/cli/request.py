"""`request`: the texts that one request of the ledger sent to Gemini. Its cost and reply are on the account's page."""

import json
from collections.abc import Mapping
from typing import Any

import click

from entity_pipeline.cli.services import services
from entity_pipeline.cli.shell import with_databases
from entity_pipeline.core.failures import InputRejected

_TEXTS_ARE_NOT_KEPT = (
    "Its texts are not stored, because keep_requests of the row gemini was none, GEMINI_REQUEST_KEYS was empty, the "
    "request never left, or it was pruned."
)


@click.command()
@click.argument("event_id", metavar="ID")
@with_databases
def request(event_id: str) -> None:
    """Show one request of the ledger, decrypted with GEMINI_REQUEST_KEYS. It holds a public profile."""
    with services() as built:
        kept = built.gemini.kept_request(event_id)
    if kept is None:
        raise InputRejected(f"The ledger has no request with the ID {event_id!a}.")
    click.echo(as_text(kept))
    if "parts" not in kept:
        click.echo(_TEXTS_ARE_NOT_KEPT)


def as_text(kept: Mapping[str, Any]) -> str:
    """The request as JSON without terminal control characters, because strangers wrote parts of it."""
    shown = json.dumps(kept, ensure_ascii=False, indent=2)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in shown)
