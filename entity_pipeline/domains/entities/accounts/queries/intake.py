"""Bring tagged usernames into `instagram_accounts`, and give every account its cohort.

Rows made by people may spell a username ``@Nike``: accounts are matched by handle, never by the column alone, and
their own keys of `metadata` are never touched. Metadata that can't hold our keys without losing its content (an array,
a plain string) is left alone and counted.

One run works slice by slice, each in its own transaction, so that other writers never wait long for a row, and writes
as many slices at once as it was given connections. Two runs are kept apart by a lock that another connection, the
guard, holds for the whole run.
"""

import secrets
import time as clock
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import islice
from typing import Any

import psycopg
from psycopg.rows import dict_row

from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.core.streams import each_with_any, read_ahead
from entity_pipeline.domains.entities.accounts.queries.account_facts import AS_LISTED_WHEN_NEW
from entity_pipeline.domains.entities.accounts.queries.enrichment_metadata import USABLE, merged
from entity_pipeline.shared.database.refusals import in_parts, is_refusal, said_by

SLICE = 20_000
"""Accounts per transaction: about 5 MB in memory, and at most a second of waiting for other writers."""

# Reading totals and writing them must not interleave with another run's: the older totals could win. The guard
# holds the first; a slice holds the second, shared, while it checks that the guard still has the first.
_LOCK_RUN = "select pg_advisory_xact_lock(hashtextextended('instagram_accounts intake', 0)), pg_backend_pid()"
_LOCK_SLICE = "select pg_advisory_xact_lock_shared(hashtextextended('instagram_accounts intake, a slice', 0))"
_WAIT_FOR_SLICES = "select pg_advisory_xact_lock(hashtextextended('instagram_accounts intake, a slice', 0))"
_IS_GUARDED = """
    select exists (
        select from pg_locks cross join (select hashtextextended('instagram_accounts intake', 0) as key) as run
        where locktype = 'advisory' and granted and pid = %s and objsubid = 1 and mode = 'ExclusiveLock'
          and database = (select oid from pg_database where datname = current_database())
          and classid = ((key >> 32) & 4294967295)::oid and objid = (key & 4294967295)::oid)
"""

# Must equal the expressions of the indexes entity_pipeline_accounts_handle and entity_pipeline_accounts_cohort.
_HANDLE = "lower(ltrim(btrim(account.username), '@'))"
_COHORT = "account.metadata #>> '{entity_enrichment,cohort}'"

_OWN_DAY = "least(greatest((account.created_at at time zone 'UTC')::date, %(first)s::date), %(last)s::date)"

# `tagging` stays text: for a new account it is parsed once, as part of its metadata.
_STAGE = """
    create temp table incoming_totals (username text, run_day date, first_day date, tagging text) on commit drop
"""
_NEEDS_WRITE = f"""(
    {USABLE} and ({_COHORT} is null
        or account.metadata #> '{{entity_enrichment,tagging}}' is distinct from new.tagging::jsonb)
)"""
# A slice follows the order of the index; a join planned by size would read all accounts for each slice. So nothing
# depends on statistics of the stage, whose analysis would take as long as everything else.
_BY_INDEX = "set local enable_hashjoin = off; set local enable_mergejoin = off"
_BY_SIZE = "set local enable_hashjoin to default; set local enable_mergejoin to default"
# Of several accounts with one handle, the one with the exact spelling is taken, else the oldest.
_MATCH = f"""
    create temp table matched_totals on commit drop as
    select account.id, new.username, new.run_day, new.tagging::jsonb as tagging,
           {USABLE} as is_usable, {_NEEDS_WRITE} as needs_write,
           row_number() over (
               partition by new.username order by account.username = new.username desc, account.created_at, account.id
           ) as choice
    from incoming_totals as new join instagram_accounts as account on {_HANDLE} = new.username
"""
_DROP_OTHER_SPELLINGS = """
    with dropped as (delete from matched_totals where choice > 1 returning run_day, choice)
    select run_day, count(*) from dropped where choice = 2 group by 1
"""
_IS_NEW = "first_day is not null and username not in (select username from matched_totals)"


