"""`admin`: the administration page and its API. Also the process that `up` starts, which has its variables already."""

import sys

import click

from entity_pipeline.admin.configuration import check_bind, configuration_of
from entity_pipeline.admin.server import serve
from entity_pipeline.cli.serve import address_of_page


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
        click.echo(f"Administration page: {address_of_page(port)}   Ctrl-C ends it.")
    serve(configuration, host=host, port=port, trusted_proxies=trusted_proxies)


if __name__ == "__main__":
    serve_admin(sys.argv[1], int(sys.argv[2]))
