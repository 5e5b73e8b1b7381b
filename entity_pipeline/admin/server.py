"""The page as a process: uvicorn on one address, with an access log that holds no query and no header.

When the process is asked to end, requests under way are finished first, for up to ten seconds.
"""

import logging
import socket
from collections.abc import Sequence
from typing import Any

import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from entity_pipeline.admin.app import create_app
from entity_pipeline.admin.configuration import AdminConfiguration, check_bind
from entity_pipeline.admin.installation import installation_of_environment
from entity_pipeline.core.domain import Domain
from entity_pipeline.core.failures import ConfigurationFailure

STOP_WITHIN_S = 10


class _WithoutQuery(logging.Filter):
    """Keeps queries out of the log: search terms, and whatever a faulty client puts into an address."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple) and len(record.args) == 5:
            client, method, path, version, status = record.args
            record.args = (client, method, str(path).partition("?")[0], version, status)
        return True


def serve(
    domains: Sequence[Domain],
    configuration: AdminConfiguration,
    *,
    host: str,
    port: int,
    trusted_proxies: str = "127.0.0.1",
) -> None:
    """Serve the pages of the domains until SIGINT or SIGTERM.

    Raises:
        ConfigurationFailure: the address may not be served, or the port is taken.
    """
    check_bind(host, behind_proxy=configuration.behind_proxy)
    listening = _bound(host, port)
    with (
        listening,
        installation_of_environment(
            domains, dagster_url=configuration.dagster_url, edit_url=configuration.edit_url
        ) as installation,
    ):
        app = create_app(domains, installation, configuration)
        logging.getLogger("uvicorn.access").addFilter(_WithoutQuery())
        application: Any = app
        if configuration.behind_proxy:
            application = ProxyHeadersMiddleware(application, trusted_proxies)
        server = uvicorn.Server(
            uvicorn.Config(
                application,
                proxy_headers=False,
                server_header=False,
                date_header=True,
                timeout_graceful_shutdown=STOP_WITHIN_S,
                timeout_keep_alive=5,
                limit_concurrency=100,
                lifespan="off",
            )
        )
        server.run(sockets=[listening])


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        raise ConfigurationFailure(
            f"{host}:{port} can't be served ({error.strerror}): free the port, or choose another with --port."
        ) from None
    return listening