def _insert_new(on_conflict: str) -> str:
    # Ids in order of time (version 7 uuids, incremented within the slice) go to the end of every index on them.
    return f"""
    copy (
        insert into instagram_accounts as account (id, username, metadata)
        select (%(clock)s || '7' || lpad(to_hex(nth >> 4), 3, '0') || '8' || to_hex(nth & 15) || '00'
                || %(random)s)::uuid,
            username, ('{{"entity_enrichment": {{"cohort": "' || to_char(
                least(greatest(first_day, %(first)s::date), %(last)s::date), 'YYYY-MM-DD')
                || '", "tagging": ' || tagging || '}}}}')::jsonb
        from (
            select *, row_number() over (order by username) as nth from incoming_totals where {_IS_NEW}
        ) as new
        order by username
        {on_conflict}
        returning {AS_LISTED_WHEN_NEW}
    ) to stdout
"""


_INSERT_NEW = _insert_new("")
_INSERT_NEW_UNLESS_THERE = _insert_new("on conflict do nothing")
_NEW = f"select run_day, count(*)::int from incoming_totals as new where {_IS_NEW}"
_NEW_OF_OURS = """
    and exists (select from instagram_accounts as account
                where account.username = new.username and account.xmin = pg_current_xact_id()::xid)
"""
# Locked in order of id first: an UPDATE takes its rows in any order, and two could wait for each other.
_LOCK_CHANGED = """
    with locked as (
        select account.id from instagram_accounts as account join matched_totals as new on new.id = account.id
        where new.needs_write order by account.id for update of account
    )
    select count(*) from locked
"""
_WITH_TOTALS = merged(
    "jsonb_build_object('tagging', before.tagging,"
    " 'cohort', coalesce(before.cohort, to_jsonb(before.own_day) #>> '{}'))"
)
# OFFSET 0: the planner takes usable metadata for rare, and would look through all accounts for each.
_UPDATE_CHANGED = f"""
    with before as (
        select account.id, {_COHORT} as cohort, {_OWN_DAY} as own_day, new.tagging, new.run_day
        from matched_totals as new
            cross join lateral (select * from instagram_accounts where id = new.id offset 0) as account
        where new.needs_write and {_NEEDS_WRITE}
    ), written as (
        update instagram_accounts as account set metadata = {_WITH_TOTALS}
        from before where before.id = account.id
        returning before.run_day, before.cohort is null as adopted
    )
    select run_day, count(*), count(*) filter (where adopted) from written group by 1
"""
_MATCH_COUNTS = """
    select run_day, count(id), count(id) filter (where not is_usable) from matched_totals group by 1
"""
_HAS_COHORT = f"select exists (select from instagram_accounts as account where {_COHORT} = %s)"
_STAGE_NAMES = "create temp table tagged_now (username text) on commit drop"
# Accounts of this cohort that were, or may have been, tagged on this day before and are no longer.
_NOT_TAGGED_NOW = f"""
    select {_HANDLE} from instagram_accounts as account
    where {_COHORT} = %(day)s
      and left(account.metadata #>> '{{entity_enrichment,tagging,first_tagged_at}}', 10) <= %(day)s
      and (left(account.metadata #>> '{{entity_enrichment,tagging,last_tagged_at}}', 10) >= %(day)s
           or %(is_first)s)
      and not exists (select from tagged_now as new where new.username = {_HANDLE})
"""
_TAGGED_NOWHERE = """
    insert into incoming_totals (username, tagging)
    select gone.username, '{"posts": 0, "first_tagged_at": null, "last_tagged_at": null, "sample_posts": []}'
    from unnest(%s::text[]) as gone (username)
    where not exists (select from incoming_totals as found where found.username = gone.username)
"""
_MOST_TAGGED = f"""
    select username, {_COHORT} as cohort, posts, is_active from (
        select account.username, account.metadata, account.is_active,
               case when jsonb_typeof(account.metadata #> '{{entity_enrichment,tagging,posts}}') = 'number'
                    then least(greatest((account.metadata #>> '{{entity_enrichment,tagging,posts}}')::numeric, 0),
                               1000000000)::int
                    else 0 end as posts
        from instagram_accounts as account where {_COHORT} = %s
    ) as account
    order by posts desc, username limit 20
"""
_ADOPTABLE = f"""
    instagram_accounts as account
    where {_COHORT} is null and {USABLE}
      and (account.created_at >= %(start)s or %(start)s::timestamptz is null)
      and (account.created_at < %(end)s or %(end)s::timestamptz is null)
"""
_LOCK_ADOPTABLE = f"""
    create temp table adopted on commit drop as
    select account.id from {_ADOPTABLE} order by account.id for update
"""
_ADOPT = f"""
    update instagram_accounts as account set metadata = {merged("jsonb_build_object('cohort', %(day)s::text)")}
    from adopted where adopted.id = account.id
"""
_ADOPTABLE_ONES = f"select account.id, account.username from {_ADOPTABLE} order by account.id"
_ADOPT_SOME = f"""
    update instagram_accounts as account set metadata = {merged("jsonb_build_object('cohort', %(day)s::text)")}
    where account.id = any(%(ids)s) and {_COHORT} is null and {USABLE}
"""
_UNADOPTED = f"""
    select {_OWN_DAY}, count(*) from instagram_accounts as account
    where {_COHORT} is null and {USABLE}
    group by 1 order by 1
"""
_UNUSABLE = f"select count(*) from instagram_accounts as account where not {USABLE}"


