"""`instagram pool`: the operator's Instagram accounts. Sessions and proxies are read here and never shown.

A domain's use of Instagram does not belong here.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from entity_pipeline.cli.confirmation import confirm
from entity_pipeline.cli.services import services
from entity_pipeline.core.failures import InputRejected, TransientFailure
from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.core.instagram.profile import CANARY, ProfileLook
from entity_pipeline.core.instagram.results import Deferred
from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.resources.instagram import pool
from entity_pipeline.resources.instagram.seats import DIRECT
from entity_pipeline.resources.instagram.session_files import (
    LARGEST_FILE,
    read_cookie_export,
    read_instaloader_session,
)
from entity_pipeline.resources.instagram.session_secrets import REQUIRED_COOKIES, SessionSecrets
from entity_pipeline.resources.postgres import database_clock, open_database

_PATIENCE = timedelta(seconds=30)
_ROUTE_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
ASKS = "operator"  # in place of a domain in the request log
_MEANS: dict[str, str] = {
    Finding.NOT_FOUND: "the profile was not found although it exists: do not trust this route's answers",
    Finding.DRIFT: "the page could not be read: Instaloader may need an update",
    Finding.BUDGET: "it needed more requests than one attempt may make",
    SeatOutcome.WALL: "the route meets the login wall",
    SeatOutcome.LIMITED: "Instagram asks to wait, so the account cools down",
    SeatOutcome.CHALLENGED: "Instagram asks for a verification, so the account cools down",
    SeatOutcome.LOGGED_OUT: "the session is lost: add new cookies with `entity-pipeline instagram pool add`",
    SeatOutcome.SUSPENDED: "Instagram suspended the account",
    SeatOutcome.TRANSPORT: "no answer came: check the route's proxy",
    SeatOutcome.UPSTREAM: "Instagram failed; try again later",
}


def add(
    name: str, cookies: Path | None, instaloader_session: Path | None, *, route: str | None, proxy: str | None
) -> None:
    """Encrypt the session of a file and store it under the account's name."""
    if (cookies is None) == (instaloader_session is None):
        raise InputRejected(
            "Name the file with the session: either --cookies FILE or --instaloader-session FILE."
        )
    username = _handle(name)
    _check_route(route, proxy)
    if cookies is not None:
        session = read_cookie_export(_read(cookies), datetime.now(UTC).timestamp())
    else:
        assert instaloader_session is not None
        session = read_instaloader_session(_read(instaloader_session))
    missing = sorted(cookie for cookie in REQUIRED_COOKIES if not session.get(cookie))
    if missing:
        raise InputRejected(
            f"The file has no valid cookie {', '.join(missing)} of instagram.com: log in there and export again."
        )
    secrets = SessionSecrets(os.environ.get("INSTAGRAM_SESSION_KEYS"))
    sealed, sealed_proxy = secrets.seal_cookies(session), secrets.seal(proxy) if proxy else None
    with _assets() as (connection, now):
        added = pool.add_account(
            connection, username, sealed, now, route=route or None, proxy_secret=sealed_proxy
        )
    click.echo(f"'{username}' has the session of the file and uses the route '{added.route}'.")
    click.echo(_standing(added))


def show() -> None:
    """Print the pool as a table."""
    with _assets() as (connection, now):
        found, routes = pool.accounts(connection, now), pool.routes(connection, now)
    if not found:
        click.echo("The pool has no account, so profile pages are read anonymously, over the direct route.")
    else:
        Console(soft_wrap=True).print(_accounts_table(found))
    if routes:
        Console(soft_wrap=True).print(_routes_table(routes))


def _accounts_table(found: Sequence[pool.PoolAccount]) -> Table:
    table = Table("account", "state", "route", "cooling until", "last outcome", "leased")
    for one in found:
        table.add_row(
            escape(one.username),
            one.state,
            escape(one.route) + (" (disabled)" if one.route_disabled else ""),
            _time(max((at for at in (one.cooling_until, one.route_cooling_until) if at), default=None)),
            escape(one.last_outcome or "–"),
            f"until {_time(one.leased_until)}" if one.leased_until else "no",
        )
    return table


def _routes_table(routes: Sequence[pool.PoolRoute]) -> Table:
    table = Table("route", "state", "rests until", "last outcome", "accounts")
    for one in routes:
        state = "disabled" if one.is_disabled else "rests" if one.cooling_until else "open"
        table.add_row(
            escape(one.name),
            state,
            _time(one.cooling_until),
            escape(one.last_outcome or "–"),
            str(one.accounts),
        )
    return table


