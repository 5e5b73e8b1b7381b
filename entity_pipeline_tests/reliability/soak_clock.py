"""One simulated time for the databases, for Python and for every process of the soak.

A small file holds how far the simulated time is ahead of the real one. PostgreSQL reads it in a
`clock_timestamp()` and a `now()` of our own, Python through time-machine. Time runs on at its real pace in
between; code that would wait advances it instead.
"""

import fcntl
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo

import psycopg
import time_machine
from psycopg import sql

PACIFIC = ZoneInfo("America/Los_Angeles")
_LONGEST_PAUSE_S = 0.01
_LOOK_EVERY_S = 0.004
_LONG_AGO_S = -2e9  # no soak begins before that: the first `advance_to` sets the time
# Both are found before the server's own, because `public` comes first on the search path.
_FUNCTIONS = """
create function public.clock_timestamp() returns timestamptz language sql volatile as
  $$select pg_catalog.clock_timestamp() + pg_catalog.pg_read_file({path})::float8 * interval '1 second'$$;
create function public.now() returns timestamptz language sql stable as
  $$select pg_catalog.now() + pg_catalog.pg_read_file({path})::float8 * interval '1 second'$$;
"""
# A default keeps the function it was made with, so it is written again from its own text.
_DEFAULTS = """
select table_name, column_name, column_default from information_schema.columns
where table_schema = 'public' and column_default like '%now()%'
"""


class SimulatedTime:
    """The time of the soak; a context manager that moves Python's clock along with it in this process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not os.fstat(self._file).st_size:
            self._write(_LONG_AGO_S)
        self._traveller: Any = None
        self._travel: Any = None
        self._at_s = 0.0
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def now(self) -> datetime:
        """The simulated instant, the same in every process."""
        return datetime.fromtimestamp(_real_s() + self._ahead_s(), UTC)

    def advance_to(self, at: datetime) -> None:
        """Advance to `at`; time never goes back."""
        with self._lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                wanted = at.timestamp() - _real_s()
                if wanted > self._ahead_s():
                    self._write(wanted)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        self._follow()

    def sleep(self, seconds: float) -> None:
        """Wait: it takes simulated seconds, and a moment for the other threads."""
        wakes = self.now() + timedelta(seconds=seconds)
        time.sleep(min(seconds, _LONGEST_PAUSE_S))
        self.advance_to(wakes)

    def event(self) -> "SimulatedEvent":
        """An event whose waits with a time limit are simulated."""
        return SimulatedEvent(self)

    def govern(self, database_url: str) -> None:
        """Make this the clock of a database: of its sessions that begin from now on, and of its defaults."""
        with psycopg.connect(database_url, autocommit=True) as connection:
            path = sql.Literal(str(self._path))
            for function in filter(str.strip, _FUNCTIONS.split(";\n")):
                connection.execute(sql.SQL(function).format(path=path))
            connection.execute(
                sql.SQL("alter database {} set search_path = public, pg_catalog").format(
                    sql.Identifier(connection.info.dbname)
                )
            )
            for table, column, default in connection.execute(_DEFAULTS).fetchall():
                connection.execute(
                    sql.SQL("alter table {} alter column {} set default {}").format(
                        sql.Identifier(table),
                        sql.Identifier(column),
                        sql.SQL(default.replace("now()", "public.now()")),
                    )
                )

    def __enter__(self) -> Self:
        self._travel = time_machine.travel(self.now(), tick=True)
        self._traveller = self._travel.start()
        self._stopped.clear()
        threading.Thread(target=self._keep_up, name="clock", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        with self._lock:
            self._travel.stop()
            self._traveller = None

    def _keep_up(self) -> None:
        while not self._stopped.is_set():
            self._follow()
            time.sleep(_LOOK_EVERY_S)

    def _follow(self) -> None:
        with self._lock:
            ahead = self._ahead_s()
            if self._traveller is not None and ahead != self._at_s:
                self._traveller.move_to(self.now())
                self._at_s = ahead

    def _ahead_s(self) -> float:
        return float(os.pread(self._file, 32, 0))

    def _write(self, ahead_s: float) -> None:
        os.pwrite(self._file, b"%031.6f\n" % ahead_s, 0)


class SimulatedEvent(threading.Event):
    """An event that is waited for in simulated seconds."""

    def __init__(self, clock: SimulatedTime) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is None:
            return super().wait()
        if not self.is_set():
            self._clock.sleep(timeout)
        return self.is_set()


def _real_s() -> float:
    hatch = time_machine.escape_hatch
    return hatch.time.time() if hatch.is_travelling() else time.time()
