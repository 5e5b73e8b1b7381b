"""`intake_days`: the state of each day of `tagged_usernames` that the accounts hold, and the size of its cohort then.

Both databases are read: a day counts as taken in only while the operation database has as many accounts of its cohort
as it had then. So accounts that were deleted, wiped, or lost with a restored backup are brought in again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg import Connection

_STATES = """
    select day, counted.changed_at, usernames, held.accounts
    from tagged_days as counted left join intake_days as held using (day, changed_at) where day = any(%s)
"""
# One lookup per day in the index entity_pipeline_accounts_cohort.
_SIZES = """
    select day, (
        select count(*)::integer from instagram_accounts where metadata #>> '{entity_enrichment,cohort}' = day::text
    ) from unnest(%s::date[]) as asked (day)
"""
_NOTE = """
    insert into intake_days as kept (day, changed_at, accounts)
    select * from unnest(%(days)s::date[], %(changed_at)s::timestamptz[], %(accounts)s::integer[]) order by 1
    on conflict (day) do update set changed_at = excluded.changed_at, accounts = excluded.accounts
    where kept is distinct from excluded
"""


@dataclass(frozen=True, slots=True)
class DayState:
    """When the rows of a day last changed, and how many there are.

    `accounts` is the size of its cohort when this state of the day was taken in; None when it never was.
    """

    changed_at: datetime
    usernames: int
    accounts: int | None


def day_states(assets: Connection[Any], days: Sequence[date]) -> dict[date, DayState]:
    """The state of each of these days that was counted."""
    return {day: DayState(*state) for day, *state in assets.execute(_STATES, [list(days)])}


def cohort_sizes(operation: Connection[Any], days: Sequence[date]) -> dict[date, int]:
    """The current number of accounts in each of these cohorts."""
    return dict(operation.execute(_SIZES, [list(days)]).fetchall())


def note_days(assets: Connection[Any], states: Mapping[date, DayState]) -> None:
    """Record days as taken in; call it only once all their accounts are written."""
    assets.execute(
        _NOTE,
        {
            "days": list(states),
            "changed_at": [state.changed_at for state in states.values()],
            "accounts": [state.accounts for state in states.values()],
        },
    )
