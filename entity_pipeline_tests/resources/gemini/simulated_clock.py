"""A clock that a test sets, in place of the server's: midnights, daylight saving and exact limits.

The ledger's SQL runs unchanged. The test's database puts the schema `public` before `pg_catalog`,
so that a `clock_timestamp()` of our own is found first. Python's clock and `now()` stay what they are.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql

PACIFIC = ZoneInfo("America/Los_Angeles")


def pacific(text: str) -> datetime:
    """An instant given as a wall clock in Los Angeles shows it, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=PACIFIC).astimezone(UTC)


class SimulatedClock:
    """Stands still until a test moves it; connections opened after it was made follow it.

    Args:
        connection: to the database whose clock it becomes, in autocommit mode.
    """

    def __init__(self, connection: psycopg.Connection[Any], now: datetime) -> None:
        self._connection = connection
        self.now = now
        connection.execute("create table public.simulated_clock (now timestamptz not null)")
        connection.execute("insert into public.simulated_clock values (%s)", [now])
        connection.execute(
            "create function public.clock_timestamp() returns timestamptz language sql volatile "
            "as 'select now from public.simulated_clock'"
        )
        connection.execute(
            sql.SQL("alter database {} set search_path = public, pg_catalog").format(
                sql.Identifier(connection.info.dbname)
            )
        )
        # A pooler hands this connection to others, too.
        connection.execute("set search_path = public, pg_catalog")

    @property
    def today(self) -> date:
        """The Pacific day."""
        return self.now.astimezone(PACIFIC).date()

    @property
    def next_midnight(self) -> datetime:
        """The end of the Pacific day, in UTC."""
        return datetime.combine(self.today + timedelta(days=1), time(), tzinfo=PACIFIC).astimezone(UTC)

    def set(self, at: datetime) -> None:
        self.now = at
        self._connection.execute("update public.simulated_clock set now = %s", [at])

    def advance(self, seconds: float) -> None:
        self.set(self.now + timedelta(seconds=seconds))
