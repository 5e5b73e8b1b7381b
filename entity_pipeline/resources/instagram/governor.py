"""Leases of pool accounts and the ledger of requests, on the assets database and by the database's clock.

A request is counted before it is sent, under a lock per account and per route, so neither a crash nor concurrency can
exceed a window. How much all callers may use is read from the `instagram` row in the same transaction. Every function
is one transaction at most and works through a transaction pooler. The consequences of an outcome are decided in
`cooling.py`, and the time of the next request in `core/instagram/windows.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import dict_row

from entity_pipeline.core.instagram.outcomes import SeatOutcome
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.instagram.windows import LONGEST_WINDOW, next_slot, part_of, pause_s
from entity_pipeline.core.settings import Closed, Gate, SettingsRow, gate
from entity_pipeline.resources.instagram import governor_sql as sql
from entity_pipeline.resources.instagram.cooling import Consequence, RouteHealth, consequence, route_after
from entity_pipeline.resources.instagram.reasons import reason
from entity_pipeline.resources.instagram.seats import (
    DIRECT,
    UNSEATED,
    Busy,
    LeaseLost,
    Purpose,
    Seat,
    Slot,
)
from entity_pipeline.resources.postgres import database_clock
from entity_pipeline.resources.settings_store import SWITCH_AND_SETTINGS

LEASE = timedelta(seconds=120)  # several times the 20 s a request may take
_LEASED_RETRY = timedelta(seconds=2)  # a leased account is usually free again within a request
_UNSEEN_RETRY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Governor:
    """Decides which account may send a request, and when.

    `owner` names this process in the leases; `clock` can be a simulated one.
    """

    owner: str
    clock: Callable[[Connection[Any]], datetime] = database_clock

    def lease(
        self, connection: Connection[Any], except_for: Sequence[str] = (), only: str | None = None
    ) -> Seat | Busy:
        """Lease the least recently used account that may work, or take the anonymous direct seat.

        The anonymous seat is given only while the pool has no account that is active or cooling; it needs no lease.
        Accounts in `except_for` are passed over. With `only`, no other account is leased.
        """
        now = self.clock(connection)
        permitted = _permission(connection)
        if isinstance(permitted, Closed):
            return Busy(now + _UNSEEN_RETRY, now, permitted.reason)
        values: dict[str, Any] = {"now": now, "owner": self.owner, "lease": LEASE}
        values |= {"except_for": list(except_for), "only": only}
        with connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(sql.LEASE, values).fetchone()
            if row is not None:
                return Seat(
                    account=row["username"],
                    route=row["route"],
                    fence=row["fence"],
                    owner=self.owner,
                    session_secret=row["session_secret"],
                    proxy_secret=row["proxy_secret"],
                )
            pool = cursor.execute(sql.POOL, values | {"retry": _LEASED_RETRY}).fetchone()
        if pool is None or pool["usable"] == 0:
            if only is not None:
                return Busy(now + _UNSEEN_RETRY, now, reason("account_not_in_use", account=only))
            return _closed_route(connection, DIRECT, now) or Seat()
        if not pool["routed"]:
            return Busy(now + _UNSEEN_RETRY, now, reason("pool_on_disabled_routes"))
        next_at = pool["next_at"] or now + _UNSEEN_RETRY
        return Busy(next_at, now, reason("account_busy", account=only) if only else reason("pool_busy"))

    def take_slot(
        self, connection: Connection[Any], seat: Seat, purpose: Purpose, *, host: str
    ) -> Slot | Busy | LeaseLost:
        """Count one request of `seat` and allow it, if its account and its route have room for it now."""
        with connection.transaction():
            # Always in the same order; otherwise two processes could wait for each other's second lock.
            locks = sorted((f"instagram account {seat.key}", f"instagram route {seat.route}"))
            connection.execute(sql.LOCK, (locks,))
            now = self.clock(connection)
            if seat.account is not None and not self._held(connection, seat, now):
                return LeaseLost()
            permitted = _permission(connection)
            if isinstance(permitted, Closed):
                return Busy(now + _UNSEEN_RETRY, now, permitted.reason)
            full = _closed_route(connection, seat.route, now) or _full(
                connection, seat, purpose, permitted.settings, now
            )
            return full or _count(connection, seat.key, seat.route, purpose, host, now)

    def note(self, connection: Connection[Any], purpose: Purpose, *, host: str) -> Slot | Busy:
        """Count one request that needs no seat and has no window. It needs the same permission as the others."""
        with connection.transaction():
            now = self.clock(connection)
            permitted = _permission(connection)
            if isinstance(permitted, Closed):
                return Busy(now + _UNSEEN_RETRY, now, permitted.reason)
            return _count(connection, UNSEATED, UNSEATED, purpose, host, now)

    def settle(self, connection: Connection[Any], slots: Sequence[Slot], outcome: SeatOutcome) -> None:
        """Record how counted requests ended."""
        ids = [slot.id for slot in slots]
        connection.execute(sql.OUTCOME, {"outcome": outcome.value, "ids": ids})

    def release(
        self,
        connection: Connection[Any],
        seat: Seat,
        outcome: SeatOutcome | None,
        *,
        with_session: bool = False,
        slots: Sequence[Slot] = (),
    ) -> None:
        """Give the seat back with its outcome; None when nothing was sent.

        `with_session` says whether the request that was judged carried the account's session. A holder whose lease was
        taken over does not change the account; its outcome still counts for the route.
        """
        now = self.clock(connection)
        change = Consequence() if outcome is None else consequence(outcome, with_session=with_session)
        values = {"now": now, "outcome": None if outcome is None else outcome.value}
        with connection.transaction():
            if slots:
                connection.execute(sql.OUTCOME, values | {"ids": [slot.id for slot in slots]})
            if seat.account is not None:
                holder = {"account": seat.account, "fence": seat.fence, "owner": seat.owner}
                after = {"state": change.account_state, "cooling": change.account_cooling}
                connection.execute(sql.RELEASE, values | holder | after)
            if outcome is not None:
                self._note_route(connection, seat.route, change, values)

    def _note_route(
        self, connection: Connection[Any], route: str, change: Consequence, values: dict[str, Any]
    ) -> None:
        row = connection.execute(sql.ROUTE + " for update", (route,)).fetchone()
        if row is not None:
            after = route_after(RouteHealth(*row), change, values["now"])
            health = {"state": after.state, "cooling_until": after.cooling_until, "failures": after.failures}
            connection.execute(sql.ROUTE_HEALTH, values | {"route": route} | health)

    def _held(self, connection: Connection[Any], seat: Seat, now: datetime) -> bool:
        values = {"account": seat.account, "fence": seat.fence, "owner": seat.owner, "now": now}
        return connection.execute(sql.HELD, values).fetchone() is not None


def _permission(connection: Connection[Any]) -> Gate[InstagramSettings]:
    """The gate of the `instagram` row: open, or closed with the reason."""
    name = InstagramSettings.row
    row = connection.execute(SWITCH_AND_SETTINGS, (name,)).fetchone()
    return gate(InstagramSettings, {} if row is None else {name: SettingsRow(*row)})


def _closed_route(connection: Connection[Any], route: str, now: datetime) -> Busy | None:
    row = connection.execute(sql.ROUTE, (route,)).fetchone()
    if row is None:
        return Busy(now + _UNSEEN_RETRY, now, reason("route_missing", route=route))
    state, cooling_until, _ = row
    if state == "disabled":
        return Busy(now + _UNSEEN_RETRY, now, reason("route_disabled", route=route))
    if cooling_until is not None and cooling_until > now:
        return Busy(cooling_until, now, reason("route_cooling", route=route))
    return None


_Counted = Sequence[tuple[UUID, datetime, str]]  # id, time and domain of requests, newest first


def _full(
    connection: Connection[Any], seat: Seat, purpose: Purpose, settings: InstagramSettings, now: datetime
) -> Busy | None:
    """Why there is no room now: a window of the account or the route, or the domain's share of one."""
    counted = [
        _counted(connection, statement, value, settings, now)
        for statement, value in ((sql.RECENT_OF_ACCOUNT, seat.key), (sql.RECENT_OF_ROUTE, seat.route))
    ]
    at = max(_next(rows, settings, now) for rows in counted)
    if at > now:
        return Busy(at, now, reason("windows_full", source=seat.source))
    part = settings.shares.get(purpose.domain)
    if part is None:
        return None
    if part == 0:
        return Busy(now + _UNSEEN_RETRY, now, reason("share_is_zero", domain=purpose.domain))
    share = part_of(settings.windows, part)
    own = [[at for _, at, domain in rows if domain == purpose.domain] for rows in counted]
    at = max(next_slot(times, now, share, 0.0) for times in own)
    values = {"domain": purpose.domain, "source": seat.source}
    return Busy(at, now, reason("share_used", **values)) if at > now else None


def _next(rows: _Counted, settings: InstagramSettings, now: datetime) -> datetime:
    # The pause after a request comes from its random id: asking again must not draw a new pause, or the shortest of
    # many draws would win.
    share = (rows[0][0].int % 2**32) / 2**32 if rows else 0.0
    times = [at for _, at, _ in rows]
    return next_slot(times, now, settings.windows, pause_s(settings.windows, share))


def _counted(
    connection: Connection[Any], statement: str, value: str, settings: InstagramSettings, now: datetime
) -> _Counted:
    windows = settings.windows
    limit = max(windows.per_minute, windows.per_hour, windows.per_day)
    values = {"value": value, "since": now - LONGEST_WINDOW, "limit": limit}
    return connection.execute(statement, values).fetchall()


def _count(
    connection: Connection[Any], key: str, route: str, purpose: Purpose, host: str, now: datetime
) -> Slot:
    values = {"key": key, "route": route, "host": host, "now": now}
    values |= {"domain": purpose.domain, "operation": purpose.operation, "target": purpose.target}
    counted = connection.execute(sql.COUNT, values).fetchone()
    if counted is None:
        raise AssertionError("an insert with returning always returns its row")
    return Slot(counted[0], now)
