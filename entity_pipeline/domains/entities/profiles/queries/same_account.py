"""The rows of `instagram_accounts` that are one Instagram account under several handles, found by its numeric id."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection, Error

from entity_pipeline.domains.entities.accounts.queries.enrichment_metadata import change_within_stage
from entity_pipeline.domains.entities.profiles.logic.stored_backfill import OtherRow
from entity_pipeline.shared.database.refusals import is_refusal

# Two looks that end at the same moment must see each other's id.
_LOCK_ID = "select pg_advisory_xact_lock(hashtextextended('entity_enrichment:instagram_id:' || %s, 0))"
# In order of id, as everywhere: two looks could otherwise wait for each other.
_LOCK_ROWS = """
    select id, username from instagram_accounts
    where id = %(account)s or metadata #>> '{entity_enrichment,profile_backfill,instagram_id}' = %(instagram_id)s
    order by id for no key update
"""
_HANDLE = "lower(ltrim(btrim(username), '@'))"
_OTHER_HANDLES = f"""
    select id::text, username from instagram_accounts
    where id = any(%(ids)s) and {_HANDLE} <> (select {_HANDLE} from instagram_accounts where id = %(account)s)
    order by id
"""


def lock_same_account(connection: Connection[Any], account_id: UUID, instagram_id: str) -> Sequence[OtherRow]:
    """Lock the account, and the rows that were seen with its Instagram id under other handles; returns the latter."""
    connection.execute(_LOCK_ID, [instagram_id])
    locked = connection.execute(_LOCK_ROWS, {"account": account_id, "instagram_id": instagram_id}).fetchall()
    ids = [row[0] for row in locked if row[0] != account_id]
    if not ids:
        return ()
    others = connection.execute(_OTHER_HANDLES, {"ids": ids, "account": account_id}).fetchall()
    return [{"account_id": other_id, "username": username} for other_id, username in others]


def mark_renamed(connection: Connection[Any], former: Sequence[OtherRow], now_at: OtherRow) -> list[UUID]:
    """Mark rows whose Instagram account was just seen under the handle of another row; returns the marked ones.

    A row that an unknown rule of the catalog refuses to change stays as it is.
    """
    marked = []
    for row in former:
        other = UUID(row["account_id"])
        try:
            with connection.transaction():
                if change_within_stage(connection, other, "profile_backfill", {"renamed_to": now_at}):
                    marked.append(other)
        except Error as error:
            if not is_refusal(error):
                raise
    return marked