@dataclass(slots=True)
class IntakeCounts:
    """The results for the usernames of one day; in a run over several days each counts on the first that tags it.

    `updated` had other totals or no cohort, and `adopted` of them got their cohort here; `duplicates` are usernames
    with several accounts, of which one was taken; `unusable_metadata` could not be written; `rechecked` are accounts
    of the cohort that the day does not tag or no longer tags, whose totals were read again. `refused` has the
    database's message for each username that it does not take; another try comes with the next run.
    """

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    adopted: int = 0
    duplicates: int = 0
    unusable_metadata: int = 0
    rechecked: int = 0
    refused: dict[str, str] = field(default_factory=dict)

    def add(self, other: "IntakeCounts") -> None:
        """Sum over several slices."""
        for count in fields(self):
            mine, theirs = getattr(self, count.name), getattr(other, count.name)
            setattr(self, count.name, mine | theirs if count.name == "refused" else mine + theirs)

    def refuse(self, username: str, error: psycopg.Error) -> None:
        """Note a username that the database does not take."""
        self.refused[username] = said_by(error)


@dataclass(frozen=True, slots=True)
class TaggedTotals:
    """Reads totals over all days as rows of COPY text; each reading starts only when it is needed.

    A row of `of_run` and `of` is a username, the day of the run that it counts on, its first day and the account's
    `tagging` as JSON. `of_run` gives all usernames tagged on the days of the run, `of` the given usernames (each
    counts on the day it is requested for), `names_on` only the usernames of a day.
    """

    of_run: Callable[[], Iterator[bytes]]
    of: Callable[[date, list[str]], Iterator[bytes]]
    names_on: Callable[[date], Iterator[bytes]]


def upsert_tagged_accounts(
    guard: psycopg.Connection[Any],
    writers: Sequence[psycopg.Connection[Any]],
    days: Sequence[date],
    totals: TaggedTotals,
    list_new: Callable[[list[bytes]], None],
    *,
    check_schema: Callable[[psycopg.Connection[Any]], object] = lambda _: None,
    first_partition: date,
    last_partition: date,
) -> dict[date, IntakeCounts]:
    """Insert new accounts and update the tag totals of the others, for all usernames tagged on `days`.

    `guard` and `writers` are distinct connections to the database. New accounts get the cohort of their first tagged
    day, accounts made by people that of their `created_at`, both between the first and the last partition; a cohort is
    never changed. If interrupted, it has written some slices; the next run writes the others. `list_new` gets the new
    accounts of a slice once they are committed (`queue_rows.list_new`), from any thread. `check_schema` is called when
    the database refuses a row, and raises if that is not the row's fault; else only that row is left out.

    Raises:
        DatabaseUnavailable: the guard was lost; the current slice is not written.
        SchemaMismatch: the schema refuses every such row.
    """
    partitions = {"first": first_partition, "last": last_partition}
    counts = {day: IntakeCounts() for day in days}
    writer = writers[0]
    with _guarded(guard, writer) as guard_pid:
        grown = [day for day in counts if _one(writer, _HAS_COHORT, (day.isoformat(),)) == (True,)]
        with read_ahead(_slices(totals.of_run())) as slices:

            def write_all(writer: psycopg.Connection[Any], rows: bytes) -> dict[date, IntakeCounts]:
                with _slice(writer, guard_pid):
                    _copy(writer, "incoming_totals", [rows])
                    written, new = _write(writer, partitions)
                list_new(new)
                return written

            def write(writer: psycopg.Connection[Any], rows: bytes) -> dict[date, IntakeCounts]:
                try:
                    return write_all(writer, rows)
                except psycopg.Error as error:
                    if not is_refusal(error):
                        raise
                check_schema(writer)
                written: defaultdict[date, IntakeCounts] = defaultdict(IntakeCounts)

                def refused(row: bytes, error: psycopg.Error) -> None:
                    username, day, *_ = row.decode().split("\t")
                    written[date.fromisoformat(day)].refuse(username, error)

                of_parts = partial(write_all, writer)
                lines = rows.splitlines(keepends=True)
                for part in in_parts(lines, lambda some: of_parts(b"".join(some)), refused):
                    for day, counted in part.items():
                        written[day].add(counted)
                return written

            for written in each_with_any(writers, slices, write):
                for day, of_slice in written.items():
                    counts[day].add(of_slice)
        for day in grown:
            with _slice(writer, guard_pid):
                gone = _not_tagged_now(writer, day, totals, is_first=day <= first_partition)
            counts[day].rechecked = len(gone)
            recheck = partial(_recheck, writer, guard_pid, day, totals, partitions)
            for of_part in in_parts(gone, recheck, counts[day].refuse) if gone else ():
                counts[day].add(of_part)
    return counts


