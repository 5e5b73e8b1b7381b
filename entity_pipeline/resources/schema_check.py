"""Compare both databases with what the pipeline reads and writes; each difference is a sentence that says what to do.

Surprising: PostgreSQL hides rows without an error. A role that row-level security applies to and that no policy
lets in reads nothing, and the pipeline would report an empty day, so that is a problem here like a missing table.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import dagster as dg
import psycopg
from psycopg.rows import dict_row

from entity_pipeline.resources.postgres import PostgresResource

Database = Literal["assets", "operation"]
Privilege = Literal["select", "insert", "update", "delete"]

_MIGRATE = "run `entity-pipeline migrate`"
_UPSERTED: tuple[Privilege, ...] = ("select", "insert", "update")

# A column may have any type of its family; enums count as text, since people's installations have some.
_FAMILIES: Mapping[str, frozenset[str]] = {
    "text": frozenset({"text", "varchar", "bpchar", "citext", "enum"}),
    "int": frozenset({"int2", "int4", "int8", "numeric"}),
    "numeric": frozenset({"numeric", "float4", "float8"}),
    "bool": frozenset({"bool"}),
    "date": frozenset({"date"}),
    "jsonb": frozenset({"jsonb"}),
    "timestamptz": frozenset({"timestamptz"}),
    "uuid": frozenset({"uuid"}),
    "uuid[]": frozenset({"_uuid"}),
}


@dataclass(frozen=True, slots=True)
class SchemaProblem:
    """One difference. `column` is None when it concerns the whole table; `str()` is the sentence to print."""

    database: Database
    table: str
    column: str | None
    sentence: str

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True, slots=True)
class _Need:
    """What one table must offer. `added` are the columns that migrations add to a table that exists already."""

    columns: Mapping[str, str]
    added: frozenset[str] = frozenset()
    privileges: Sequence[Privilege] = _UPSERTED
    keys: Sequence[Sequence[str]] = ()
    indexes: Sequence[str] = field(default=())


def _columns(text: str) -> dict[str, str]:
    """``"uuid: id source_id; text: name"`` as ``{"id": "uuid", ...}``."""
    families = (part.split(":") for part in text.split(";"))
    return {name: family.strip() for family, names in families for name in names.split()}


def _ours(text: str, **needs: Any) -> _Need:
    columns = _columns(text)
    return _Need(columns, added=frozenset(columns), **needs)


_TIMES = "timestamptz: created_at updated_at"
_ENTITY = "uuid: id primary_instagram_account_id; text: name_en name_ko; jsonb: metadata; " + _TIMES
_PRIMARY_KEY_OF_ENTITY = (("primary_instagram_account_id",),)
_TOKENS = "prompt_tokens cached_tokens output_tokens thoughts_tokens tool_tokens"

_ASSETS: Mapping[str, _Need] = {
    "raw_posts": _Need(
        _columns("uuid: id; text: platform external_id; jsonb: platform_metadata; " + _TIMES),
        privileges=("select",),
    ),
    "tagged_usernames": _ours(
        "date: day; text: username; int: posts; timestamptz: first_seen_at last_seen_at; uuid[]: sample_posts",
        privileges=(*_UPSERTED, "delete"),
        keys=(("day", "username"),),
    ),
    "pipeline_settings": _ours(
        "text: platform updated_by; bool: is_enabled; jsonb: settings; timestamptz: updated_at",
        keys=(("platform",),),
    ),
    "gemini_usage_events": _ours(
        "uuid: id; timestamptz: created_at state_changed_at blocked_until; date: quota_day; bool: grounded; "
        "text: pipeline step model model_version state subject input_hash; jsonb: reply error metadata; "
        f"int: search_queries latency_ms attempt {_TOKENS}; numeric: cost_usd",
        indexes=("entity_pipeline_usage_claim", "entity_pipeline_usage_grounded"),
    ),
    "gemini_spend_daily": _ours(
        "date: quota_day; text: pipeline step model; numeric: cost_usd; timestamptz: updated_at; "
        f"int: requests grounded_requests search_queries {_TOKENS}",
        keys=(("quota_day", "pipeline", "step", "model"),),
    ),
    "instagram_routes": _ours("text: name state last_outcome; timestamptz: cooling_until", keys=(("name",),)),
    "instagram_pool_accounts": _ours(
        "text: username state route lease_owner; timestamptz: cooling_until lease_expires_at; int: fence",
        keys=(("username",),),
    ),
    "instagram_request_log": _ours("uuid: id; text: account_key route host; timestamptz: requested_at"),
}

_OPERATION: Mapping[str, _Need] = {
    "instagram_accounts": _Need(
        _columns(
            "uuid: id brand_id artist_id group_id; bool: is_active; jsonb: metadata; "
            "text: username name_ko name_en display_name bio profile_image_url "
            "account_type entity_ig_role entity_region_code; " + _TIMES
        ),
        added=frozenset({"account_type", "entity_ig_role", "entity_region_code"}),
        keys=(("username",),),
    ),
    "artists": _Need(_columns(_ENTITY + "; text: profile_image_url"), keys=_PRIMARY_KEY_OF_ENTITY),
    "groups": _Need(_columns(_ENTITY + "; text: profile_image_url"), keys=_PRIMARY_KEY_OF_ENTITY),
    "brands": _Need(
        _columns(_ENTITY + "; text: logo_image_url country_of_origin"),
        added=frozenset({"country_of_origin"}),
        keys=_PRIMARY_KEY_OF_ENTITY,
    ),
    "admin_audit_log": _Need(
        _columns(
            "uuid: id admin_user_id target_id; text: action target_table; "
            "jsonb: before_state after_state metadata; timestamptz: created_at"
        ),
        privileges=("select", "insert"),
    ),
}

_FUNCTION = "entity_pipeline_normalise_name"

_TABLES = """
select c.oid, c.relname as name, row_security_active(c.oid) as rows_hidden,
  (select coalesce(array_agg(p.privilege), '{}')
   from unnest(array['select', 'insert', 'update', 'delete']) as p (privilege)
   where has_table_privilege(c.oid, p.privilege)) as granted,
  (select coalesce(array_agg(distinct case o.polcmd
       when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all'
     end), '{}')
   from pg_policy o
   where o.polrelid = c.oid and o.polpermissive
     and exists (select from unnest(o.polroles) as r (role)
                 where r.role = 0 or pg_has_role(r.role, 'usage'))) as policies
