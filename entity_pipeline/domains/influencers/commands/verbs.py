"""The verbs of `entity-pipeline influencers` and their options. What they do is in the modules beside this one."""

from pathlib import Path

import click

from entity_pipeline.cli.groups import DomainCommands, Verb
from entity_pipeline.cli.shell import with_databases


@click.command()
@click.option("--port", default=8001, show_default=True, help="Port of the API.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--behind-proxy",
    is_flag=True,
    help="For use behind a proxy with TLS: allows addresses other than loopback; names are those of ADMIN_HOSTS.",
)
@click.option(
    "--trusted-proxy",
    default="127.0.0.1",
    show_default=True,
    help="Addresses whose X-Forwarded-For is trusted, comma-separated; only with --behind-proxy.",
)
@with_databases
def api(port: int, host: str, behind_proxy: bool, trusted_proxy: str) -> None:
    """Serve the HTTP API that feeds the queue until Ctrl-C. Needs SCRAPER_API_KEY."""
    from entity_pipeline.domains.influencers.commands.api import serve

    serve(host, port, behind_proxy=behind_proxy, trusted_proxies=trusted_proxy)


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say how many blogs would be asked about, and the cost.")
@with_databases
def insights(dry_run: bool) -> None:
    """Store what was answered about blogs, and ask about those that wait."""
    from entity_pipeline.domains.influencers.commands.insights import insights as run

    run(dry_run=dry_run)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@with_databases
def evaluate(file: Path) -> None:
    """Measure the stored insights against labelled blogs, a JSON object per line. Costs nothing."""
    from entity_pipeline.domains.influencers.commands.evaluate import evaluate as measure

    measure(file)


_HERE = "entity_pipeline.domains.influencers.commands"
COMMANDS = DomainCommands(
    verbs=(
        Verb(
            "insights", f"{_HERE}.verbs:insights", "Ask about blogs that wait, and store what was answered."
        ),
        Verb("evaluate", f"{_HERE}.verbs:evaluate", "Measure stored insights against labelled blogs."),
        Verb("api", f"{_HERE}.verbs:api", "Serve the HTTP API that feeds the queue until Ctrl-C."),
    ),
)
