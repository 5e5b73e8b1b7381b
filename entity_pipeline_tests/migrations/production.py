"""Databases that look like those of production: owned, as on Supabase, by a role that is not a superuser.

Roles belong to the server, so the API's three are created once and stay; each test has its own owner.
"""

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from entity_pipeline_tests.databases import DatabaseServer

_PASSWORD = "made-up-secret"
# Where people wrote nothing, the pipeline may.
_EMPTY = (None, "", "unknown", "NA")
# A trigger of theirs sets it at every write.
_THEIR_TRIGGERS = ("updated_at",)
# In these a row too many is as bad as one that is gone.
_CATALOG = ("artists", "brands", "groups", "group_members")
# What a public profile fills stays after an undo.
_PROFILE = ("display_name", "bio", "profile_image_url")

Rows = Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Production:
    """Addresses by database: as the owner, whom Supabase calls postgres, and as the server's superuser."""

    owner: Mapping[str, str]
    superuser: Mapping[str, str]


@contextmanager
def production(server: DatabaseServer) -> Iterator[Production]:
    """Both databases with people's rows, not migrated yet; dropped with their owner at the end."""
    owner = f"owner_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        for role in ("anon", "authenticated", "service_role"):
            admin.execute(_once(f"create role {role} nologin" + " bypassrls" * (role == "service_role")))
        admin.execute(f"create role {owner} login createrole password '{_PASSWORD}'")
        try:
            with server.empty() as assets, server.empty() as operation:
                superuser = {"assets": assets, "operation": operation}
                yield Production(
                    {name: _filled(name, url, owner) for name, url in superuser.items()}, superuser
                )
        finally:
            admin.execute(f"drop role {owner}")


def rows(urls: Mapping[str, str]) -> Rows:
    """Every row by table and primary key."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, url in urls.items():
        with psycopg.connect(url) as connection:
            for schema, table, keys in connection.execute(_KEYED).fetchall():
                query = sql.SQL("select to_jsonb(t) from {} t").format(sql.Identifier(schema, table))
                found[f"{name}.{table}"] = {
                    "/".join(str(row[key]) for key in keys): row for (row,) in connection.execute(query)
                }
    return found


def touched(before: Rows, after: Rows) -> list[tuple[str, str, str, Any, Any]]:
    """Earlier values that changed or are gone: table, row, column, then and now."""
    return [
        (table, key, column, value, _theirs(column, after[table].get(key, {})))
        for table, people in before.items()
        for key, row in people.items()
        for column in row
        if (value := _theirs(column, row)) not in _EMPTY
        and value != _theirs(column, after[table].get(key, {}))
    ]


def digests(people: Rows, now: Rows) -> Mapping[str, str]:
    """What people own in each of their tables, as it is now: every value, and what they left empty."""
    return {name: _digest(name.partition(".")[2], before, now[name]) for name, before in people.items()}


def _digest(table: str, before: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]) -> str:
    owned = {
        key: {column: _owned(table, column, before.get(key, {}), row) for column in row}
        for key in (now if table in _CATALOG else before)
        for row in [now.get(key, {})]
    }
    return hashlib.sha256(json.dumps(owned, sort_keys=True).encode()).hexdigest()


def _owned(table: str, column: str, before: Mapping[str, Any], row: Mapping[str, Any]) -> Any:
    is_of_profile = table == "instagram_accounts" and column in _PROFILE and before.get(column) in _EMPTY
    return None if is_of_profile else _theirs(column, row)


def _theirs(column: str, row: Mapping[str, Any]) -> Any:
    """The part of the value that people wrote."""
    if column in _THEIR_TRIGGERS:
        return None
    value = row.get(column)
    if column == "metadata" and isinstance(value, dict):
        value = {key: part for key, part in value.items() if key != "entity_enrichment"} or None
    return value


_KEYED = """
select n.nspname, c.relname, array_agg(a.attname::text order by a.attnum)
from pg_index i
join pg_class c on c.oid = i.indrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey::smallint[])
where i.indisprimary and n.nspname in ('public', 'supabase_migrations')
group by 1, 2
"""


def _filled(name: str, url: str, owner: str) -> str:
    parts = urlsplit(url)
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"alter database {parts.path[1:]} owner to {owner}")
        admin.execute(f"alter schema public owner to {owner}")
    address = urlunsplit(parts._replace(netloc=f"{owner}:{_PASSWORD}@{parts.hostname}:{parts.port}"))
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(Path(__file__).with_name(f"production_{name}.sql").read_bytes())
    return address


def _once(statement: str) -> str:
    return f"do $$ begin {statement}; exception when duplicate_object or unique_violation then null; end $$"
