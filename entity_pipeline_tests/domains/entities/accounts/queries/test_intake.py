import json
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from threading import Barrier, Event
from typing import Any

import psycopg
import pytest

from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline.domains.entities.accounts.queries import intake as accounts_intake
from entity_pipeline.domains.entities.accounts.queries.intake import (
    IntakeCounts,
    TaggedTotals,
    adopt,
    count_unusable_metadata,
    most_tagged_of_cohort,
    unadopted_days,
    upsert_tagged_accounts,
)
from entity_pipeline_tests.databases import ClonedDatabase

Connection = psycopg.Connection[Any]
FIRST, LAST = date(2026, 10, 1), date(2026, 11, 30)
DAY = date(2026, 11, 1)
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
NOTHING = {"posts": 0, "first_tagged_at": None, "last_tagged_at": None, "sample_posts": []}


def tagging(posts: int = 1, first: date = DAY, last: date | None = None) -> dict[str, Any]:
    return {
        "posts": posts,
        "first_tagged_at": f"{first}T12:00:00.000000Z",
        "last_tagged_at": f"{last or first}T12:00:00.000000Z",
        "sample_posts": ["00000000-0000-0000-0000-000000000001"],
    }


class Totals:
    """Stands for `tagged_usernames`: (username, first day, tagging), as COPY text; records the requested ones."""

    def __init__(self, *rows: tuple[str, date, dict[str, Any]]) -> None:
        self._rows = rows
        self.asked: list[str] = []
        self.run_day = DAY

    def of_the_day(self) -> Iterator[bytes]:
        return self._blocks(self._rows)

    def of(self, day: date, usernames: list[str]) -> Iterator[bytes]:
        self.asked += usernames
        return self._blocks(row for row in self._rows if row[0] in usernames)

    def names(self) -> Iterator[bytes]:
        return iter([f"{row[0]}\n".encode() for row in self._rows])

    def _blocks(self, rows: Iterable[tuple[str, date, dict[str, Any]]]) -> Iterator[bytes]:
        for username, day, tags in rows:
            yield f"{username}\t{self.run_day}\t{day}\t{json.dumps(tags)}\n".encode()


def bring_in(
    connection: Connection, totals: Totals, elsewhere: Totals | None = None, day: date = DAY
) -> IntakeCounts:
    totals.run_day = day
    sources = TaggedTotals(totals.of_the_day, (elsewhere or Totals()).of, lambda _: totals.names())
    return take_in(connection, sources, (day, day))[day]


def take_in(
    connection: Connection, sources: TaggedTotals, days: tuple[date, date] = (DAY, DAY)
) -> dict[date, IntakeCounts]:
    first, last = days
    all_days = [first + timedelta(days=nth) for nth in range((last - first).days + 1)]
    with another(connection) as guard, another(connection) as second:
        return upsert_tagged_accounts(
            guard,
            [connection, second],
            all_days,
            sources,
            lambda _: None,
            first_partition=FIRST,
            last_partition=LAST,
        )


def another(connection: Connection) -> Connection:
    return psycopg.connect(connection.info.dsn, password=connection.info.password, autocommit=True)


def counts(**changed: int) -> IntakeCounts:
    names = ("inserted", "updated", "unchanged", "adopted", "duplicates", "unusable_metadata", "rechecked")
    return IntakeCounts(**{name: changed.get(name, 0) for name in names})


def person_adds(
    connection: Connection, username: str, metadata: Any = None, created_at: datetime = NOON
) -> None:
    connection.execute(
        "insert into instagram_accounts (username, metadata, created_at) values (%s, %s, %s)",
        (username, None if metadata is None else json.dumps(metadata), created_at),
    )


def stored(connection: Connection) -> dict[str, Any]:
    return dict(
        connection.execute("select username, metadata from instagram_accounts order by username").fetchall()
    )


def versions(connection: Connection) -> list[Any]:
    return connection.execute("select id, xmin, updated_at from instagram_accounts order by id").fetchall()