def _recheck(
    writer: psycopg.Connection[Any],
    guard_pid: int,
    day: date,
    totals: TaggedTotals,
    partitions: dict[str, Any],
    names: Sequence[str],
) -> IntakeCounts:
    """Write the totals of usernames that the day does not tag or no longer tags."""
    counted = IntakeCounts()
    with _slice(writer, guard_pid):
        _copy(writer, "incoming_totals", totals.of(day, list(names)))
        writer.execute(_TAGGED_NOWHERE, (list(names),))
        writer.execute("update incoming_totals set run_day = %s", (day,))
        # An account that was deleted in the meantime is inserted again; the next sweep lists it.
        for of_day in _write(writer, partitions)[0].values():
            counted.add(of_day)
    return counted


@contextmanager
def _guarded(guard: psycopg.Connection[Any], writer: psycopg.Connection[Any]) -> Iterator[int]:
    """Keep other runs out until the end of the block; yields the process id of the guard."""
    with guard.transaction():
        guard.execute("set local statement_timeout = 0")
        guard.execute("set local idle_in_transaction_session_timeout = 0")
        _, pid = _one(guard, _LOCK_RUN)
        # A run whose guard died may be at its last slice.
        writer.execute(_WAIT_FOR_SLICES)
        yield pid


@contextmanager
def _slice(connection: psycopg.Connection[Any], guard_pid: int) -> Iterator[None]:
    """One transaction with an empty stage for totals, during which no other run starts to read."""
    with connection.transaction():
        connection.execute("set local statement_timeout = 0")
        connection.execute("set local work_mem = '32MB'")
        connection.execute(_LOCK_SLICE)
        if _one(connection, _IS_GUARDED, (guard_pid,)) != (True,):
            raise DatabaseUnavailable(
                "The connection that kept other runs of instagram_accounts out was lost: run it again."
            )
        with _staged(connection):
            yield


@contextmanager
def _staged(connection: psycopg.Connection[Any]) -> Iterator[None]:
    connection.execute(_STAGE)
    yield
    connection.execute("drop table incoming_totals")


def write_totals(
    connection: psycopg.Connection[Any], rows: bytes, first_partition: date, last_partition: date
) -> None:
    """Write rows of COPY text as a run writes a slice, in the open transaction and without keeping other runs out."""
    with _staged(connection):
        _copy(connection, "incoming_totals", [rows])
        _write(connection, {"first": first_partition, "last": last_partition})


def _write(
    connection: psycopg.Connection[Any], partitions: dict[str, Any]
) -> tuple[dict[date, IntakeCounts], list[bytes]]:
    """Write one slice; returns the counts, and the new accounts as rows of the list."""
    counts: defaultdict[date, IntakeCounts] = defaultdict(IntakeCounts)
    connection.execute(_BY_INDEX)
    connection.execute(_MATCH)
    for day, duplicates in connection.execute(_DROP_OTHER_SPELLINGS):
        counts[day].duplicates += duplicates
    ids = {"clock": f"{clock.time_ns() // 1_000_000:012x}", "random": secrets.token_hex(6)}
    try:
        with connection.transaction():
            new = _inserted(connection, _INSERT_NEW, partitions | ids)
        of_ours = ""
    except psycopg.errors.UniqueViolation:
        # Another writer inserted one of them at the same moment. Expecting that for every row takes a fifth longer.
        new = _inserted(connection, _INSERT_NEW_UNLESS_THERE, partitions | ids)
        of_ours = _NEW_OF_OURS
    inserted = dict(connection.execute(f"{_NEW} {of_ours} group by 1").fetchall())
    for day, accounts in inserted.items():
        counts[day].inserted += accounts
    changed: Counter[date] = Counter()
    if _one(connection, _LOCK_CHANGED) != (0,):
        for day, updated, adopted in connection.execute(_UPDATE_CHANGED, partitions):
            counts[day].updated += updated
            counts[day].adopted += adopted
            changed[day] = updated
    for day, matched, unusable in connection.execute(_MATCH_COUNTS):
        counts[day].unusable_metadata += unusable
        counts[day].unchanged += matched - unusable - changed[day]
    connection.execute("drop table matched_totals")
    return counts, [row.removeprefix(b"t\t") for row in new if row.startswith(b"t")]


