"""Entities that the pipeline recently wrote or linked, for the name checks. Reads only.

Only these are read, through a partial index of the audit log, so that a check takes seconds in a catalog of a million
entities. Older entities were checked when they were written.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from entity_pipeline.core.audit import SYSTEM_ACTOR
from entity_pipeline.domains.entities.links.logic.decisions import LINK_COLUMN
from entity_pipeline.domains.entities.links.logic.name_checks import Membership, NamedEntity
from entity_pipeline.domains.entities.models import EntityTable

MOST_LOOKED_AT = 20_000  # audit rows, the newest first

# The actor is a literal, because otherwise the partial index would not be used.
_RECENT = f"""
touched as materialized (
    select target_table, target_id from admin_audit_log
    where admin_user_id = '{SYSTEM_ACTOR}' and created_at > %(since)s
    order by created_at desc limit %(most)s
), entity_ids as materialized (
    select target_id as id from touched where target_table = '{{table}}'
    union
    select a.{{link}} from touched t join instagram_accounts a on a.id = t.target_id
    where t.target_table = 'instagram_accounts' and a.{{link}} is not null
), recent as materialized (
    select e.id, e.name_en, e.name_ko, e.primary_instagram_account_id is not null as has_account
    from {{table}} e join entity_ids using (id)
)
"""
_ENTITIES = f"with {_RECENT} select id, name_en, name_ko, has_account from recent order by id"

_TWINS = f"""
with {_RECENT}, keys as materialized (
    select id, entity_pipeline_name_key(name) as key
    from recent cross join lateral (values (name_en), (name_ko)) as names (name)
), pairs as (
    select k.id, o.id as other_id from keys k
    join {{table}} o on entity_pipeline_name_key(o.name_en) = k.key where k.key <> '' and o.id <> k.id
    union
    select k.id, o.id from keys k
    join {{table}} o on entity_pipeline_name_key(o.name_ko) = k.key where k.key <> '' and o.id <> k.id
)
select r.*, o.id as other_id, o.name_en as other_name_en, o.name_ko as other_name_ko,
       o.primary_instagram_account_id is not null as other_has_account
from pairs p join recent r on r.id = p.id join {{table}} o on o.id = p.other_id
where p.id < p.other_id or not exists (select from recent where recent.id = p.other_id)
order by r.id, o.id
"""

_MEMBERS = f"""
with {_RECENT}
select r.*, g.id as other_id, g.name_en as other_name_en, g.name_ko as other_name_ko,
       g.primary_instagram_account_id is not null as other_has_account
from recent r
join group_members m on m.artist_id = r.id and m.is_active
join groups g on g.id = m.group_id
order by r.id, g.id
"""


_MAY_READ_MEMBERS = """
select count(*) filter (where has_column_privilege(attrelid, attnum, 'select')) = 3
from pg_attribute
where attrelid = to_regclass('public.group_members') and attname in ('group_id', 'artist_id', 'is_active')
  and not attisdropped
"""


def recent_entities(connection: Connection, table: EntityTable, since: datetime) -> list[NamedEntity]:
    """Entities of a table that the pipeline wrote or linked since an instant."""
    return [_entity(table, row) for row in _rows(connection, _ENTITIES, table, since)]


def possible_twins(
    connection: Connection, table: EntityTable, since: datetime
) -> list[tuple[NamedEntity, NamedEntity]]:
    """Pairs of a recent entity and another one of its table with the same normalised name, each pair once."""
    rows = _rows(connection, _TWINS, table, since)
    return [(_entity(table, row), _entity(table, row, "other_")) for row in rows]


def memberships(connection: Connection, since: datetime) -> list[Membership] | None:
    """The active memberships of artists that the pipeline wrote or linked since an instant.

    None when `group_members` lacks a column or this role may not read it: the pipeline needs it for nothing else.
    """
    if connection.execute(_MAY_READ_MEMBERS).fetchone() != (True,):
        return None
    rows = _rows(connection, _MEMBERS, EntityTable.ARTISTS, since)
    return [
        Membership(_entity(EntityTable.ARTISTS, row), _entity(EntityTable.GROUPS, row, "other_"))
        for row in rows
    ]


def _rows(connection: Connection, query: str, table: EntityTable, since: datetime) -> list[dict[str, Any]]:
    text = query.replace("{table}", table.value).replace("{link}", LINK_COLUMN[table])
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(text, {"since": since, "most": MOST_LOOKED_AT}).fetchall()


def _entity(table: EntityTable, row: Mapping[str, Any], side: str = "") -> NamedEntity:
    return NamedEntity(
        table,
        row[f"{side}id"],
        row[f"{side}name_en"],
        row[f"{side}name_ko"],
        bool(row[f"{side}has_account"]),
    )
