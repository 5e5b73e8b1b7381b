"""How the newest tasks of a type ended, and leases that nothing puts back: for alerts and `doctor`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

# The newest of each state; more would not change a share, and would be read every minute.
_ENDS = """
select coalesce(t.outcome, ''), t.status, count(*)::int
from unnest('{done,failed}'::text[]) as s(of_status), lateral (
  select status, outcome, completed_at from scrape_tasks
  where status = s.of_status and task_type = %(type)s order by -id limit 300
) t
where t.completed_at > %(since)s
group by 1, 2
"""
_LAPSED = """
select count(*)::int from scrape_tasks
where lease_owner is not null and batch_key is null and lease_until < clock_timestamp() - %s::interval
"""


@dataclass(frozen=True, slots=True)
class RecentEnds:
    """How many tasks ended, and how many of them failed; `outcomes` counts both by outcome."""

    ended: int
    failed: int
    outcomes: Mapping[str, int]

    def of(self, outcome: str) -> int:
        """Tasks with this outcome."""
        return self.outcomes.get(outcome, 0)


def recent_ends(connection: Connection[Any], task_type: str, since: datetime) -> RecentEnds:
    """The tasks of a type that ended since then, at most the newest 300 of each state."""
    rows = connection.execute(_ENDS, {"type": task_type, "since": since}).fetchall()
    outcomes: dict[str, int] = {}
    for outcome, _, tasks in rows:
        outcomes[outcome] = outcomes.get(outcome, 0) + tasks
    return RecentEnds(
        ended=sum(tasks for *_, tasks in rows),
        failed=sum(tasks for _, status, tasks in rows if status == "failed"),
        outcomes=outcomes,
    )


def lapsed_leases(connection: Connection[Any], longer_than: timedelta) -> int:
    """Tasks whose lease ran out longer ago than this, so that recovery should have put them back."""
    row = connection.execute(_LAPSED, [longer_than]).fetchone()
    return 0 if row is None else row[0]
