"""For any catalog, runs, edits by people and undos: what is left is what people changed, and it is listed.

`UNDO_EXAMPLES=N` raises the number of scenarios.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from entity_pipeline.core.failures import InputRejected
from entity_pipeline.domains.entities.links.logic.undo import REFUSED, UndoReport
from entity_pipeline.domains.entities.links.queries.overtaken import overtaken
from entity_pipeline.domains.entities.links.undo import undo
from entity_pipeline_tests.databases import DatabaseServer
from entity_pipeline_tests.domains.entities.catalog_rows import (
    Connection,
    apply,
    insert,
    insert_account,
    set_columns,
    set_review,
)
from entity_pipeline_tests.reliability.undo_model import (
    LINKS,
    POINTER,
    CatalogModel,
    Cell,
    Left,
    differing,
    snapshot,
)

EXAMPLES = int(os.environ.get("UNDO_EXAMPLES", "25"))
ACCOUNTS = "instagram_accounts"
RUNS = ("run-1", "run-2", "run-3")
TABLES = ("artists", "brands", "groups")
USERNAMES = ("one", "two", "three", "four")

names = st.sampled_from([None, "Alpha", "Beta", "Gamma"])
korean = st.sampled_from([None, None, "알파", "베타"])
some = st.integers(0, 5)  # which of the rows that are there, counted round


def a_review(**changes: Any) -> Any:
    """A review; most accounts of a scenario get one that is certain, so that something is written."""
    fields = {
        "name_en": names,
        "name_ko": korean,
        "account_type": st.sampled_from(["brand", "brand", "artist", "group"]),
        "entity_region_code": st.sampled_from([None, "JP", "KR"]),
        "country_of_origin": st.sampled_from([None, "KR", "FR"]),
    }
    return st.fixed_dictionaries(fields | changes)


primaries = a_review(account_role=st.just("primary"), name_en=st.sampled_from(["Alpha", "Beta", "Gamma"]))
followers = a_review(
    account_role=st.sampled_from(["secondary", "regional"]),
    account_type=st.just("brand"),
    entity_region_code=st.just("JP"),
    primary_username=st.sampled_from(["one", "one", "two"]),
)
odd = a_review(
    account_role=st.sampled_from(["secondary", "primary", "unknown"]),
    account_type=st.sampled_from(["other", "brand", "group"]),
    primary_username=st.sampled_from([None, *USERNAMES]),
    confidence=st.sampled_from([0.97, 0.5]),
)
reviews = st.one_of(primaries, followers, odd)
own_columns = st.fixed_dictionaries(
    {},
    optional={
        "name_en": names,
        "account_type": st.sampled_from(["brand", "unknown", "place"]),
        "entity_ig_role": st.sampled_from(["unknown", "secondary", "primary"]),
        "entity_region_code": st.just("US"),
    },
)
entities = st.fixed_dictionaries(
    {"table": st.sampled_from(TABLES), "name_en": names, "name_ko": korean},
    optional={"image": st.just("https://img.example/theirs.jpg"), "country_of_origin": st.just("FR")},
)
account_edits = st.one_of(
    st.tuples(st.sampled_from(["name_en", "name_ko"]), names),
    st.tuples(st.just("account_type"), st.sampled_from([None, "brand", "artist", "unknown", "other"])),
    st.tuples(st.just("entity_ig_role"), st.sampled_from([None, "primary", "secondary", "unknown"])),
    st.tuples(st.just("entity_region_code"), st.sampled_from([None, "US", "JP"])),
    st.tuples(st.sampled_from(["bio", "display_name"]), names),
    st.tuples(st.just("username"), st.sampled_from(["renamed", *USERNAMES])),
    st.tuples(st.sampled_from(sorted(LINKS)), st.just(None)),
)
entity_edits = st.one_of(
    st.tuples(st.sampled_from(["name_en", "name_ko"]), names),
    st.tuples(st.just("image"), st.sampled_from([None, "https://img.example/p.jpg"])),
    st.tuples(st.just("country_of_origin"), st.sampled_from(["NA", "KR", "IT"])),
    st.tuples(st.just(POINTER), st.just(None)),
)
edits = st.one_of(
    st.tuples(st.just("change account"), some, account_edits),
    st.tuples(st.just("change entity"), some, entity_edits),
    st.tuples(st.just("link"), some, some, st.sampled_from(["primary", "secondary"])),
    st.tuples(st.just("point"), some, some),
    st.tuples(st.just("member"), some, some),
    st.tuples(st.just("note"), some, st.booleans()),
    st.tuples(st.just("delete account"), some),
    st.tuples(st.just("delete entity"), some),
)
targets = st.one_of(
    st.sampled_from([("run", run) for run in RUNS]),
    st.sampled_from([("account", name) for name in USERNAMES]),
)
decisions = st.one_of(
    st.tuples(st.just("decide"), st.sampled_from(RUNS), some),
    st.tuples(st.just("decide all"), st.sampled_from(RUNS)),
    st.tuples(st.just("review"), some, reviews),
)
undos = st.tuples(st.just("undo"), targets)
catalogs = st.fixed_dictionaries(
    {
        "entities": st.lists(entities, max_size=3),
        "accounts": st.tuples(
            st.tuples(primaries, st.just({}), st.booleans()),
            st.tuples(primaries, own_columns, st.booleans()),
            st.tuples(followers, st.just({}), st.just(False)),
            st.tuples(reviews, own_columns, st.booleans()),
        ),
    }
)


@dataclass
class Scenario:
    """One catalog with its model, kept equal after every step."""

    connection: Connection
    catalog: dict[str, Any]
    model: CatalogModel = field(init=False)

    def __post_init__(self) -> None:
        for columns in self.catalog["entities"]:
            table, image = columns["table"], columns.get("image")
            values = {name: value for name, value in columns.items() if name not in ("table", "image")}
            if table != "brands":
                values.pop("country_of_origin", None)
            insert(self.connection, table, **values, **({image_of(table): image} if image else {}))
        for username, (review, columns, pictured) in zip(USERNAMES, self.catalog["accounts"], strict=False):
            image = f"https://img.example/{username}.jpg" if pictured else None
            insert_account(self.connection, username, image=image, columns=columns, **review)
        self.model = CatalogModel(snapshot(self.connection))

    def step(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("decide", run, number):
                if account := self.account(number):
                    self.decide(run, account)
            case ("decide all", run):
                for account in self.ids(ACCOUNTS):
                    self.decide(run, account)
                for account in overtaken(self.connection):
                    self.decide(run, account)
            case ("review", number, review):
                if account := self.account(number):
                    set_review(self.connection, account, **review)
            case ("undo", target):
                self.undo(target)
            case _:
                with suppress(psycopg.IntegrityError), self.connection.transaction():
                    self.edit(step)
                self.model.edited(snapshot(self.connection))

    def decide(self, run: str, account: UUID) -> None:
        event(f"decided: {apply(self.connection, account, run).outcome.value}")
        self.model.wrote(run, str(account), snapshot(self.connection))

    def edit(self, step: tuple[Any, ...]) -> None:
        """What a person does in the catalog's screens."""
        match step:
            case ("change account", number, (column, value)):
                self.change(ACCOUNTS, self.account(number), column, value)
            case ("change entity", number, (column, value)):
                table, entity = self.entity(number)
                if column != "country_of_origin" or table == "brands":
                    self.change(table, entity, image_of(table) if column == "image" else column, value)
            case ("link", number, other, role):
                table, entity = self.entity(other)
                link = next(column for column, linked in LINKS.items() if linked == table)
                if account := self.account(number):
                    set_columns(self.connection, ACCOUNTS, account, **{link: entity, "entity_ig_role": role})
            case ("point", number, other):
                table, entity = self.entity(number)
                self.change(table, entity, POINTER, self.account(other))
            case ("member", number, other):
                groups, artists = self.ids("groups"), self.ids("artists")
                if groups and artists:
                    pair = [groups[number % len(groups)], artists[other % len(artists)]]
                    self.connection.execute(
                        "insert into group_members (group_id, artist_id) values (%s, %s)", pair
                    )
            case ("note", number, of_entity):
                table, row = self.entity(number) if of_entity else (ACCOUNTS, self.account(number))
                self.connection.execute(
                    f"update {table} set metadata = metadata || %s where id = %s", [Jsonb({"by": "us"}), row]
                )
            case ("delete account", number):
                self.delete(ACCOUNTS, self.account(number))
            case ("delete entity", number):
                self.delete(*self.entity(number))

    def change(self, table: str, row: UUID | None, column: str, value: Any) -> None:
        if row is not None:
            set_columns(self.connection, table, row, **{column: value})

    def delete(self, table: str, row: UUID | None) -> None:
        self.connection.execute(f"delete from {table} where id = %s", [row])

    def undo(self, target: tuple[str, str]) -> Left:
        """Undo, and compare every column and every line of the report with the model."""
        kind, name = target
        try:
            report = (
                undo(self.connection, run_id=name) if kind == "run" else undo(self.connection, username=name)
            )
        except InputRejected:
            report = UndoReport()
        listed = [(kept.table, str(kept.target_id), kept.column) for kept in report.kept]
        expected = self.model.undo(self.wanted(target), self.refused(report))
        event(f"undo kept: {min(len(expected), 5)}")
        event(f"undo removed: {len(report.removed)}")
        now = snapshot(self.connection)
        assert differing(self.model.rows, now) == set(), report
        assert set(listed) == expected, report
        return expected

    def wanted(self, target: tuple[str, str]) -> Any:
        kind, name = target
        if kind == "run":
            return lambda write: write.run == name
        return lambda write: write.account in self.accounts_named(name)

    def accounts_named(self, name: str) -> set[str]:
        query = (
            "select id::text from instagram_accounts where username = %(name)s union "
            "select metadata ->> 'account_id' from admin_audit_log where metadata ->> 'account' = %(name)s"
        )
        return {row[0] for row in self.connection.execute(query, {"name": name})}

    def refused(self, report: UndoReport) -> frozenset[Cell]:
        """Columns that the report calls refused; each is tried, and the database must really refuse."""
        found = set()
        for kept in report.kept:
            if kept.why == REFUSED and kept.column is not None:
                cell = (kept.table, str(kept.target_id), kept.column)
                earlier = {kept.column: self.model.writes[cell][-1].before}
                with pytest.raises(psycopg.IntegrityError), self.connection.transaction():
                    set_columns(self.connection, kept.table, kept.target_id, **earlier)
                found.add(cell)
        return frozenset(found)

    def ids(self, table: str) -> list[UUID]:
        order = "username" if table == ACCOUNTS else "name_en, name_ko, created_at, id"
        return [row[0] for row in self.connection.execute(f"select id from {table} order by {order}")]

    def account(self, number: int) -> UUID | None:
        found = self.ids(ACCOUNTS)
        return found[number % len(found)] if found else None

    def entity(self, number: int) -> tuple[str, UUID | None]:
        found = [(table, row) for table in TABLES for row in self.ids(table)]
        return found[number % len(found)] if found else ("brands", None)


