"""What people do to the pool: add, list, disable and enable accounts. SQL on the assets database.

A change of an account raises its fence and so ends the right of its holder to continue: a late answer about an old
session must not count against the new one. The lease itself stays until it expires, so that no other process starts
while that request may be on the wire. Leases and request windows are the governor's.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from entity_pipeline.core.failures import ConfigurationFailure, InputRejected
from entity_pipeline.resources.instagram.seats import DIRECT
from entity_pipeline.resources.instagram.session_secrets import SessionSecrets

_ADD_ROUTE = """
insert into public.instagram_routes (name, proxy_secret) values (%(route)s, %(proxy)s)
on conflict (name) do update set proxy_secret = excluded.proxy_secret, updated_at = %(now)s
"""

_ADD_DIRECT = "insert into public.instagram_routes (name) values (%s) on conflict (name) do nothing"

# New cookies lift neither a cooling nor a person's `disabled`.
_ADD_ACCOUNT = """
insert into public.instagram_pool_accounts as a (username, session_secret, route)
values (%(username)s, %(session)s, coalesce(%(route)s::text, %(direct)s))
on conflict (username) do update
set session_secret = excluded.session_secret, route = coalesce(%(route)s::text, a.route), fence = a.fence + 1,
    state = case a.state when 'needs_session' then 'active' else a.state end, updated_at = %(now)s
"""

_DISABLE = """
update public.instagram_pool_accounts set state = 'disabled', fence = fence + 1, updated_at = %(now)s
where username = %(username)s
"""

_ENABLE = """
update public.instagram_pool_accounts
set state = case when cooling_until > %(now)s then 'cooling' else 'active' end, updated_at = %(now)s
where username = %(username)s and state = 'disabled'
"""

_LIST = """
select a.username,
       case when a.state = 'cooling' and a.cooling_until <= %(now)s then 'active' else a.state end as state,
       case when a.cooling_until > %(now)s then a.cooling_until end as cooling_until,
       a.route, r.state = 'disabled' as route_disabled,
       case when r.cooling_until > %(now)s then r.cooling_until end as route_cooling_until,
       a.last_outcome, case when a.lease_expires_at > %(now)s then a.lease_expires_at end as leased_until
from public.instagram_pool_accounts a
join public.instagram_routes r on r.name = a.route
where %(username)s::text is null or a.username = %(username)s
order by a.username
"""


_ROUTES = """
select r.name, r.state = 'disabled' as is_disabled,
       case when r.cooling_until > %(now)s then r.cooling_until end as cooling_until, r.last_outcome,
       (select count(*) from public.instagram_pool_accounts a where a.route = r.name)::int as accounts
