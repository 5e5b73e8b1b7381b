"""`intake_days`: which state of each day of `tagged_usernames` the accounts hold.

It stands beside the accounts, so that a restored backup holds both. Whoever deletes an account, or wipes its
`metadata`, changes how many tagged accounts the cohort has: the day is then taken in again. They are counted in
`enrichment_queue`, and where that is not kept no day counts as held.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import psycopg

from entity_pipeline.domains.entities.accounts.backlog import is_listed

_ASKED = """
    with asked as (
        select * from unnest(%(days)s::date[], %(changed_at)s::timestamptz[]) as asked (day, changed_at)
    ), listed as (
        select cohort as day, count(*) as accounts from enrichment_queue
        where posts > 0 and cohort = any(%(days)s) group by 1
    ), today as (
        select day, changed_at, coalesce(accounts, 0)::integer as accounts from asked left join listed using (day)
    )
"""
_HELD = f"{_ASKED} select day from today join intake_days using (day, changed_at, accounts)"
_NOTE = f"""
    {_ASKED}
    insert into intake_days as kept (day, changed_at, accounts)
    select day, changed_at, accounts from today order by day
    on conflict (day) do update set changed_at = excluded.changed_at, accounts = excluded.accounts
    where kept is distinct from excluded
"""


def days_held(connection: psycopg.Connection[Any], states: Mapping[date, datetime]) -> set[date]:
    """Those of the days whose accounts hold this state already (`CountedDay.changed_at`)."""
    if not is_listed(connection):
        return set()
    return {day for (day,) in connection.execute(_HELD, _columns(states))}


def note_days(connection: psycopg.Connection[Any], states: Mapping[date, datetime]) -> None:
    """These days are taken in; only once all their accounts are written."""
    if is_listed(connection):
        connection.execute(_NOTE, _columns(states))


def _columns(states: Mapping[date, datetime]) -> dict[str, list[Any]]:
    return {"days": list(states), "changed_at": list(states.values())}