def test_a_new_username_becomes_an_account_of_the_cohort_of_its_first_day(operation: Connection) -> None:
    earlier = date(2026, 10, 20)
    totals = Totals(("nike", DAY, tagging(3)), ("puma", earlier, tagging(2, earlier, DAY)))

    assert bring_in(operation, totals) == counts(inserted=2)
    assert stored(operation) == {
        "nike": {"entity_enrichment": {"cohort": "2026-11-01", "tagging": tagging(3)}},
        "puma": {"entity_enrichment": {"cohort": "2026-10-20", "tagging": tagging(2, earlier, DAY)}},
    }


def test_a_second_run_writes_nothing(operation: Connection) -> None:
    person_adds(operation, "@Puma", {"note": 1})
    totals = Totals(("nike", DAY, tagging()), ("puma", DAY, tagging()))
    assert bring_in(operation, totals) == counts(inserted=1, updated=1, adopted=1)
    before = versions(operation)

    assert bring_in(operation, totals) == counts(unchanged=2)
    assert adopt(operation, DAY, FIRST, LAST).adopted == 0
    assert versions(operation) == before


def test_new_totals_move_tagging_and_never_the_cohort_or_anything_else(operation: Connection) -> None:
    bring_in(operation, Totals(("nike", DAY, tagging(1))))
    operation.execute(
        """update instagram_accounts set metadata = jsonb_set(
            metadata || '{"note": "by hand"}', '{entity_enrichment,gemini_review}', '{"status": "reviewed"}')"""
    )
    earlier = date(2026, 10, 5)

    assert bring_in(operation, Totals(("nike", earlier, tagging(4, earlier, DAY)))) == counts(updated=1)
    assert stored(operation)["nike"] == {
        "note": "by hand",
        "entity_enrichment": {
            "cohort": "2026-11-01",
            "tagging": tagging(4, earlier, DAY),
            "gemini_review": {"status": "reviewed"},
        },
    }


@pytest.mark.parametrize("spelling", ["nike", "Nike", "@nike", " @NIKE ", "@@nike"])
def test_an_account_that_a_person_spelled_differently_is_not_duplicated(
    operation: Connection, spelling: str
) -> None:
    person_adds(operation, spelling)
    assert bring_in(operation, Totals(("nike", DAY, tagging()))) == counts(updated=1, adopted=1)
    assert stored(operation) == {
        spelling: {"entity_enrichment": {"cohort": "2026-11-01", "tagging": tagging()}}
    }


def test_of_several_spellings_the_exact_one_is_taken_or_else_the_oldest(operation: Connection) -> None:
    for username, age in (("@Nike", 9), ("nike", 1), ("@Puma", 1), ("PUMA", 5)):
        person_adds(operation, username, created_at=NOON - timedelta(days=age))
    done = bring_in(operation, Totals(("nike", DAY, tagging()), ("puma", DAY, tagging())))

    assert done == counts(updated=2, adopted=2, duplicates=2)
    assert [name for name, metadata in stored(operation).items() if metadata] == ["PUMA", "nike"]


@pytest.mark.parametrize(
    ("created_at", "cohort"),
    [
        (datetime(2026, 11, 5, 23, 30, tzinfo=UTC), "2026-11-05"),
        (datetime(2019, 1, 1, tzinfo=UTC), "2026-10-01"),
        (datetime(2027, 1, 1, tzinfo=UTC), "2026-11-30"),
    ],
)
def test_an_existing_account_gets_the_cohort_of_its_own_day(
    operation: Connection, created_at: datetime, cohort: str
) -> None:
    person_adds(operation, "nike", created_at=created_at)
    with operation.transaction():
        operation.execute("set local timezone to 'Asia/Seoul'")
        operation.execute("set local datestyle to 'German'")
        assert bring_in(operation, Totals(("nike", DAY, tagging()))).adopted == 1
    assert stored(operation)["nike"]["entity_enrichment"]["cohort"] == cohort


