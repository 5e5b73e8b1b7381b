"""Undo one run in a transaction that is rolled back, and compare the catalog with that before the run."""

from collections.abc import Mapping
from typing import Any

import psycopg

from entity_pipeline.core.failures import InputRejected
from entity_pipeline.domains.entities.links.undo import undo
from entity_pipeline_tests.databases import ClonedDatabase

Catalog = Mapping[tuple[str, str], Any]

_ACCOUNTS = """
select id::text, jsonb_build_array(account_type, entity_ig_role, entity_region_code, name_en, name_ko,
                                   brand_id, artist_id, group_id) from instagram_accounts
"""


def catalog(connection: psycopg.Connection[Any]) -> Catalog:
    """What undo answers for, by table and id."""
    rows = {("instagram_accounts", key): value for key, value in connection.execute(_ACCOUNTS).fetchall()}
    for table in ("artists", "brands", "groups"):
        found = connection.execute(f"select id::text, to_jsonb(t) - 'updated_at' from {table} t").fetchall()
        rows |= {(table, key): value for key, value in found}
    return rows


def differences_after_undo(database: ClonedDatabase, before: Catalog, run_id: str) -> list[str] | None:
    """What an undo of the run would not put back; None when the run wrote nothing. Nothing is changed."""
    with database.connection() as connection, connection.transaction(force_rollback=True):
        try:
            undo(connection, run_id=run_id)
        except InputRejected:
            return None
        after = catalog(connection)
    return [
        f"undo of {run_id}: {table} {key} is {after.get((table, key))} and was {before.get((table, key))}"
        for table, key in sorted(before.keys() | after.keys())
        if before.get((table, key)) != after.get((table, key))
    ]
