"""Two runs, or a run and a person, on the same rows at the same moment. Each round has databases of its own.

`TWO_AT_ONCE=50` runs that many rounds of each race.
"""

import os
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from entity_pipeline.domains.entities.jobs import enrichment_config
from entity_pipeline.domains.entities.links.undo import undo
from entity_pipeline_tests.databases import ClonedDatabase, DatabaseServer
from entity_pipeline_tests.domains.entities.graph import MONDAY, TUESDAY, Graph, graph
from entity_pipeline_tests.reliability.final_rows import entities, final_rows, paid
from entity_pipeline_tests.reliability.reached import Undisturbed, run_undisturbed, sample

ROUNDS = int(os.environ.get("TWO_AT_ONCE", "1"))
pytestmark = pytest.mark.timeout(max(120, ROUNDS * 40))

NORDVANE = "Nordvane (made up)"
AGAIN = {"ops": {"catalog_links": {"config": {"refresh": "all"}}}}


@pytest.fixture(scope="module")
def undisturbed(database_server: DatabaseServer) -> Undisturbed:
    return run_undisturbed(database_server)


@contextmanager
def two_installations(
    server: DatabaseServer, isolation: str = "read committed"
) -> Iterator[tuple[Graph, Graph]]:
    """Two installations, each with its own stand-ins, on the same two databases.

    `isolation` is what the databases default to.
    """
    with ExitStack() as stack:
        assets_db: ClonedDatabase = stack.enter_context(server.clone("assets"))
        operation_db: ClonedDatabase = stack.enter_context(server.clone("operation"))
        for database in (assets_db, operation_db):
            with database.connection() as connection:
                connection.execute(
                    f"alter database \"{connection.info.dbname}\" set default_transaction_isolation = '{isolation}'"
                )
        first, second = (stack.enter_context(graph(assets_db, operation_db)) for _ in range(2))
        second.pictures.objects = first.pictures.objects
        yield first, second


def at_once(*actions: Callable[[], object]) -> None:
    """All of these from the same moment on; raises what any of them raised."""
    together = threading.Barrier(len(actions))

    def act(action: Callable[[], object]) -> None:
        together.wait()
        action()

    with ThreadPoolExecutor(len(actions)) as threads:
        for future in [threads.submit(act, action) for action in actions]:
            future.result()


def paid_by(*installations: Graph) -> dict[str, int]:
    total: dict[str, int] = {}
    for installation in installations:
        for name, count in paid(installation).items():
            total[name] = total.get(name, 0) + count
    return total


@pytest.mark.parametrize("last", [None, TUESDAY], ids=["the same cohort", "a backfill over the range"])
def test_two_runs_end_as_one_and_pay_each_account_once(
    database_server: DatabaseServer, undisturbed: Undisturbed, last: Any
) -> None:
    for _ in range(ROUNDS):
        with two_installations(database_server) as (first, second):
            sample(first)
            at_once(lambda: first.run_all(MONDAY, last), lambda: second.run_all(MONDAY, TUESDAY))
            assert paid_by(first, second) == undisturbed.paid
            first.run_all(MONDAY, TUESDAY)
            rows = final_rows(first)
            assert [row[0] for row in rows["accounts"]] == [row[0] for row in undisturbed.rows["accounts"]]
            assert rows["entities"] == undisturbed.rows["entities"]
            assert rows["audit"] == undisturbed.rows["audit"]
            assert paid_by(first, second) == undisturbed.paid


@pytest.mark.parametrize("order", ["forwards", "one of them backwards"])
def test_two_intakes_of_the_same_days_make_the_rows_of_one(
    database_server: DatabaseServer, undisturbed: Undisturbed, order: str
) -> None:
    for _ in range(ROUNDS):
        with two_installations(database_server) as (first, second):
            sample(first)

            def backwards(second: Graph = second) -> None:
                for day in (TUESDAY, MONDAY):
                    second.run("intake_job", day)

            other = backwards if order != "forwards" else lambda: second.run("intake_job", MONDAY, TUESDAY)
            at_once(lambda: first.run("intake_job", MONDAY, TUESDAY), other)
            rows = final_rows(first)
            assert rows["tagged"] == undisturbed.rows["tagged"]
            assert [row[0] for row in rows["accounts"]] == [row[0] for row in undisturbed.rows["accounts"]]


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_two_primaries_of_one_brand_in_two_runs_make_one_brand_and_hold_the_other(
    database_server: DatabaseServer, isolation: str
) -> None:
    winners = set()
    for _ in range(ROUNDS):
        with two_installations(database_server, isolation) as (first, second):
            # Otherwise an archive is not taken for the brand's account at all.
            first.settings(evidence_level="supports")
            first.post(MONDAY, "nordvane.madeup")
            first.post(TUESDAY, "nordvane.archive.madeup")
            first.run("intake_job", MONDAY, TUESDAY)
            first.run("enrichment_job", MONDAY, TUESDAY, enrichment_config(10))
            at_once(lambda: first.run("linking_job", MONDAY), lambda: second.run("linking_job", TUESDAY))
            brands = entities(first.operation_db)
            assert [(table, name) for table, name, *_ in brands] == [("brands", NORDVANE)]
            links = {name: value["catalog_link"] for name, value in first.accounts().items()}
            held = [link["reasons"] for link in links.values() if link["status"] == "held"]
            assert sorted(link["status"] for link in links.values()) == ["created", "held"]
            assert held == [["entity_has_other_primary"]]
            winners.add(brands[0][-1])
    assert winners <= {"nordvane.madeup", "nordvane.archive.madeup"}


