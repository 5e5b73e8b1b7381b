"""An undo that is killed after any statement, and an undo of a run of the whole graph."""

from typing import Any

import psycopg
import pytest

from entity_pipeline.domains.entities.jobs import enrichment_config
from entity_pipeline.domains.entities.links.undo import undo
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.catalog_rows import (
    Connection,
    apply,
    insert,
    insert_account,
    set_columns,
)
from entity_pipeline_tests.domains.entities.graph import MONDAY, graph
from entity_pipeline_tests.reliability.undo_model import Snapshot, snapshot

FOLLOWER = {"account_role": "secondary", "name_en": "Follower"}


class Killed(Exception):
    """The process is gone; the server rolls back what was open."""


class MortalCursor(psycopg.Cursor[Any]):
    """Ends its connection after one statement of all that go through it."""

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        result = super().execute(*args, **kwargs)
        connection = self.connection
        assert isinstance(connection, MortalConnection)
        connection.lives -= 1
        if connection.lives == 0:
            connection.close()
            raise Killed
        return result


class MortalConnection(psycopg.Connection[Any]):
    """Lives for so many statements."""

    lives = 0


def a_run_with_everything(connection: Connection) -> Snapshot:
    """Created, linked, attached and classified accounts, a later run upon them and a person's edits.

    Returns what must be left when the first run is undone.
    """
    connection.execute("truncate instagram_accounts, artists, brands, groups, admin_audit_log cascade")
    known = insert(connection, "brands", name_en="Known")
    accounts = {
        "new": insert_account(connection, "new", name_en="New", name_ko=None),
        "known": insert_account(
            connection, "known", name_en="Known", name_ko="알려진", country_of_origin="KR"
        ),
        "other": insert_account(connection, "other", name_en="Media", name_ko=None, account_type="other"),
        "first": insert_account(connection, "first", primary_username="new", **FOLLOWER),
        "later": insert_account(connection, "later", primary_username="known", **FOLLOWER),
    }
    before = snapshot(connection)
    for name in ("first", "new", "known", "other", "first"):
        apply(connection, accounts[name], "run-1")
    apply(connection, accounts["later"], "run-2")
    later = snapshot(connection)["instagram_accounts", str(accounts["later"])]
    set_columns(connection, "brands", known, name_ko="사람")
    set_columns(connection, "instagram_accounts", accounts["other"], account_type="place")
    expected = {row: dict(columns) for row, columns in before.items()}
    expected["instagram_accounts", str(accounts["later"])] = later
    expected["brands", str(known)]["name_ko"] = "사람"
    expected["instagram_accounts", str(accounts["other"])]["account_type"] = "place"
    return expected


def undo_within(database: ClonedDatabase, lives: int) -> int:
    """Undo the first run with a connection that dies after so many statements; returns what was left of them."""
    with MortalConnection.connect(database.url, autocommit=True, cursor_factory=MortalCursor) as connection:
        connection.lives = lives
        undo(connection, run_id="run-1")
        return connection.lives


def test_killed_after_any_statement_and_repeated_it_ends_as_if_undisturbed(
    operation_db: ClonedDatabase,
) -> None:
    with operation_db.connection() as connection:
        expected = a_run_with_everything(connection)
        plenty = 10_000
        statements = plenty - undo_within(operation_db, plenty)
        assert snapshot(connection) == expected
        trail = trail_of(connection)
        assert statements > 40
        for lives in range(1, statements + 1):
            expected = a_run_with_everything(connection)
            with pytest.raises(Killed):
                undo_within(operation_db, lives)
            undo(connection, run_id="run-1")
            assert snapshot(connection) == expected, lives
            assert trail_of(connection) == trail, lives


def trail_of(connection: Connection) -> list[Any]:
    """How often each row was undone; nothing may be undone twice."""
    query = """
        select target_table, after_state is null, count(*) from admin_audit_log
        where action = 'entity_enrichment.undo' group by 1, 2 order by 1, 2
    """
    return connection.execute(query).fetchall()


def test_undoing_the_run_of_a_linking_job_leaves_what_was_there_before_it(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> None:
    with graph(assets_db, operation_db) as installation, operation_db.connection() as connection:
        known = insert(connection, "brands", name_en="Timberland")
        installation.post(MONDAY, "prada", "timberland", "uniqlo", "uniqlo_jp")
        installation.run("intake_job")
        installation.run("enrichment_job", config=enrichment_config(10))
        before = snapshot(connection)
        linking = installation.run("linking_job")
        assert snapshot(connection) != before
        report = undo(connection, run_id=linking.run_id)
        assert (snapshot(connection), report.kept) == (before, [])
        assert len(report.removed) >= 2
        assert ("brands", str(known)) in before
        installation.run("linking_job", config={"ops": {"catalog_links": {"config": {"refresh": "all"}}}})
        assert snapshot(connection) == before
