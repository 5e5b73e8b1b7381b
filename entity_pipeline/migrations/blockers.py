"""Sessions that a migration waits for, and statements that a killed migration left running.

Killing a process does not end its statement: the server continues to build the index. A process that dropped the index
as unfinished in the meantime would drop a finished one.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from psycopg.rows import class_row

from entity_pipeline.core.failures import DatabaseUnavailable

# Marks dbmate's sessions in pg_stat_activity; the same in every release.
APPLICATION_NAME = "entity_pipeline migrate files"

_POLL_S = 0.2

_HOLDERS = """
select distinct b.pid, b.usename::text as role, nullif(b.application_name, '') as application, b.state, b.xact_start
from pg_stat_activity w
cross join unnest(pg_blocking_pids(w.pid)) as blocking (pid)
join pg_stat_activity b on b.pid = blocking.pid
where w.application_name = %s and w.datname = current_database()
order by b.xact_start
"""

# An idle session may be a pooler's, which keeps the name of its last client.
_LEFT_BEHIND = """
select pid from pg_stat_activity
where application_name = %s and datname = current_database() and state <> 'idle'
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """A session that a migration waits for. Its statement is left out: it may contain personal data."""

    pid: int
    role: str | None
    application: str | None
    state: str | None
    xact_start: datetime | None

    def __str__(self) -> str:
        since = f" since {self.xact_start.astimezone(UTC):%H:%M:%S} UTC" if self.xact_start else ""
        known = [
            self.application,
            f"role {self.role}" if self.role else None,
            f"{self.state or 'active'}{since}",
        ]
        return f"process {self.pid} ({', '.join(part for part in known if part)})"


def holders(connection: psycopg.Connection) -> list[Holder]:
    """The sessions that hold the locks dbmate is waiting for, oldest transaction first."""
    return connection.cursor(row_factory=class_row(Holder)).execute(_HOLDERS, [APPLICATION_NAME]).fetchall()


def wait_for_earlier_ones(connection: psycopg.Connection, say: Callable[[str], None], limit_s: float) -> None:
    """Wait until no statement of a killed migration is running.

    Raises:
        DatabaseUnavailable: one is still running after `limit_s` seconds.
    """
    give_up_at = time.monotonic() + limit_s
    is_reported = False
    while left := connection.execute(_LEFT_BEHIND, [APPLICATION_NAME]).fetchone():
        if time.monotonic() > give_up_at:
            raise DatabaseUnavailable(
                f"A statement of an earlier migration is still running (process {left[0]}): wait for it, or end it "
                f"with `select pg_terminate_backend({left[0]})`, then run `entity-pipeline migrate` again."
            )
        if not is_reported:
            say(f"waiting for a statement of an earlier migration (process {left[0]})")
            is_reported = True
        time.sleep(_POLL_S)
