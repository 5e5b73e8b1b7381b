"""`intake_days`: which state of each day of `tagged_usernames` the accounts hold.

It stands beside the accounts, so that a restored backup holds both. Whoever deletes an account, or wipes its
`metadata`, changes the number of its cohort: the day is then taken in again.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import psycopg

# Must stay what the index entity_pipeline_accounts_cohort is on.
_ACCOUNTS = """(
    select count(*) from instagram_accounts where metadata #>> '{entity_enrichment,cohort}' = asked.day::text
)"""
_ASKED = "unnest(%s::date[], %s::timestamptz[]) as asked (day, changed_at)"
_HELD = f"""
    select asked.day from intake_days as kept join {_ASKED} using (day, changed_at)
    where kept.accounts = {_ACCOUNTS}
"""
_NOTE = f"""
    insert into intake_days as kept (day, changed_at, accounts)
    select day, changed_at, {_ACCOUNTS} from {_ASKED} order by day
    on conflict (day) do update set changed_at = excluded.changed_at, accounts = excluded.accounts
    where kept is distinct from excluded
"""


def days_held(connection: psycopg.Connection[Any], states: Mapping[date, datetime]) -> set[date]:
    """Those of the days whose accounts hold this state already (`CountedDay.changed_at`)."""
    return {day for (day,) in connection.execute(_HELD, _columns(states))}


def note_days(connection: psycopg.Connection[Any], states: Mapping[date, datetime]) -> None:
    """These days are taken in; only once all their accounts are written."""
    connection.execute(_NOTE, _columns(states))


def _columns(states: Mapping[date, datetime]) -> tuple[list[date], list[datetime]]:
    return list(states), list(states.values())