def try_out(name: str) -> None:
    """Fetch the canary profile once, governed, with this account; fail unless it was found."""
    username = _handle(name)
    with services() as built:
        with built.assets_db.connection() as connection:
            before = pool.account(connection, username, database_clock(connection))
            if before.state in ("disabled", "needs_session"):
                raise InputRejected(f"Nothing was sent. {_standing(before)}")
            session = built.instagram.session(ASKS, account=username)
            ended = session.run(ProfileLook(CANARY), datetime.now(UTC) + _PATIENCE)
            after = pool.account(connection, username, database_clock(connection))
    if isinstance(ended, Deferred):
        until = f" Next try: {_time(ended.next_at)}." if ended.next_at else ""
        raise TransientFailure(f"Nothing was sent: {ended.reason}{until}")
    if ended.finding is not Finding.FOUND:
        means = _MEANS.get(ended.word, "the profile was not read")
        raise TransientFailure(
            f"'{CANARY}' was not read by {ended.source}: {means} ({ended.word}; {ended.detail.rstrip('.')}). "
            f"{_standing(after)}"
        )
    click.echo(
        f"'{CANARY}' was found by {ended.source}: the route works. Profile pages are read without the session, "
        "so this says little about it."
    )
    click.echo(_standing(after))


def disable(name: str) -> None:
    """Take an account out of use."""
    username = _handle(name)
    with _assets() as (connection, now):
        pool.disable_account(connection, username, now)
    click.echo(f"'{username}' is disabled: nothing more is sent with it.")


def remove(name: str, *, yes: bool) -> None:
    """Delete an account and its session from the pool."""
    username = _handle(name)
    with _assets() as (connection, now):
        pool.account(connection, username, now)
        confirm(f"Remove '{username}' and its session from the pool?", yes=yes)
        pool.remove_account(connection, username, now)
    click.echo(f"'{username}' was removed from the pool. Its route stays.")


def enable(name: str) -> None:
    """Take a disabled account back into use."""
    with _assets() as (connection, now):
        click.echo(_standing(pool.enable_account(connection, _handle(name), now)))


@contextmanager
def _assets() -> Iterator[tuple[Any, datetime]]:
    """A connection, and the time on the database's clock, by which leases and coolings are stamped."""
    with open_database(os.environ["ASSETS_DATABASE_URL"]) as database, database.connection() as connection:
        yield connection, database_clock(connection)


def _handle(name: str) -> str:
    username = handle_or_none(name)
    if username is None:
        raise InputRejected(f"'{name}' is not an Instagram username.")
    return username


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise InputRejected(f"{path} can't be read ({error.strerror or type(error).__name__}).") from None


def _check_route(route: str | None, proxy: str | None) -> None:
    """Refuse an invalid route. The proxy's address holds a password, so no sentence quotes it."""
    if route is not None and not _ROUTE_NAME.fullmatch(route):
        raise InputRejected(
            f"'{route}' can't name a route: use up to 40 lower-case letters, digits, _ . and -."
        )
    if proxy is None:
        return
    if route is None or route == DIRECT:
        raise InputRejected(
            f"Name the proxy's route with --route NAME; '{DIRECT}' is the route without a proxy."
        )
    try:
        parts = urlsplit(proxy)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not proxy.isascii() or not proxy.isprintable() or " " in proxy:
        raise InputRejected("The proxy's address must look like http://user:password@host:port.")


def _standing(one: pool.PoolAccount) -> str:
    """The state of the account, in a sentence."""
    rests_until = max((at for at in (one.cooling_until, one.route_cooling_until) if at), default=None)
    if one.state == "disabled":
        back = f"`entity-pipeline instagram pool enable {one.username}`"
        return f"'{one.username}' is disabled: run {back} to take it back into use."
    if one.state == "needs_session":
        add = f"`entity-pipeline instagram pool add {one.username} --cookies FILE`"
        return f"'{one.username}' needs a new session: run {add}."
    if one.route_disabled:
        return f"'{one.username}' waits: its route '{one.route}' is disabled."
    if rests_until is not None:
        return f"'{one.username}' is cooling down until {_time(rests_until)}."
    return f"'{one.username}' is in use."


def _time(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else "–"
