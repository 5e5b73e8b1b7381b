"""The one writer of `instagram_accounts.metadata.entity_enrichment`: every stage merges its part through this module.

A merge is computed in the statement that writes it, from the current row, so that a stage never undoes what another
stage, another run or a person wrote in the meantime. Metadata that can't hold our keys without losing its content (a
list, a plain text) is not written at all.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from psycopg import Connection, sql

from entity_pipeline.core.jsonb import jsonb_text

USABLE = """(
coalesce(jsonb_typeof(metadata), 'null') in ('object', 'null')
and coalesce(jsonb_typeof(metadata -> 'entity_enrichment'), 'null') in ('object', 'null'))
"""
"""Whether metadata can hold our keys; every stage leaves other accounts alone."""

_MERGED = """coalesce(nullif(metadata, 'null'), '{{}}') || jsonb_build_object('entity_enrichment',
    coalesce(nullif(metadata -> 'entity_enrichment', 'null'), '{{}}') || {patch})"""
_ONE = sql.SQL("update instagram_accounts set {assignments} where id = %(id)s and {usable}")


def merged(patch: str) -> str:
    """The metadata with the keys of `patch`, an SQL expression of type jsonb, in place of those of the same name."""
    return _MERGED.format(patch=patch)


def update_of_stage(
    account_id: UUID, stage: str, value: Mapping[str, Any], columns: Mapping[str, str | None] | None = None
) -> tuple[sql.Composed, dict[str, Any]]:
    """The statement that puts `value` under the stage's key, and sets columns with it; and its parameters."""
    patch = merged("jsonb_build_object(%(stage)s::text, %(value)s::jsonb)")
    query = _ONE.format(assignments=_assignments(columns or {}, patch), usable=sql.SQL(USABLE))
    return query, {**(columns or {}), "id": account_id, "stage": stage, "value": jsonb_text(value)}


def write_stage(
    connection: Connection[Any],
    account_id: UUID,
    stage: str,
    value: Mapping[str, Any],
    columns: Mapping[str, str] | None = None,
) -> bool:
    """Put `value` under the stage's key, and set columns with it.

    Returns False when the account is gone, or when its metadata can't hold our keys without losing its content.
    """
    return bool(connection.execute(*update_of_stage(account_id, stage, value, columns)).rowcount)


def change_within_stage(
    connection: Connection[Any], account_id: UUID, stage: str, value: Mapping[str, Any]
) -> bool:
    """Merge `value` into the stage's object. False where there is none, or where it already holds all of `value`."""
    at = "metadata #> array['entity_enrichment', %(stage)s::text]"
    patch = merged(f"jsonb_build_object(%(stage)s::text, ({at}) || %(value)s::jsonb)")
    query = _ONE.format(assignments=_assignments({}, patch), usable=sql.SQL(USABLE)) + sql.SQL(
        f" and case when jsonb_typeof({at}) = 'object' then not ({at}) @> %(value)s::jsonb else false end"
    )
    parameters = {"id": account_id, "stage": stage, "value": jsonb_text(value)}
    return bool(connection.execute(query, parameters).rowcount)


def _assignments(columns: Iterable[str], patch: str) -> sql.Composed:
    pairs = [sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in columns]
    return sql.SQL(", ").join([*pairs, sql.SQL("metadata = ") + sql.SQL(patch)])
