"""Leases of pool accounts and the ledger of requests: SQL on the assets database, by the database's clock.

A request is counted before it is sent, under a lock per account and per route, so neither a crash nor
concurrency can exceed a window. Every function is one transaction at most and works through a transaction
pooler.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from entity_pipeline.core.instagram.access import ProfileOutcome
from entity_pipeline.core.instagram.settings import InstagramWindows
from entity_pipeline.resources.instagram.cooling import Consequence, RouteHealth, consequence, route_after
from entity_pipeline.resources.instagram.seats import DIRECT, Busy, LeaseLost, Seat, Slot
from entity_pipeline.resources.instagram.windows import LONGEST_WINDOW, next_slot, pause_s
from entity_pipeline.resources.postgres import database_clock

LEASE = timedelta(seconds=120)  # several times the 20 s a request may take
_LEASED_RETRY = timedelta(seconds=2)  # a leased account is usually free again within a request
_UNSEEN_RETRY = timedelta(minutes=15)

_LEASE_SQL = """
with free as (
    select a.username, r.proxy_secret
    from public.instagram_pool_accounts a
    join public.instagram_routes r on r.name = a.route
    where (a.state = 'active' or (a.state = 'cooling' and a.cooling_until <= %(now)s))
      and (a.lease_expires_at is null or a.lease_expires_at <= %(now)s)
      and r.state <> 'disabled' and (r.cooling_until is null or r.cooling_until <= %(now)s)
      and a.username <> all(%(except_for)s)
      and (%(only)s::text is null or a.username = %(only)s)
    order by a.last_leased_at nulls first, a.username
    limit 1
    for update of a skip locked
)
update public.instagram_pool_accounts a
set state = 'active', cooling_until = null, lease_owner = %(owner)s, lease_expires_at = %(now)s + %(lease)s,
    fence = a.fence + 1, last_leased_at = %(now)s, updated_at = %(now)s
from free where a.username = free.username
returning a.username, a.route, a.fence, a.session_secret, free.proxy_secret
"""

_POOL_SQL = """
select count(*) as usable, count(*) filter (where r.state <> 'disabled') as routed,
       min(greatest(%(now)s,
                    case when a.state = 'cooling' then a.cooling_until end,
                    r.cooling_until,
                    case when a.lease_expires_at > %(now)s
                         then least(a.lease_expires_at, %(now)s + %(retry)s) end))
           filter (where r.state <> 'disabled' and a.username <> all(%(except_for)s)) as next_at
from public.instagram_pool_accounts a
join public.instagram_routes r on r.name = a.route
where a.state in ('active', 'cooling') and (%(only)s::text is null or a.username = %(only)s)
"""

_LOCK_SQL = "select pg_advisory_xact_lock(hashtextextended(key, 0)) from unnest(%s::text[]) as key"

_ROUTE_SQL = "select state, cooling_until, failures from public.instagram_routes where name = %s"

# Shared with whoever renews or releases the lease: both wait for the end of this transaction.
_HELD_SQL = """
select 1 from public.instagram_pool_accounts
where username = %(account)s and fence = %(fence)s and lease_owner = %(owner)s and lease_expires_at > %(now)s
  and state = 'active'
for share
"""

_RECENT_OF_ACCOUNT_SQL = """
select id, requested_at from public.instagram_request_log
where account_key = %(value)s and requested_at > %(since)s order by requested_at desc limit %(limit)s
"""

_RECENT_OF_ROUTE_SQL = """
select id, requested_at from public.instagram_request_log
where route = %(value)s and requested_at > %(since)s order by requested_at desc limit %(limit)s
"""

_COUNT_SQL = """
insert into public.instagram_request_log (account_key, route, host, requested_at, username)
values (%s, %s, %s, %s, %s) returning id
"""

_OUTCOME_SQL = "update public.instagram_request_log set outcome = %(outcome)s where id = any(%(ids)s)"

_RELEASE_SQL = """
update public.instagram_pool_accounts
set lease_owner = null, lease_expires_at = null, updated_at = %(now)s,
    last_outcome = coalesce(%(outcome)s::text, last_outcome),
    state = case state when 'disabled' then state else coalesce(%(state)s::text, state) end,
    cooling_until = coalesce(%(now)s + %(cooling)s::interval, cooling_until)
where username = %(account)s and fence = %(fence)s and lease_owner = %(owner)s
"""

_ROUTE_HEALTH_SQL = """
update public.instagram_routes
set state = %(state)s, cooling_until = %(cooling_until)s, failures = %(failures)s, last_outcome = %(outcome)s,
    updated_at = %(now)s
