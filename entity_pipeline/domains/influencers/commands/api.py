"""`api`: the HTTP API alone, without the administration page."""

import click

from entity_pipeline.cli.services import database
from entity_pipeline.domains.influencers.api.access import api_settings
from entity_pipeline.domains.influencers.api.server import serve_api


def serve(host: str, port: int, *, behind_proxy: bool, trusted_proxies: str) -> None:
    """Serve until SIGINT or SIGTERM; requests under way end first.

    Raises:
        ConfigurationFailure: the address is open to others without a proxy, or the port is taken.
    """
    settings = api_settings()
    if settings.problem is not None:
        click.echo(f"warning: {settings.problem}", err=True)
    click.echo(f"API of the influencers: http://{host}:{port}/api/openapi.json   Ctrl-C stops it.")
    with database("assets") as assets_db:
        serve_api(
            assets_db,
            settings,
            host=host,
            port=port,
            behind_proxy=behind_proxy,
            trusted_proxies=trusted_proxies,
        )
