"""One account for people: its row, the entity it is linked to, and all writes for it.

A row of the audit log also concerns an account when it changed an artist or a brand for that account. Our own rows name
the account in their metadata; a person's rows only name the row that they changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, sql
from psycopg.rows import class_row

from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.domains.entities.accounts.queries.account_facts import readable_time
from entity_pipeline.domains.entities.accounts.queries.enrichment_metadata import USABLE
from entity_pipeline.domains.entities.models import EntityTable

_ACCOUNT = f"""
select a.id, a.username, a.is_active, a.name_en, a.name_ko, a.display_name, a.bio, a.profile_image_url,
  a.account_type::text as account_type, a.entity_ig_role::text as role, a.entity_region_code as region,
  a.metadata -> 'entity_enrichment' as enrichment, {USABLE} as is_usable,
  {readable_time("a.created_at")} as created_at, {readable_time("a.updated_at")} as updated_at
from instagram_accounts a
where a.username = %(username)s or lower(ltrim(btrim(a.username), '@')) = %(handle)s
order by a.username = %(username)s desc, a.is_active desc, a.id limit 1
"""

# The rows of the account itself, and those of its entities that were written for it.
_HISTORY = """
select created_at, admin_user_id, action, target_table, target_id, before_state as before, after_state as after,
  metadata ->> 'run_id' as run_id, metadata ->> 'who' as who
from (
  select * from admin_audit_log where target_table = 'instagram_accounts' and target_id = %(account)s
  union
  select * from admin_audit_log
  where target_table = %(table)s and target_id = %(entity)s and metadata ->> 'account_id' = %(account)s::text
) written
order by created_at desc, id limit %(limit)s
"""

_POSTS = """
select id, created_at as collected_at, external_id, left(caption, 400) as caption
from raw_posts where id = any(%s) order by created_at desc, id
"""


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as stored; `enrichment` is whatever the metadata holds."""

    id: UUID
    username: str
    is_active: bool
    name_en: str | None
    name_ko: str | None
    display_name: str | None
    bio: str | None
    profile_image_url: str | None
    account_type: str | None
    role: str | None
    region: str | None
    enrichment: Any
    is_usable: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One row of `admin_audit_log`."""

    created_at: datetime
    admin_user_id: UUID
    action: str
    target_table: str
    target_id: UUID | None
    before: Any
    after: Any
    run_id: str | None
    who: str | None


@dataclass(frozen=True, slots=True)
class TaggingPost:
    """A post that tags an account, as collected; `external_id` is its code in Instagram's addresses, or another id."""

    id: UUID
    collected_at: datetime
    external_id: str
    caption: str | None


def account_row(connection: Connection, username: str) -> AccountRow | None:
    """The account with exactly this username, or else one with this handle."""
    values = {"username": username, "handle": handle_or_none(username)}
    return connection.cursor(row_factory=class_row(AccountRow)).execute(_ACCOUNT.encode(), values).fetchone()


def tagging_posts(connection: Connection, ids: Sequence[UUID]) -> list[TaggingPost]:
    """The posts that still exist, newest first, with the beginning of their captions."""
    cursor = connection.cursor(row_factory=class_row(TaggingPost))
    return list(cursor.execute(_POSTS, [list(ids)]))


def entity_name(connection: Connection, table: EntityTable, entity_id: UUID) -> str | None:
    """The name of a catalog entity, in English or else in Korean; None when it is gone or has no name."""
    query = sql.SQL("select coalesce(nullif(name_en, ''), name_ko) from {} where id = %s")
    found = connection.execute(query.format(sql.Identifier(table.value)), [entity_id]).fetchone()
    return None if found is None else found[0]


def audit_entries(
    connection: Connection, account_id: UUID, table: EntityTable | None, entity_id: UUID | None, limit: int
) -> list[AuditEntry]:
    """The writes to the account and to the entity it was linked to, newest first."""
    values = {"account": account_id, "table": table, "entity": entity_id, "limit": limit}
    return list(connection.cursor(row_factory=class_row(AuditEntry)).execute(sql.SQL(_HISTORY), values))
