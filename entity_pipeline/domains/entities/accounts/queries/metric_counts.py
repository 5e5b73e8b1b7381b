"""Counts for the metrics endpoint: the whole list in one pass. Changes nothing.

It reads only the assets database, never an account.
"""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import class_row

# Texts are compared: `profile_next` is ISO 8601 as stored, '' when the profile may be fetched at any time.
_BY_STATE = """
select state, count(*)::int as accounts, min(created_at) as oldest,
  (count(*) filter (where profile_next <= %(now)s))::int as profiles_due,
  (count(*) filter (where profile_next > %(now)s))::int as profiles_later
from enrichment_queue group by 1
"""
_PICTURES = "select count(*)::int from enrichment_queue where profile_next > %(now)s and waits_for_picture"


@dataclass(frozen=True, slots=True)
class StateCount:
    """The accounts of one state; `oldest` is when the first was created, `profiles_*` count waiting profiles."""

    state: str
    accounts: int
    oldest: datetime
    profiles_due: int
    profiles_later: int


def accounts_by_state(connection: Connection, now: datetime) -> list[StateCount]:
    """One row per state; every account counts once."""
    return list(
        connection.cursor(row_factory=class_row(StateCount)).execute(_BY_STATE, {"now": now.isoformat()})
    )


def pictures_put_off(connection: Connection, now: datetime) -> int:
    """The number of profiles that were found but whose picture could not be stored yet."""
    found = connection.execute(_PICTURES, {"now": now.isoformat()}).fetchone()
    return int(found[0]) if found is not None else 0
