"""Every statement on `review_refreshes`: which refresh is open, and that one began or ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

_OPEN = """
select name, scope, cohorts, started_at, started_by from review_refreshes
where scope = %(scope)s and cohorts = %(cohorts)s and finished_at is null order by started_at desc limit 1
"""
_BEGIN = """
insert into review_refreshes (name, scope, cohorts, started_at, started_by)
values (%(name)s, %(scope)s, %(cohorts)s, %(started_at)s, %(started_by)s)
"""
_FINISH = """
update review_refreshes set finished_at = now()
where scope = %(scope)s and cohorts = %(cohorts)s and finished_at is null
"""


@dataclass(frozen=True, slots=True)
class Refresh:
    """Reviews made again. `scope` is failed, stale or all; no `cohorts` means every cohort."""

    name: str
    scope: str
    cohorts: Sequence[str]
    started_at: datetime
    started_by: str

    @classmethod
    def beginning(cls, scope: str, cohorts: Sequence[date], at: datetime, by: str) -> "Refresh":
        """A new one, named after its scope and start."""
        return cls(f"{scope}-{at:%Y%m%d-%H%M%S}", scope, _texts(cohorts), at, by)


def open_refresh(connection: Connection[Any], scope: str, cohorts: Sequence[date]) -> Refresh | None:
    """The newest refresh of this scope and these cohorts that is not finished."""
    values = {"scope": scope, "cohorts": _texts(cohorts)}
    return connection.cursor(row_factory=class_row(Refresh)).execute(_OPEN, values).fetchone()


def begin_refresh(connection: Connection[Any], refresh: Refresh) -> None:
    """Record that it begins."""
    values = {name: getattr(refresh, name) for name in ("name", "scope", "started_at", "started_by")}
    connection.execute(_BEGIN, {**values, "cohorts": list(refresh.cohorts)})


def finish_refresh(connection: Connection[Any], refresh: Refresh) -> None:
    """Record that nothing is left of it, nor of any earlier one like it."""
    connection.execute(_FINISH, {"scope": refresh.scope, "cohorts": list(refresh.cohorts)})


def _texts(cohorts: Sequence[date]) -> list[str]:
    return sorted(cohort.isoformat() for cohort in cohorts)