from public.instagram_routes r order by r.name
"""

# A lease that lives may have a request on the wire: its answer must find its account.
_REMOVE = """
delete from public.instagram_pool_accounts
where username = %(username)s and (lease_expires_at is null or lease_expires_at <= %(now)s)
"""

_SECRETS = """
select a.username, a.session_secret, r.proxy_secret
from public.instagram_pool_accounts a
join public.instagram_routes r on r.name = a.route
where a.state <> 'disabled'
order by a.username
"""


@dataclass(frozen=True, slots=True)
class PoolAccount:
    """An account as `pool list` shows it, without secrets; times are None when they have passed."""

    username: str
    state: str
    cooling_until: datetime | None
    route: str
    route_disabled: bool
    route_cooling_until: datetime | None
    last_outcome: str | None
    leased_until: datetime | None


@dataclass(frozen=True, slots=True)
class PoolRoute:
    """A way to Instagram, without its proxy; `cooling_until` is None when it does not rest."""

    name: str
    is_disabled: bool
    cooling_until: datetime | None
    last_outcome: str | None
    accounts: int


def add_account(
    connection: Connection[Any],
    username: str,
    session_secret: str,
    now: datetime,
    *,
    route: str | None = None,
    proxy_secret: str | None = None,
) -> PoolAccount:
    """Add an account, or give an existing one a new session; returns the resulting account.

    Args:
        connection: To the assets database.
        username: As Instagram spells it, lower case.
        session_secret: Sealed cookies.
        now: The time on the database's clock.
        route: Its route; None keeps the route of a known account and gives a new one the direct route.
        proxy_secret: Sealed proxy address; makes the route, or changes its proxy for all accounts on it.

    Raises:
        InputRejected: the route does not exist and no proxy was given.
    """
    values = {"username": username, "session": session_secret, "now": now, "route": route, "direct": DIRECT}
    with connection.transaction():
        if proxy_secret is not None:
            connection.execute(_ADD_ROUTE, values | {"proxy": proxy_secret})
        elif route is None or route == DIRECT:
            connection.execute(_ADD_DIRECT, (DIRECT,))
        elif not _has_route(connection, route):
            raise InputRejected(f"There is no route '{route}' yet: add its proxy with --proxy URL.")
        connection.execute(_ADD_ACCOUNT, values)
        return account(connection, username, now)


def disable_account(connection: Connection[Any], username: str, now: datetime) -> None:
    """Take an account out of use: from the end of this call on, nothing more is sent with it.

    Raises:
        InputRejected: it is not in the pool.
    """
    account(connection, username, now)
    connection.execute(_DISABLE, {"username": username, "now": now})


def enable_account(connection: Connection[Any], username: str, now: datetime) -> PoolAccount:
    """Undo `disable_account`; a cooling that is not over continues.

    Raises:
        InputRejected: it is not in the pool, or only a new session would bring it back.
    """
    with connection.transaction():
        connection.execute(_ENABLE, {"username": username, "now": now})
        found = account(connection, username, now)
    if found.state == "needs_session":
        raise InputRejected(
            f"'{username}' needs a new session: run "
            f"`entity-pipeline instagram pool add {username} --cookies FILE`."
        )
    return found


def account(connection: Connection[Any], username: str, now: datetime) -> PoolAccount:
    """One account of the pool; `InputRejected` when it is not there."""
    found = _rows(connection, username, now)
    if not found:
        raise InputRejected(
            f"'{username}' is not in the pool: run `entity-pipeline instagram pool list` to see its accounts."
        )
    return found[0]


def accounts(connection: Connection[Any], now: datetime) -> list[PoolAccount]:
    """All accounts of the pool, by name."""
    return _rows(connection, None, now)


def routes(connection: Connection[Any], now: datetime) -> list[PoolRoute]:
    """All routes, by name."""
    with connection.cursor(row_factory=class_row(PoolRoute)) as cursor:
        return cursor.execute(_ROUTES, {"now": now}).fetchall()


def remove_account(connection: Connection[Any], username: str, now: datetime) -> None:
    """Delete an account and its session from the pool; its route and the log of its requests stay.

    Raises:
        InputRejected: it is not in the pool, or it is in use at the moment.
    """
    found = account(connection, username, now)
    if not connection.execute(_REMOVE, {"username": username, "now": now}).rowcount:
        raise InputRejected(
            f"'{username}' is in use until {found.leased_until:%H:%M:%S} UTC: disable it, and remove it after that."
        )


def unreadable_accounts(connection: Connection[Any], session_keys: str | None) -> dict[str, str]:
    """Accounts in use whose session or proxy can't be decrypted, each with the reason.

    Raises:
        ConfigurationFailure: a key is malformed.
    """
    secrets = SessionSecrets(session_keys)
    found: dict[str, str] = {}
    for username, session, proxy in connection.execute(_SECRETS):
        try:
            secrets.open_cookies(session)
            if proxy is not None:
                secrets.open(proxy)
        except ConfigurationFailure as failure:
            found[username] = str(failure)
    return found


def _rows(connection: Connection[Any], username: str | None, now: datetime) -> list[PoolAccount]:
    with connection.cursor(row_factory=class_row(PoolAccount)) as cursor:
        return cursor.execute(_LIST, {"username": username, "now": now}).fetchall()


def _has_route(connection: Connection[Any], route: str) -> bool:
    sql = "select 1 from public.instagram_routes where name = %s"
    return connection.execute(sql, (route,)).fetchone() is not None