where name = %(route)s
"""


@dataclass(frozen=True, slots=True)
class Governor:
    """Who may send what when. `owner` names this process in the leases; `clock` can be a simulated one."""

    owner: str
    clock: Callable[[Connection[Any]], datetime] = database_clock

    def lease(
        self, connection: Connection[Any], except_for: Sequence[str] = (), only: str | None = None
    ) -> Seat | Busy:
        """Lease the least recently used account that may work, or take the anonymous direct seat.

        The anonymous seat is given only while the pool has no account that is active or cooling; it needs no
        lease. Accounts in `except_for` are passed over. With `only`, it is that account or nothing.
        """
        now = self.clock(connection)
        values: dict[str, Any] = {"now": now, "owner": self.owner, "lease": LEASE}
        values |= {"except_for": list(except_for), "only": only}
        with connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(_LEASE_SQL, values).fetchone()
            if row is not None:
                return Seat(
                    account=row["username"],
                    route=row["route"],
                    fence=row["fence"],
                    owner=self.owner,
                    session_secret=row["session_secret"],
                    proxy_secret=row["proxy_secret"],
                )
            pool = cursor.execute(_POOL_SQL, values | {"retry": _LEASED_RETRY}).fetchone()
        if pool is None or pool["usable"] == 0:
            if only is not None:
                return Busy(now + _UNSEEN_RETRY, now, f"The account '{only}' is not in use.")
            return self._anonymous(connection, now)
        if not pool["routed"]:
            return Busy(now + _UNSEEN_RETRY, now, "Every account of the pool is on a disabled route.")
        next_at = pool["next_at"] or now + _UNSEEN_RETRY
        if only is not None:
            return Busy(next_at, now, f"The account '{only}' or its route is cooling or at work.")
        return Busy(next_at, now, "Every account of the pool is cooling or at work.")

    def take_slot(
        self,
        connection: Connection[Any],
        seat: Seat,
        windows: InstagramWindows,
        *,
        host: str,
        username: str | None = None,
    ) -> Slot | Busy | LeaseLost:
        """Count one request of `seat` and allow it, if its account and its route have room for it now."""
        with connection.transaction():
            # In one order everywhere, or two processes could wait for each other's second lock.
            locks = sorted((f"instagram account {seat.key}", f"instagram route {seat.route}"))
            connection.execute(_LOCK_SQL, (locks,))
            now = self.clock(connection)
            if seat.account is not None and not self._held(connection, seat, now):
                return LeaseLost()
            closed = _closed_route(connection, seat.route, now)
            if closed is not None:
                return closed
            at = max(
                _next(connection, sql, value, now, windows)
                for sql, value in ((_RECENT_OF_ACCOUNT_SQL, seat.key), (_RECENT_OF_ROUTE_SQL, seat.route))
            )
            if at > now:
                return Busy(at, now, f"The request windows of {seat.source} are full.")
            counted = connection.execute(_COUNT_SQL, (seat.key, seat.route, host, now, username)).fetchone()
            if counted is None:
                raise AssertionError("an insert with returning always returns its row")
            return Slot(counted[0], now)

    def release(
        self,
        connection: Connection[Any],
        seat: Seat,
        outcome: ProfileOutcome | None,
        *,
        with_session: bool = False,
        slots: Sequence[Slot] = (),
    ) -> None:
        """Give the seat back with what came of it; None when nothing was sent.

        `with_session` says whether the request that was judged carried the account's session. A holder whose
        lease was taken over changes nothing of the account; what it saw of the route still counts.
        """
        now = self.clock(connection)
        change = Consequence() if outcome is None else consequence(outcome, with_session=with_session)
        values = {"now": now, "outcome": None if outcome is None else str(outcome)}
        with connection.transaction():
            if slots:
                ids = [slot.id for slot in slots]
                connection.execute(_OUTCOME_SQL, values | {"ids": ids})
            if seat.account is not None:
                holder = {"account": seat.account, "fence": seat.fence, "owner": seat.owner}
                after = {"state": change.account_state, "cooling": change.account_cooling}
                connection.execute(_RELEASE_SQL, values | holder | after)
            if outcome is not None:
                self._note_route(connection, seat.route, change, values)

    def _note_route(
        self, connection: Connection[Any], route: str, change: Consequence, values: dict[str, Any]
    ) -> None:
        row = connection.execute(_ROUTE_SQL + " for update", (route,)).fetchone()
        if row is not None:
            after = route_after(RouteHealth(*row), change, values["now"])
            health = {"state": after.state, "cooling_until": after.cooling_until, "failures": after.failures}
            connection.execute(_ROUTE_HEALTH_SQL, values | {"route": route} | health)

    def _anonymous(self, connection: Connection[Any], now: datetime) -> Seat | Busy:
        closed = _closed_route(connection, DIRECT, now)
        return Seat() if closed is None else closed

    def _held(self, connection: Connection[Any], seat: Seat, now: datetime) -> bool:
        values = {"account": seat.account, "fence": seat.fence, "owner": seat.owner, "now": now}
        return connection.execute(_HELD_SQL, values).fetchone() is not None


def _closed_route(connection: Connection[Any], route: str, now: datetime) -> Busy | None:
    row = connection.execute(_ROUTE_SQL, (route,)).fetchone()
    if row is None:
        return Busy(
            now + _UNSEEN_RETRY, now, f"instagram_routes has no row '{route}': run `entity-pipeline migrate`."
        )
    state, cooling_until, _ = row
    if state == "disabled":
        return Busy(now + _UNSEEN_RETRY, now, f"The route '{route}' is disabled.")
    if cooling_until is not None and cooling_until > now:
        return Busy(cooling_until, now, f"The route '{route}' is cooling.")
    return None


def _next(
    connection: Connection[Any], sql: str, value: str, now: datetime, windows: InstagramWindows
) -> datetime:
    limit = max(windows.per_minute, windows.per_hour, windows.per_day)
    values = {"value": value, "since": now - LONGEST_WINDOW, "limit": limit}
    rows = connection.execute(sql, values).fetchall()
    # The pause after a request comes from its random id: asking again must not draw again, or the shortest
    # of many draws would win.
    share = (rows[0][0].int % 2**32) / 2**32 if rows else 0.0
    return next_slot([at for _, at in rows], now, windows, pause_s(windows, share))
