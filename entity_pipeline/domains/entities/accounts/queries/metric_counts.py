"""What is counted for those who watch from outside: the whole list in one pass. Changes nothing.

All of it is in the assets database; no account is read.
"""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import class_row

# A text is compared with a text: `profile_next` is ISO 8601 as stored, '' when the look may be made at any time.
_BY_STATE = """
select state, count(*)::int as accounts, min(created_at) as oldest,
  (count(*) filter (where profile_next <= %(now)s))::int as profiles_due,
  (count(*) filter (where profile_next > %(now)s))::int as profiles_later
from enrichment_queue group by 1
"""
_PICTURES = "select count(*)::int from enrichment_queue where profile_next > %(now)s and waits_for_picture"


@dataclass(frozen=True, slots=True)
class StateCount:
    """The accounts of one state; `oldest` is when the first of them came in, `profiles_*` whose profile waits."""

    state: str
    accounts: int
    oldest: datetime
    profiles_due: int
    profiles_later: int


def accounts_by_state(connection: Connection, now: datetime) -> list[StateCount]:
    """Every account once."""
    return list(
        connection.cursor(row_factory=class_row(StateCount)).execute(_BY_STATE, {"now": now.isoformat()})
    )


def pictures_put_off(connection: Connection, now: datetime) -> int:
    """Profiles that were found and whose picture could not be stored yet."""
    found = connection.execute(_PICTURES, {"now": now.isoformat()}).fetchone()
    return int(found[0]) if found is not None else 0
