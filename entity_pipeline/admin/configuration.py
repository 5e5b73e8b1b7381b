"""The address of and the access to the administration page, from the environment and the options of `admin`.

There is no default token: without ADMIN_TOKEN, or with a short one, the server does not start.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import SplitResult

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.core.text.web_address import address_parts, origin

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
SHORTEST_TOKEN = 16


@dataclass(frozen=True, slots=True)
class AdminConfiguration:
    """What a server of the page needs to know.

    `hosts` are the names it answers to (without port); `picture_base` is the address below which stored pictures are
    public, `picture_origin` its origin;
    `behind_proxy` says that a proxy provides TLS and the outer address. `user_header` is the header in which that
    proxy names the signed-in user; empty means that no header is trusted.
    """

    token: str = field(repr=False)
    hosts: frozenset[str] = LOOPBACK_NAMES
    picture_origin: str | None = None
    dagster_url: str | None = None
    edit_url: str | None = None
    behind_proxy: bool = False
    user_header: str | None = None
    picture_base: str | None = None

    def __post_init__(self) -> None:
        if not self.token:
            raise ConfigurationFailure(
                "ADMIN_TOKEN is not set. It lets its holder change the settings, so set it to a long random text, for "
                "example the output of `openssl rand -base64 32`."
            )
        if len(self.token) < SHORTEST_TOKEN or not self.token.isascii() or not self.token.isprintable():
            raise ConfigurationFailure(
                f"ADMIN_TOKEN must be at least {SHORTEST_TOKEN} printable ASCII characters: set it to a long random "
                "text, for example the output of `openssl rand -base64 32`."
            )
        if self.user_header and not self.behind_proxy:
            raise ConfigurationFailure(
                "ADMIN_USER_HEADER is set without --behind-proxy, so anyone could send that header. Unset it, or start "
                "the page behind a proxy that always replaces it."
            )


def configuration_of(
    environment: Mapping[str, str] = os.environ, *, behind_proxy: bool = False, dagster_url: str | None = None
) -> AdminConfiguration:
    """The configuration in ADMIN_TOKEN, ADMIN_HOSTS, ADMIN_USER_HEADER, ADMIN_EDIT_URL, DAGSTER_UI_URL and
    R2_PUBLIC_BASE_URL.

    Raises:
        ConfigurationFailure: the token is missing or short, or an address can't be used.
    """
    pictures = _address("R2_PUBLIC_BASE_URL", environment)
    return AdminConfiguration(
        token=environment.get("ADMIN_TOKEN", "").strip(),
        hosts=served_hosts(environment),
        picture_origin=None if pictures is None else origin(pictures),
        picture_base=_shown(pictures),
        dagster_url=_shown(_address("DAGSTER_UI_URL", environment)) or dagster_url,
        edit_url=_shown(_address("ADMIN_EDIT_URL", environment)),
        behind_proxy=behind_proxy,
        user_header=environment.get("ADMIN_USER_HEADER", "").strip() or None,
    )


def served_hosts(environment: Mapping[str, str] = os.environ) -> frozenset[str]:
    """The names that a server answers to: those of loopback, and ADMIN_HOSTS."""
    named = {name.strip().lower() for name in environment.get("ADMIN_HOSTS", "").split(",")} - {""}
    return LOOPBACK_NAMES | named


def check_bind(host: str, *, behind_proxy: bool) -> None:
    """Raises `ConfigurationFailure` for an address that others can reach, unless a proxy stands in front of it."""
    if behind_proxy or is_loopback(host):
        return
    raise ConfigurationFailure(
        f"'{host}' can be reached from other machines, and the page speaks plain HTTP: bind to 127.0.0.1, or put a "
        "proxy with TLS in front of it and add --behind-proxy."
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address or name."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _address(variable: str, environment: Mapping[str, str]) -> SplitResult | None:
    value = environment.get(variable, "").strip()
    parts = address_parts(value)
    if value and parts is None:
        raise ConfigurationFailure(f"{variable} must be a URL that begins with https:// or http://.")
    return parts


def _shown(address: SplitResult | None) -> str | None:
    return None if address is None else address.geturl().rstrip("/")