@pytest.mark.parametrize(
    "metadata", [None, {}, {"a": {"b": [1]}}, {"entity_enrichment": None}, {"entity_enrichment": {}}]
)
def test_metadata_of_every_usable_shape_is_merged(operation: Connection, metadata: Any) -> None:
    person_adds(operation, "nike", metadata)
    assert bring_in(operation, Totals(("nike", DAY, tagging()))) == counts(updated=1, adopted=1)
    expected = (metadata or {}) | {"entity_enrichment": {"cohort": "2026-11-01", "tagging": tagging()}}
    assert stored(operation) == {"nike": expected}


def test_json_null_as_metadata_is_empty(operation: Connection) -> None:
    operation.execute("insert into instagram_accounts (username, metadata) values ('nike', 'null')")
    assert bring_in(operation, Totals(("nike", DAY, tagging()))).updated == 1


@pytest.mark.parametrize(
    "metadata", [[1, 2], "text", 7, {"entity_enrichment": "text"}, {"entity_enrichment": [1]}]
)
def test_metadata_that_can_not_hold_ours_is_counted_and_left_alone(
    operation: Connection, metadata: Any
) -> None:
    person_adds(operation, "nike", metadata)
    before = versions(operation)

    assert bring_in(operation, Totals(("nike", DAY, tagging()))) == counts(unusable_metadata=1)
    assert adopt(operation, DAY, FIRST, LAST).adopted == 0
    assert unadopted_days(operation, FIRST, LAST) == {}
    assert count_unusable_metadata(operation) == 1
    assert versions(operation) == before


def test_an_account_whose_tags_are_gone_says_so(operation: Connection) -> None:
    bring_in(
        operation, Totals(("nike", DAY, tagging(2)), ("puma", DAY, tagging(5, DAY, DAY + timedelta(days=3))))
    )
    later = tagging(1, DAY + timedelta(days=3))
    elsewhere = Totals(("puma", DAY + timedelta(days=3), later))

    assert bring_in(operation, Totals(), elsewhere) == counts(updated=2, rechecked=2)
    assert sorted(elsewhere.asked) == ["nike", "puma"]
    assert {name: value["entity_enrichment"]["tagging"] for name, value in stored(operation).items()} == {
        "nike": NOTHING,
        "puma": later,
    }
    before = versions(operation)
    assert bring_in(operation, Totals(), elsewhere) == counts()
    assert versions(operation) == before


def test_accounts_of_other_cohorts_are_not_asked_for(operation: Connection) -> None:
    bring_in(operation, Totals(("nike", DAY, tagging())))
    elsewhere = Totals()
    bring_in(operation, Totals(), elsewhere, day=DAY + timedelta(days=1))
    assert elsewhere.asked == []


def test_a_day_adopts_all_its_accounts_tagged_or_not(operation: Connection) -> None:
    person_adds(operation, "of_the_day", {"note": 1}, NOON)
    person_adds(operation, "day_after", created_at=NOON + timedelta(days=1))
    person_adds(operation, "has_one", {"entity_enrichment": {"cohort": "2026-10-09"}}, NOON)

    assert unadopted_days(operation, FIRST, LAST) == {DAY: 1, DAY + timedelta(days=1): 1}
    assert adopt(operation, DAY, FIRST, LAST).adopted == 1
    assert stored(operation) == {
        "of_the_day": {"note": 1, "entity_enrichment": {"cohort": "2026-11-01"}},
        "day_after": None,
        "has_one": {"entity_enrichment": {"cohort": "2026-10-09"}},
    }
    assert unadopted_days(operation, FIRST, LAST) == {DAY + timedelta(days=1): 1}


def test_the_first_partition_adopts_what_is_older_and_the_last_what_is_younger(operation: Connection) -> None:
    person_adds(operation, "older", created_at=datetime(2019, 1, 1, tzinfo=UTC))
    person_adds(operation, "first", created_at=datetime(2026, 10, 1, 1, tzinfo=UTC))
    person_adds(operation, "younger", created_at=datetime(2030, 1, 1, tzinfo=UTC))

    assert unadopted_days(operation, FIRST, LAST) == {FIRST: 2, LAST: 1}
    assert adopt(operation, FIRST, FIRST, LAST).adopted == 2
    assert adopt(operation, LAST, FIRST, LAST).adopted == 1
    assert unadopted_days(operation, FIRST, LAST) == {}