def test_undo_beside_a_run_takes_back_its_own_and_leaves_no_half_link(
    database_server: DatabaseServer,
) -> None:
    for _ in range(ROUNDS * 2):
        with two_installations(database_server) as (first, second):
            sample(first)
            first.run("intake_job", MONDAY, TUESDAY)
            first.run("enrichment_job", MONDAY, TUESDAY, enrichment_config(100))
            run_id = first.run("linking_job", MONDAY).run_id
            before = {name for name, value in first.accounts().items() if is_linked(value)}

            def take_back(first: Graph = first, run_id: str = run_id) -> None:
                with first.operation_db.connection() as connection:
                    undo(connection, run_id=run_id)

            at_once(take_back, lambda: second.run("linking_job", MONDAY, TUESDAY, AGAIN))
            after = first.accounts()
            # The regional account waited for its primary and was attached by the second run, or undone with it.
            undone = {
                name
                for name, value in after.items()
                if value.get("catalog_link", {}).get("status") == "undone"
            }
            assert before - {"tideloom.kr.madeup"} <= undone
            with first.operation_db.connection() as connection:
                half = connection.execute(
                    "select username, metadata #>> '{entity_enrichment,catalog_link,status}' from instagram_accounts "
                    "where (num_nonnulls(artist_id, brand_id, group_id) > 0) is distinct from "
                    "(metadata #>> '{entity_enrichment,catalog_link,status}' in ('linked', 'created', 'attached')) "
                    "and metadata #> '{entity_enrichment,catalog_link}' is not null"
                ).fetchall()
            assert half == []
            names = [entity[1] for entity in entities(first.operation_db)]
            assert len(names) == len(set(names))
            assert paid(second) == {}


def is_linked(enrichment: dict[str, Any]) -> bool:
    return enrichment.get("catalog_link", {}).get("status") in ("linked", "created", "attached")


class Person:
    """A person in the admin tables who edits what the run is writing, now in one order of rows, now in the other."""

    def __init__(self, database: ClonedDatabase, seed: int) -> None:
        self._connection = psycopg.connect(database.url, prepare_threshold=None)
        self._chance = random.Random(seed)
        self.notes: dict[str, int] = {}
        self.refused = 0

    def edit_until(self, done: threading.Event) -> None:
        """Make one edit after the other until the run is over."""
        number = 0
        while not done.is_set():
            number += 1
            self._edit(self._chance.choice(self._usernames() or ["nobody"]), number)
        self._connection.close()

    def _usernames(self) -> list[str]:
        with self._connection.transaction():
            found = self._connection.execute("select username from instagram_accounts order by 1").fetchall()
        return [row[0] for row in found]

    def _edit(self, username: str, number: int) -> None:
        note = (
            "update instagram_accounts set metadata = coalesce(metadata, '{}') || %s where username = %s returning id",
            [Jsonb({"note": number, f"kept_{number % 3}": True}), username],
        )
        entities = [
            (f"update {table} set metadata = coalesce(metadata, '{{}}') || %s", [Jsonb({"seen": number})])
            for table in ("groups", "brands", "artists")
        ]
        statements = [note, *entities]
        if self._chance.random() < 0.5:
            statements.reverse()
        found = False
        # Who edits many rows in any order may be the one that PostgreSQL breaks off; the run is not to be.
        try:
            with self._connection.transaction():
                for statement, values in statements:
                    changed = self._connection.execute(statement.encode(), values).rowcount
                    found = found or (statement is note[0] and bool(changed))
                    threading.Event().wait(self._chance.choice([0, 0, 0.02, 0.05]))
        except psycopg.errors.DeadlockDetected:
            self.refused += 1
        else:
            if found:
                self.notes[username] = number


def test_a_persons_edits_in_the_middle_of_a_run_survive_and_the_run_does_too(
    database_server: DatabaseServer, undisturbed: Undisturbed
) -> None:
    for round_number in range(ROUNDS):
        with two_installations(database_server) as (first, _):
            sample(first)
            first.run("intake_job", MONDAY, TUESDAY)
            person, done = Person(first.operation_db, round_number), threading.Event()

            def work(first: Graph = first, done: threading.Event = done) -> None:
                try:
                    first.run_all(MONDAY, TUESDAY)
                finally:
                    done.set()

            at_once(work, lambda: person.edit_until(done))  # noqa: B023
            with first.operation_db.connection() as connection:
                notes = dict(
                    connection.execute(
                        "select username, (metadata ->> 'note')::int from instagram_accounts where metadata ? 'note'"
                    ).fetchall()
                )
                connection.execute(
                    "update instagram_accounts set metadata = metadata - array['note', 'kept_0', 'kept_1', 'kept_2']"
                )
            assert person.notes
            assert notes == person.notes
            rows = final_rows(first)
            assert (rows, paid(first)) == (undisturbed.rows, undisturbed.paid)


def test_a_row_that_a_person_holds_while_it_is_linked_is_waited_for_and_their_value_stays(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    with graph(assets_db, operation_db) as installation:
        sample(installation)
        installation.run("intake_job", MONDAY, TUESDAY)
        installation.run("enrichment_job", MONDAY, TUESDAY, enrichment_config(100))
        with psycopg.connect(operation_db.url) as person:
            person.execute(
                "update instagram_accounts set name_en = 'PRADA Milano', metadata = metadata || '{\"mine\": 1}' "
                "where username = 'prada'"
            )
            timer = threading.Timer(1.0, person.commit)
            timer.start()
            installation.run("linking_job", MONDAY, TUESDAY)
            timer.join()
        with operation_db.connection() as connection:
            row = connection.execute(
                "select name_en, metadata -> 'mine', metadata #>> '{entity_enrichment,catalog_link,status}' "
                "from instagram_accounts where username = 'prada'"
            ).fetchone()
        assert row is not None
        assert row[:2] == ("PRADA Milano", 1)
        assert row[2] in ("created", "held")