def image_of(table: str) -> str:
    return "logo_image_url" if table == "brands" else "profile_image_url"


@pytest.fixture(scope="module")
def connection(database_server: DatabaseServer) -> Iterator[Connection]:
    with database_server.clone("operation") as database, database.connection() as opened:
        yield opened


@contextmanager
def emptied(connection: Connection) -> Iterator[None]:
    """A catalog without rows. Decisions make their own transactions, so nothing around them can be rolled back."""
    for table in ("group_members", "admin_audit_log", ACCOUNTS, "artists", "brands", "groups"):
        connection.execute(f"delete from {table}")
    yield


many = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@many
@given(
    catalog=catalogs,
    steps=st.lists(st.one_of(decisions, decisions, edits, undos), max_size=14),
    last=st.lists(targets, max_size=3),
)
def test_an_undo_takes_back_what_is_ours_and_lists_the_rest(
    connection: Connection, catalog: dict[str, Any], steps: list[Any], last: list[Any]
) -> None:
    with emptied(connection):
        scenario = Scenario(connection, catalog)
        scenario.step(("decide all", "run-1"))
        for step in steps:
            scenario.step(step)
        for target in [*last, *last]:
            scenario.undo(target)


@many
@given(
    catalog=catalogs,
    steps=st.lists(decisions, max_size=8),
    order=st.permutations(RUNS),
    by_name=st.booleans(),
)
def test_without_changes_by_people_the_catalog_is_as_before(
    connection: Connection, catalog: dict[str, Any], steps: list[Any], order: list[str], by_name: bool
) -> None:
    with emptied(connection):
        scenario = Scenario(connection, catalog)
        before = snapshot(connection)
        scenario.step(("decide all", "run-1"))
        for step in steps:
            scenario.step(step)
        goals = [("account", name) for name in USERNAMES] if by_name else [("run", run) for run in order]
        kept: Left = set()
        for _ in range(2):
            kept = set().union(*(scenario.undo(goal) for goal in goals))
        assert differing(before, snapshot(connection)) == set()
        assert kept == set()


@many
@given(catalog=catalogs, steps=st.lists(edits, min_size=1, max_size=6))
def test_after_one_run_what_differs_is_what_people_changed_and_is_listed(
    connection: Connection, catalog: dict[str, Any], steps: list[Any]
) -> None:
    with emptied(connection):
        scenario = Scenario(connection, catalog)
        before = snapshot(connection)
        scenario.step(("decide all", "run-1"))
        ours = snapshot(connection)
        for step in steps:
            scenario.step(step)
        changed = differing(ours, snapshot(connection))
        kept = scenario.undo(("run", "run-1"))
        left = differing(before, snapshot(connection))
        written = differing(before, ours)
        # A created row that stays differs as a whole, and what keeps it is listed.
        assert {item for item in left if item in written and item[2]} <= kept
        assert {item[:2] for item in left & written} <= {item[:2] for item in kept}
        assert {item for item in left - written if item[2]} <= changed