def test_intake_and_adoption_at_once_cause_neither_duplicates_nor_deadlocks(
    operation_db: ClonedDatabase,
) -> None:
    names = [f"account_{number:03}" for number in range(300)]
    with operation_db.connection() as connection:
        for name in names[::3]:
            person_adds(connection, f"@{name.title()}")
    start = Barrier(4)

    def run(number: int) -> None:
        with operation_db.connection() as connection:
            start.wait()
            for turn in range(4):
                if number == 3:
                    adopt(connection, DAY, FIRST, LAST)
                else:
                    rows = [(name, DAY, tagging(turn + 1)) for name in names]
                    mine = rows[number * 50 :: 1 if turn % 2 else -1]
                    bring_in(connection, Totals(*mine), Totals(*rows))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(run, range(4)))
    with operation_db.connection() as connection:
        result = stored(connection)
    assert len(result) == len(names)
    assert {value["entity_enrichment"]["cohort"] for value in result.values()} == {"2026-11-01"}
    assert {value["entity_enrichment"]["tagging"]["posts"] for value in result.values()} == {4}


def test_totals_are_read_only_after_another_run_has_written_its_own(operation_db: ClonedDatabase) -> None:
    order: list[str] = []
    entered = Barrier(2)

    class Watched(Totals):
        def __init__(self, name: str) -> None:
            super().__init__(("nike", DAY, tagging()))
            self._name = name

        def of_the_day(self) -> Iterator[bytes]:
            order.append(f"{self._name} starts")
            time.sleep(0.3)
            yield from super().of_the_day()
            order.append(f"{self._name} ends")

    def run(name: str) -> None:
        with operation_db.connection() as connection:
            entered.wait()
            bring_in(connection, Watched(name))

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(run, ("one", "two")))
    first = order[0].split()[0]
    second = "two" if first == "one" else "one"
    assert order == [f"{first} starts", f"{first} ends", f"{second} starts", f"{second} ends"]


@pytest.mark.parametrize(("how", "inserted"), [("commit", 2), ("rollback", 3)])
def test_a_person_who_adds_one_of_the_accounts_at_the_same_moment_is_waited_for(
    operation: Connection, how: str, inserted: int
) -> None:
    with another(operation) as person, ThreadPoolExecutor(1) as threads:
        person.execute("begin")
        person_adds(person, "nike")

        def ended() -> None:
            waiting = "select exists (select from pg_stat_activity where pg_backend_pid() = any(pg_blocking_pids(pid)))"
            while person.execute(waiting).fetchone() != (True,):
                time.sleep(0.01)
            person.execute(how)

        ending = threads.submit(ended)
        counts = bring_in(operation, Totals(*((name, DAY, tagging()) for name in ("adidas", "nike", "puma"))))
        ending.result()
    assert counts == IntakeCounts(inserted=inserted)
    assert stored(operation).keys() == {"adidas", "nike", "puma"}


def test_a_write_by_someone_else_in_the_meantime_is_kept(operation: Connection) -> None:
    bring_in(operation, Totals(("nike", DAY, tagging(1))))

    def totals() -> Iterator[bytes]:
        with another(operation) as person:
            person.execute("update instagram_accounts set metadata = metadata || '{\"note\": 1}'")
        yield from Totals(("nike", DAY, tagging(2))).of_the_day()

    take_in(operation, TaggedTotals(totals, Totals().of, lambda _: iter([b"nike\n"])))
    assert stored(operation)["nike"] == {
        "note": 1,
        "entity_enrichment": {"cohort": "2026-11-01", "tagging": tagging(2)},
    }


