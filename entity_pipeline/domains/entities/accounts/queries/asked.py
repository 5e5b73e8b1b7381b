"""The account that a person asks something for, locked, and the one column that may give way."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from entity_pipeline.core.text.handles import handle_or_none

_LOCKED = """
select id, username, account_type::text as account_type, metadata -> 'entity_enrichment' as enrichment,
  (created_at at time zone 'UTC')::date as created_on
from instagram_accounts
where username = %(username)s or lower(ltrim(btrim(username), '@')) = %(handle)s
order by username = %(username)s desc, is_active desc, id limit 1 for update
"""


@dataclass(frozen=True, slots=True)
class AskedAccount:
    """An account as stored; `enrichment` is whatever the metadata holds."""

    id: UUID
    username: str
    account_type: str | None
    enrichment: Any
    created_on: date


def locked_account(connection: Connection[Any], username: str) -> AskedAccount | None:
    """The account with exactly this username, or else one with this handle."""
    values = {"username": username, "handle": handle_or_none(username)}
    return connection.cursor(row_factory=class_row(AskedAccount)).execute(_LOCKED, values).fetchone()


def set_type(connection: Connection[Any], account_id: UUID, account_type: str | None) -> None:
    """Set `account_type`."""
    connection.execute(
        "update instagram_accounts set account_type = %s where id = %s", [account_type, account_id]
    )
