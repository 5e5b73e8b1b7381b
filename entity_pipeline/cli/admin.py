"""`admin`: the administration page and its API. `up` starts it as a process with its variables already set."""

import click

from entity_pipeline.admin.configuration import check_bind, configuration_of
from entity_pipeline.admin.server import serve
from entity_pipeline.cli.options import serving_address
from entity_pipeline.cli.serve import address_of_page
from entity_pipeline.cli.shell import current_shell, with_databases


@click.command()
@serving_address(
    3080,
    "page",
    "For use behind a proxy with TLS: allows addresses other than loopback, and the cookie requires https.",
)
@with_databases
def admin(port: int, host: str, behind_proxy: bool, trusted_proxy: str) -> None:
    """Serve the administration page and its API until Ctrl-C. Needs ADMIN_TOKEN."""
    serve_admin(host, port, behind_proxy=behind_proxy, trusted_proxies=trusted_proxy)


def serve_admin(
    host: str, port: int, *, behind_proxy: bool = False, trusted_proxies: str = "127.0.0.1"
) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        ConfigurationFailure: there is no usable ADMIN_TOKEN, the address is open to others, or the port is taken.
    """
    configuration = configuration_of(behind_proxy=behind_proxy)
    check_bind(host, behind_proxy=behind_proxy)
    if not behind_proxy:
        click.echo(f"Administration page: {address_of_page(port)}   Ctrl-C stops it.")
    serve(current_shell().domains, configuration, host=host, port=port, trusted_proxies=trusted_proxies)
