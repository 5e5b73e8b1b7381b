"""Bringing tagged usernames into `instagram_accounts`, and giving every account its cohort.

Rows made by people may spell a username ``@Nike``: accounts are matched by handle, never by the column alone,
and their own keys of `metadata` are never touched. Metadata that can't hold ours without losing what is there
(an array, a plain string) is left alone and counted.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import psycopg

# Reading totals and writing them must not interleave with another run's: the older totals could win.
_LOCK_INTAKE = "select pg_advisory_xact_lock(hashtextextended('instagram_accounts intake', 0))"

# Must stay what the indexes entity_pipeline_accounts_handle and entity_pipeline_accounts_cohort are on.
_HANDLE = "lower(ltrim(btrim(account.username), '@'))"
_COHORT = "account.metadata #>> '{entity_enrichment,cohort}'"

_USABLE = """(
    coalesce(jsonb_typeof(account.metadata), 'null') in ('object', 'null')
    and coalesce(jsonb_typeof(account.metadata->'entity_enrichment'), 'null') in ('object', 'null')
)"""
_OWN_DAY = "least(greatest((account.created_at at time zone 'UTC')::date, %(first)s::date), %(last)s::date)"
_SET_ENRICHMENT = """
    set metadata = coalesce(nullif(account.metadata, 'null'), '{}') || jsonb_build_object('entity_enrichment',
        coalesce(nullif(account.metadata->'entity_enrichment', 'null'), '{}') ||"""

_STAGE = """
    create temp table incoming_totals (username text, first_day date, tagging jsonb) on commit drop
"""
_NEEDS_WRITE = f"""(
    {_USABLE} and ({_COHORT} is null
        or account.metadata #> '{{entity_enrichment,tagging}}' is distinct from new.tagging)
)"""
_MATCH = f"""
    create temp table matched_totals on commit drop as
    select account.id, new.username, new.tagging, account.username = new.username as is_exact,
           account.created_at, {_USABLE} as is_usable, {_NEEDS_WRITE} as needs_write
    from incoming_totals as new join instagram_accounts as account on {_HANDLE} = new.username
"""
# Of several accounts of one handle the exact spelling is taken, else the oldest.
_DROP_OTHER_SPELLINGS = """
    with several as (
        select username, (array_agg(id order by is_exact desc, created_at, id))[1] as taken
        from matched_totals group by username having count(*) > 1
    ), dropped as (
        delete from matched_totals as other using several
        where other.username = several.username and other.id <> several.taken
        returning other.username
    )
    select count(distinct username) from dropped
"""
_INSERT_NEW = """
    insert into instagram_accounts (username, metadata)
    select new.username, jsonb_build_object('entity_enrichment', jsonb_build_object(
        'cohort', least(greatest(new.first_day, %(first)s::date), %(last)s::date), 'tagging', new.tagging))
    from incoming_totals as new
    where new.first_day is not null
      and not exists (select from matched_totals as known where known.username = new.username)
    order by new.username
    on conflict do nothing
"""
# Locked in order of id first: an UPDATE takes its rows in any order, and two could wait for each other.
_LOCK_CHANGED = """
    with locked as (
        select account.id from instagram_accounts as account join matched_totals as new on new.id = account.id
        where new.needs_write order by account.id for update of account
    )
    select count(*) from locked
"""
_UPDATE_CHANGED = f"""
    with before as (
        select account.id, {_COHORT} as cohort, {_OWN_DAY} as own_day, new.tagging
        from instagram_accounts as account join matched_totals as new on new.id = account.id
        where new.needs_write and {_NEEDS_WRITE}
    ), written as (
        update instagram_accounts as account
        {_SET_ENRICHMENT} jsonb_build_object(
            'tagging', before.tagging,
            'cohort', coalesce(before.cohort, to_jsonb(before.own_day) #>> '{{}}')))
        from before where before.id = account.id
        returning before.cohort is null as adopted
    )
    select count(*), count(*) filter (where adopted) from written
"""
_MATCH_COUNTS = "select count(*), count(*) filter (where not is_usable) from matched_totals"
# Accounts of this cohort that were, or may have been, tagged on this day before and are not any more.
_NOT_TAGGED_NOW = f"""
    select {_HANDLE} from instagram_accounts as account
    where {_COHORT} = %(day)s
      and left(account.metadata #>> '{{entity_enrichment,tagging,first_tagged_at}}', 10) <= %(day)s
      and (left(account.metadata #>> '{{entity_enrichment,tagging,last_tagged_at}}', 10) >= %(day)s
           or %(is_first)s)
      and not exists (select from incoming_totals as new where new.username = {_HANDLE})
"""
_TAGGED_NOWHERE = """
    insert into incoming_totals (username, tagging)
    select gone.username, '{"posts": 0, "first_tagged_at": null, "last_tagged_at": null, "sample_posts": []}'
    from unnest(%s::text[]) as gone (username)
    where not exists (select from incoming_totals as found where found.username = gone.username)
"""
_ADOPTABLE = f"""
    instagram_accounts as account
    where {_COHORT} is null and {_USABLE}
      and (account.created_at >= %(start)s or %(start)s::timestamptz is null)
      and (account.created_at < %(end)s or %(end)s::timestamptz is null)
"""
_LOCK_ADOPTABLE = f"""
    create temp table adopted on commit drop as
    select account.id from {_ADOPTABLE} order by account.id for update
"""
_ADOPT = f"""
    update instagram_accounts as account
    {_SET_ENRICHMENT} jsonb_build_object('cohort', %(day)s::text))
    from adopted where adopted.id = account.id
"""
_UNADOPTED = f"""
    select {_OWN_DAY}, count(*) from instagram_accounts as account
    where {_COHORT} is null and {_USABLE}
    group by 1 order by 1
"""
_UNUSABLE = f"select count(*) from instagram_accounts as account where not {_USABLE}"


@dataclass(frozen=True, slots=True)
class IntakeCounts:
    """What became of the usernames of one day.

    `updated` had other totals or no cohort, `adopted` of them got their cohort here; `duplicates` are
    usernames under which several accounts stand (one was taken); `unusable_metadata` could not be written;
    `rechecked` are accounts of the cohort that the day does not tag (any more), whose totals were read again.
    """

    inserted: int
    updated: int
    unchanged: int
    adopted: int
    duplicates: int
    unusable_metadata: int
    rechecked: int


def upsert_tagged_accounts(
    connection: psycopg.Connection[Any],
    day: date,
    totals: Iterable[bytes],
    totals_of: Callable[[list[str]], Iterable[bytes]],
    *,
    first_partition: date,
    last_partition: date,
) -> IntakeCounts:
    """Insert who is new and bring the tag totals of everybody else up to date, in one transaction.

    `totals` are the blocks of `tagged_usernames.day_totals` for the day, not yet started: they are read after
    this transaction holds the intake lock. `totals_of` gives the same for the accounts of this cohort that
    the day does not tag any more. New accounts get the cohort of their first tagged day, people's accounts
    the day of their `created_at`, both between the first and the last partition; a cohort is never changed.
    """
    partitions = {"first": first_partition, "last": last_partition}
    with connection.transaction():
        connection.execute("set local statement_timeout = 0")
        connection.execute(_LOCK_INTAKE)
        connection.execute(_STAGE)
        _copy(connection, totals)
        asked = {"day": day.isoformat(), "is_first": day <= first_partition}
        gone = [row[0] for row in connection.execute(_NOT_TAGGED_NOW, asked)]
        if gone:
            _copy(connection, totals_of(gone))
            connection.execute(_TAGGED_NOWHERE, (gone,))
        connection.execute("analyze incoming_totals")
        connection.execute(_MATCH)
        (duplicates,) = _one(connection, _DROP_OTHER_SPELLINGS)
        connection.execute("analyze matched_totals")
        inserted = connection.execute(_INSERT_NEW, partitions).rowcount
        _one(connection, _LOCK_CHANGED)
        updated, adopted = _one(connection, _UPDATE_CHANGED, partitions)
        matched, unusable = _one(connection, _MATCH_COUNTS)
        connection.execute("drop table incoming_totals, matched_totals")
    return IntakeCounts(
        inserted=inserted,
        updated=updated,
        unchanged=matched - updated - unusable,
        adopted=adopted,
        duplicates=duplicates,
        unusable_metadata=unusable,
        rechecked=len(gone),
    )


def adopt(connection: psycopg.Connection[Any], day: date, first: date, last: date) -> int:
    """Give the cohort `day` to every account without one that was created on it, tagged or not.

    The first partition also takes what is older, the last what is younger. Returns how many were adopted.
    """
    bounds = {
        "day": day.isoformat(),
        "start": None if day <= first else datetime.combine(day, time(), UTC),
        "end": None if day >= last else datetime.combine(day + timedelta(days=1), time(), UTC),
    }
    with connection.transaction():
        connection.execute(_LOCK_ADOPTABLE, bounds)
        adopted = connection.execute(_ADOPT, bounds).rowcount
        connection.execute("drop table adopted")
    return adopted


def unadopted_days(connection: psycopg.Connection[Any], first: date, last: date) -> dict[date, int]:
    """How many accounts wait for their cohort, by the day that will adopt them."""
    return dict(connection.execute(_UNADOPTED, {"first": first, "last": last}).fetchall())


def count_unusable_metadata(connection: psycopg.Connection[Any]) -> int:
    """Accounts that no stage can work on, whose metadata can't hold ours without losing something."""
    return int(_one(connection, _UNUSABLE)[0])


def _copy(connection: psycopg.Connection[Any], blocks: Iterable[bytes]) -> None:
    with connection.cursor().copy("copy incoming_totals from stdin") as copy:
        for block in blocks:
            copy.write(block)


def _one(connection: psycopg.Connection[Any], query: str, parameters: Any = None) -> tuple[Any, ...]:
    row = connection.execute(query, parameters).fetchone()
    if row is None:
        raise LookupError("an aggregate returned no row")
    return tuple(row)