def _inserted(connection: psycopg.Connection[Any], statement: str, parameters: Any) -> list[bytes]:
    with connection.cursor() as cursor, cursor.copy(statement, parameters) as copy:
        return [bytes(row) for row in copy]


def _not_tagged_now(
    connection: psycopg.Connection[Any], day: date, totals: TaggedTotals, *, is_first: bool
) -> list[str]:
    connection.execute(_STAGE_NAMES)
    _copy(connection, "tagged_now", totals.names_on(day))
    connection.execute(_BY_SIZE)
    connection.execute("analyze tagged_now")
    asked = {"day": day.isoformat(), "is_first": is_first}
    gone = [row[0] for row in connection.execute(_NOT_TAGGED_NOW, asked)]
    connection.execute("drop table tagged_now")
    return gone


def _slices(rows: Iterator[bytes]) -> Generator[bytes, None, None]:
    while joined := b"".join(islice(rows, SLICE)):
        yield joined


def most_tagged_of_cohort(connection: psycopg.Connection[Any], day: date) -> list[dict[str, Any]]:
    """The 20 most-tagged accounts of the cohort, for a report."""
    return connection.cursor(row_factory=dict_row).execute(_MOST_TAGGED, (day.isoformat(),)).fetchall()


def adopt(connection: psycopg.Connection[Any], day: date, first: date, last: date) -> IntakeCounts:
    """Give the cohort `day` to every account without one that was created on it, tagged or not.

    The first partition also takes older accounts, the last one younger ones.
    """
    bounds = {
        "day": day.isoformat(),
        "start": None if day <= first else datetime.combine(day, time(), UTC),
        "end": None if day >= last else datetime.combine(day + timedelta(days=1), time(), UTC),
    }
    try:
        with connection.transaction():
            connection.execute(_LOCK_ADOPTABLE, bounds)
            adopted = connection.execute(_ADOPT, bounds).rowcount
            connection.execute("drop table adopted")
        return IntakeCounts(adopted=adopted)
    except psycopg.Error as error:
        if not is_refusal(error):
            raise
    counts = IntakeCounts()
    accounts = connection.execute(_ADOPTABLE_ONES, bounds).fetchall()

    def adopt_some(some: Sequence[tuple[Any, ...]]) -> int:
        ids = [account_id for account_id, _ in some]
        return connection.execute(_ADOPT_SOME, {"day": day.isoformat(), "ids": ids}).rowcount

    adopted_parts = in_parts(accounts, adopt_some, lambda account, error: counts.refuse(account[1], error))
    counts.adopted = sum(adopted_parts) if accounts else 0
    return counts


def unadopted_days(connection: psycopg.Connection[Any], first: date, last: date) -> dict[date, int]:
    """How many accounts wait for their cohort, by the day that will adopt them."""
    return dict(connection.execute(_UNADOPTED, {"first": first, "last": last}).fetchall())


def count_unusable_metadata(connection: psycopg.Connection[Any]) -> int:
    """The number of accounts that no stage can work on, because their metadata can't hold our keys."""
    return int(_one(connection, _UNUSABLE)[0])


def _copy(connection: psycopg.Connection[Any], table: str, blocks: Iterable[bytes]) -> None:
    with connection.cursor().copy(f"copy {table} from stdin".encode()) as copy:
        for block in blocks:
            copy.write(block)


def _one(connection: psycopg.Connection[Any], query: str, parameters: Any = None) -> tuple[Any, ...]:
    row = connection.execute(query, parameters).fetchone()
    if row is None:
        raise LookupError("an aggregate returned no row")
    return tuple(row)
