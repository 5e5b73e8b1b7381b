"""The verbs of `entity-pipeline influencers` and their options. What they do is in the modules beside this one."""

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


_HERE = "entity_pipeline.domains.influencers.commands"
COMMANDS = DomainCommands(
    verbs=(Verb("api", f"{_HERE}.verbs:api", "Serve the HTTP API that feeds the queue until Ctrl-C."),),
)