from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relname = any(%s) and c.relkind in ('r', 'p', 'v', 'm', 'f')
"""

_COLUMNS = """
select a.attrelid as oid, a.attname as name,
  case t.typtype when 'e' then 'enum' else t.typname end as type,
  a.attnotnull and not a.atthasdef and a.attidentity = '' as must_be_given
from pg_attribute a
join pg_type t on t.oid = a.atttypid
where a.attrelid = any(%s) and a.attnum > 0 and not a.attisdropped
"""

# `whole`: over every row, or over those where it is set; an expression index has no column names.
_INDEXES = """
select i.indrelid as oid, c.relname as name, i.indisunique as is_unique, i.indisvalid as is_valid,
  i.indpred is null or pg_get_expr(i.indpred, i.indrelid) ~ '^\\(\\w+ IS NOT NULL\\)$' as whole,
  (select array_agg(a.attname::text) from pg_attribute a
   where a.attrelid = i.indrelid and a.attnum = any(i.indkey::smallint[])) as columns
from pg_index i
join pg_class c on c.oid = i.indexrelid
where i.indrelid = any(%s)
"""


def missing_schema(
    assets: psycopg.Connection[Any], operation: psycopg.Connection[Any]
) -> list[SchemaProblem]:
    """What keeps the pipeline from working, the `assets` database first; empty when nothing does.

    Reads the catalogs only, as the role of the connection. Raises psycopg's errors when a connection is lost.
    """
    problems = [*_check("assets", assets, _ASSETS), *_check("operation", operation, _OPERATION)]
    there = operation.execute("select to_regproc(%s) is not null", (f"public.{_FUNCTION}",)).fetchone()
    if there != (True,):
        problems.append(
            SchemaProblem(
                "operation", "", None, f"operation: the function {_FUNCTION} is missing; {_MIGRATE}."
            )
        )
    return problems


def _check(
    database: Database, connection: psycopg.Connection[Any], needs: Mapping[str, _Need]
) -> Iterator[SchemaProblem]:
    with connection.cursor(row_factory=dict_row) as cursor:
        tables = {row["name"]: row for row in cursor.execute(_TABLES, (list(needs),))}
        oids = [row["oid"] for row in tables.values()]
        columns = cursor.execute(_COLUMNS, (oids,)).fetchall()
        indexes = cursor.execute(_INDEXES, (oids,)).fetchall()
    for name, need in needs.items():
        table = tables.get(name)
        if table is None:
            yield SchemaProblem(database, name, None, f"{database}: the table {name} is missing; {_MIGRATE}.")
            continue
        of_table = {row["name"]: row for row in columns if row["oid"] == table["oid"]}
        differences = [
            *_column_differences(name, need, of_table),
            *_key_differences(name, need, [row for row in indexes if row["oid"] == table["oid"]]),
            *_access_differences(name, need, table),
        ]
        for column, sentence in differences:
            yield SchemaProblem(database, name, column, f"{database}: {sentence}.")


def _column_differences(
    table: str, need: _Need, there: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    for column, family in need.columns.items():
        if column not in there:
            what_to_do = _MIGRATE if column in need.added else f"add it as {family}, or undo its renaming"
            yield column, f"the column {table}.{column} is missing; {what_to_do}"
        elif (found := there[column]["type"]) not in _FAMILIES[family]:
            yield (
                column,
                f"the column {table}.{column} is {found} where the pipeline needs {family}; change its type",
            )
    if "insert" in need.privileges:
        for column, row in there.items():
            if row["must_be_given"] and column not in need.columns:
                yield (
                    column,
                    f"the column {table}.{column} must be given in every row and the pipeline does not know it; "
                    "give it a default",
                )


def _key_differences(
    table: str, need: _Need, there: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str | None, str]]:
    sound = [row for row in there if row["is_valid"]]
    for key in need.keys:
        if not any(
            row["is_unique"] and row["whole"] and sorted(row["columns"] or ()) == sorted(key) for row in sound
        ):
            columns = ", ".join(key)
            yield (
                key[0] if len(key) == 1 else None,
                f"{table} has no unique key on ({columns}); "
                f"remove duplicates if there are any and create one: create unique index on {table} ({columns})",
            )
    for index in need.indexes:
        if not any(row["name"] == index for row in sound):
            yield None, f"the index {index} on {table} is missing or unfinished; {_MIGRATE}"


def _access_differences(
    table: str, need: _Need, there: Mapping[str, Any]
) -> Iterator[tuple[str | None, str]]:
    ungranted = [privilege for privilege in need.privileges if privilege not in there["granted"]]
    if ungranted:
        rights = ", ".join(ungranted)
        yield (
            None,
            f"this role may not {rights} on {table}; as its owner: grant {rights} on {table} to the role",
        )
        return
    if there["rows_hidden"] and "all" not in there["policies"]:
        unallowed = [privilege for privilege in need.privileges if privilege not in there["policies"]]
        if unallowed:
            rights = ", ".join(unallowed)
            yield (
                None,
                f"row-level security hides the rows of {table} from this role: no policy allows {rights}; "
                "create one for the role, or give the role bypassrls",
            )


class SchemaProbe(dg.ConfigurableResource):
    """Both databases under `missing_schema`; implements `core.ports.SchemaAccess`."""

    assets_db: dg.ResourceDependency[PostgresResource]
    operation_db: dg.ResourceDependency[PostgresResource]

    def problems(self) -> list[str]:
        """See `core.ports.SchemaAccess.problems`."""
        with self.assets_db.connection() as assets, self.operation_db.connection() as operation:
            return [str(problem) for problem in missing_schema(assets, operation)]
