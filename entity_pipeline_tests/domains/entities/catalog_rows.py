"""Rows of an operation database for tests: what people, collectors and reviews would have left there."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from entity_pipeline.domains.entities.links.logic.decide import decide
from entity_pipeline.domains.entities.links.queries.catalog import Applied, LinkRun, apply_decision
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline_tests.domains.entities.cases import WHAT_IT_IS, a_review

Connection = psycopg.Connection[Any]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def reviewed(
    *, confidence: float = 0.97, reviewed_at: str = "2026-03-01T11:00:00+00:00", **review: Any
) -> dict[str, Any]:
    """A finished, grounded review as the metadata keeps it, with both ties proven."""
    said = a_review(**review)
    claim = f"This is a {WHAT_IT_IS[said.account_type]}."
    return {
        "status": "reviewed",
        "review": said.model_dump(mode="json"),
        "handle_tie": "supported",
        "confidence": confidence,
        "grounded": True,
        "chunks": 1,
        "evidence": [
            {"claim": claim, "chunk": 0, "uri": "https://a.example", "title": "a", "names_account": True}
        ],
        "reviewed_at": reviewed_at,
    }


def insert(connection: Connection, table: str, **columns: Any) -> UUID:
    """Insert one row and return its id."""
    query = sql.SQL("insert into {} ({}) values ({}) returning id").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(map(sql.Placeholder, columns)),
    )
    row = connection.execute(query, columns).fetchone()
    assert row is not None
    found: UUID = row[0]
    return found


def insert_account(
    connection: Connection, username: str = "madeup.seoul", *, image: str | None = None, **values: Any
) -> UUID:
    """An account with a finished review; `columns` are its own columns, all else goes into the review."""
    columns = values.pop("columns", {})
    enrichment: dict[str, Any] = {"cohort": "2026-03-01", "gemini_review": reviewed(**values)}
    if image:
        enrichment["profile_backfill"] = {"status": "found", "image": {"url": image}}
    metadata = {"note": "keep me", "entity_enrichment": enrichment}
    return insert(connection, "instagram_accounts", username=username, metadata=Jsonb(metadata), **columns)


def set_review(connection: Connection, account_id: UUID, **values: Any) -> None:
    """Replace the review of an account."""
    query = """
        update instagram_accounts
        set metadata = jsonb_set(metadata, '{entity_enrichment,gemini_review}', %s) where id = %s
    """
    connection.execute(query, [Jsonb(reviewed(**values)), account_id])


def set_columns(connection: Connection, table: str, row_id: UUID | None, **columns: Any) -> None:
    """Change columns as a person does in another screen."""
    pairs = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(c), sql.Placeholder(c)) for c in columns
    )
    connection.execute(
        sql.SQL("update {} set {} where id = {}").format(sql.Identifier(table), pairs, sql.Literal(row_id)),
        columns,
    )


def row(connection: Connection, table: str, row_id: UUID | None) -> dict[str, Any]:
    """One whole row; empty when it is gone."""
    query = sql.SQL("select * from {} where id = %s").format(sql.Identifier(table))
    return connection.cursor(row_factory=dict_row).execute(query, [row_id]).fetchone() or {}


def everything(connection: Connection) -> dict[str, Any]:
    """All rows of all tables that a decision may touch."""
    tables = ("instagram_accounts", "artists", "brands", "groups", "group_members", "admin_audit_log")
    return {
        table: connection.execute(f"select to_jsonb(t) from {table} t order by 1").fetchall()
        for table in tables
    }


def catalog_link(connection: Connection, account_id: UUID) -> dict[str, Any]:
    """`metadata.entity_enrichment.catalog_link` of an account."""
    found: dict[str, Any] = row(connection, "instagram_accounts", account_id)["metadata"][
        "entity_enrichment"
    ].get("catalog_link", {})
    return found


def apply(
    connection: Connection, account_id: UUID, run_id: str = "run-1", settings: EntitySettings | None = None
) -> Applied:
    """Decide and write one account as the asset does."""
    rules = settings or EntitySettings()
    run = LinkRun(lambda account, verdict, around: decide(account, verdict, around, rules), run_id, NOW)
    return apply_decision(connection, account_id, run)
