"""A web application as a process: uvicorn on one address, with an access log that holds no query and no header.

When the process is asked to end, requests under way are finished first.
"""

import logging
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import uvicorn
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from entity_pipeline.admin.app import create_app
from entity_pipeline.admin.configuration import AdminConfiguration, check_bind
from entity_pipeline.admin.installation import installation_of_environment
from entity_pipeline.core.domain import Domain
from entity_pipeline.core.failures import ConfigurationFailure

_STOP_WITHIN_S = 10
_LEAVE_AFTER_S = 2  # beyond the time that requests under way have to end


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
    trusted = trusted_proxies if configuration.behind_proxy else None
    with (
        bound(host, port, behind_proxy=configuration.behind_proxy) as listening,
        installation_of_environment(
            domains, dagster_url=configuration.dagster_url, edit_url=configuration.edit_url
        ) as installation,
    ):
        app = create_app(domains, installation, configuration)
        run_app(app, listening, trusted_proxies=trusted, stop_within_s=_STOP_WITHIN_S)


def run_app(
    app: ASGIApp, listening: socket.socket, *, trusted_proxies: str | None, stop_within_s: int
) -> None:
    """Serve an application until SIGINT or SIGTERM; requests under way then have `stop_within_s` to end.

    `trusted_proxies` are the addresses whose X-Forwarded-For is believed; None where no proxy stands in front.
    """
    logging.getLogger("uvicorn.access").addFilter(_WithoutQuery())
    if trusted_proxies is not None:
        app = ProxyHeadersMiddleware(app, trusted_proxies)  # type: ignore[arg-type,assignment]
    config = uvicorn.Config(
        app,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=stop_within_s,
        timeout_keep_alive=5,
        limit_concurrency=100,
        lifespan="off",
    )
    _Server(config, stop_within_s + _LEAVE_AFTER_S).run(sockets=[listening])


class _Server(uvicorn.Server):
    """Ends even if a handler's thread never does, for example because its statement waits for a lock."""

    def __init__(self, config: uvicorn.Config, leave_after_s: float) -> None:
        super().__init__(config)
        self._leaving = threading.Timer(leave_after_s, os._exit, [1])
        self._leaving.daemon = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop, and leave if that takes too long."""
        if not self.should_exit:
            self._leaving.start()
        super().handle_exit(sig, frame)


@contextmanager
def bound(host: str, port: int, *, behind_proxy: bool) -> Iterator[socket.socket]:
    """A socket on this address, closed at the end of the block.

    Raises:
        ConfigurationFailure: the address may not be served, or the port is taken.
    """
    check_bind(host, behind_proxy=behind_proxy)
    with _bound(host, port) as listening:
        yield listening


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