def test_an_account_of_several_days_counts_on_the_first_of_the_run(operation: Connection) -> None:
    next_day = DAY + timedelta(days=1)
    rows = [
        f"{name}\t{day}\t{day}\t{json.dumps(tagging())}\n".encode()
        for name, day in (("fila", DAY), ("nike", DAY), ("puma", next_day))
    ]
    names = {DAY: [b"fila\n", b"nike\n"], next_day: [b"nike\n", b"puma\n"]}
    sources = TaggedTotals(lambda: iter(rows), Totals().of, lambda day: iter(names[day]))

    assert take_in(operation, sources, (DAY, next_day)) == {
        DAY: counts(inserted=2),
        next_day: counts(inserted=1),
    }
    assert take_in(operation, sources, (DAY, next_day)) == {
        DAY: counts(unchanged=2),
        next_day: counts(unchanged=1),
    }


def test_a_run_in_slices_ends_like_one_in_a_single_piece(
    operation: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    person_adds(operation, "@Name_7")
    totals = Totals(*((f"name_{number}", DAY, tagging(number + 1)) for number in range(20)))
    monkeypatch.setattr(accounts_intake, "SLICE", 3)
    assert bring_in(operation, totals) == counts(inserted=19, updated=1, adopted=1)
    before = versions(operation)
    monkeypatch.setattr(accounts_intake, "SLICE", 1_000)
    assert bring_in(operation, totals) == counts(unchanged=20)
    assert versions(operation) == before
    assert len({str(row[0])[14] for row in before}) == 2  # ids of ours are of version 7


def test_a_run_that_broke_off_in_the_middle_is_finished_by_the_next_one(
    operation: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts_intake, "SLICE", 2)
    all_of_them = Totals(*((f"name_{number}", DAY, tagging()) for number in range(9)))

    def breaking() -> Iterator[bytes]:
        yield from list(all_of_them.of_the_day())[:5]
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        take_in(operation, TaggedTotals(breaking, Totals().of, lambda _: iter(())))
    assert list(stored(operation)) == ["name_0", "name_1", "name_2", "name_3"]
    assert bring_in(operation, all_of_them) == counts(inserted=5, unchanged=4)


def test_a_run_that_lost_its_guard_writes_no_further_slice(
    operation: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts_intake, "SLICE", 1)
    killed = Event()

    def totals() -> Iterator[bytes]:
        rows = list(Totals(("fila", DAY, tagging()), ("nike", DAY, tagging())).of_the_day())
        with another(operation) as person:
            person.execute(
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and mode = 'ExclusiveLock' "
                "and database = (select oid from pg_database where datname = current_database())"
            )
            while person.execute("select from pg_locks where locktype = 'advisory'").rowcount:
                time.sleep(0.01)
        killed.set()
        yield from rows

    # The guard's own loss may be what is raised when its block ends.
    with pytest.raises((DatabaseUnavailable, psycopg.OperationalError)):
        take_in(operation, TaggedTotals(totals, Totals().of, lambda _: iter(())))
    assert killed.is_set()
    assert stored(operation) == {}


def test_the_next_run_waits_for_the_last_slice_of_one_whose_guard_died(operation: Connection) -> None:
    started: list[str] = []

    def totals() -> Iterator[bytes]:
        started.append("reads")
        yield from Totals(("nike", DAY, tagging())).of_the_day()

    with another(operation) as orphan, another(operation) as writer, ThreadPoolExecutor(1) as threads:
        with orphan.transaction():
            orphan.execute(accounts_intake._LOCK_SLICE)
            run = threads.submit(take_in, writer, TaggedTotals(totals, Totals().of, lambda _: iter(())))
            time.sleep(0.3)
            assert started == []
        assert run.result()[DAY] == counts(inserted=1)


def test_the_most_tagged_of_a_cohort_are_shown_whatever_their_metadata_says(operation: Connection) -> None:
    bring_in(operation, Totals(("nike", DAY, tagging(3)), ("puma", DAY, tagging(5))))
    person_adds(operation, "odd", {"entity_enrichment": {"cohort": str(DAY), "tagging": {"posts": "many"}}})
    found = most_tagged_of_cohort(operation, DAY)
    assert [(row["username"], row["posts"]) for row in found] == [("puma", 5), ("nike", 3), ("odd", 0)]
    assert most_tagged_of_cohort(operation, LAST) == []
