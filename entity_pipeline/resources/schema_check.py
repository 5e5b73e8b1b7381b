"""Compare both databases with what the pipeline reads and writes; each difference is a sentence that says what to do.

Surprising: PostgreSQL hides rows without an error. A role that row-level security applies to and that no policy
lets in reads nothing, and the pipeline would report an empty day, so that is a problem here like a missing table.
So is a policy with a condition, unless it holds for every row that the pipeline touches: a grounded request of
another pipeline that is hidden from us would be missing under the cap.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import dagster as dg
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from entity_pipeline.core.settings import PLATFORM
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
    "text or uuid": frozenset({"text", "varchar", "uuid"}),
    "uuid, int8 or text": frozenset({"uuid", "int8", "int4", "text", "varchar"}),
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
    updated: frozenset[str] = frozenset()  # columns to update, where the table's other columns need no right
    rows: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)
    made_there: frozenset[str] = frozenset()  # columns that we read and never give


# Rows that a policy must let through, by privilege; `updated` is how they look afterwards. A table that is not
# named needs all its rows.
_OUR_SETTINGS = ({"platform": PLATFORM},)
_OUR_EVENTS = {
    state: {"pipeline": PLATFORM, "state": state}
    for state in ("reserved", "sent", "settled", "failed", "unknown", "released")
}
_OPEN_EVENTS = tuple(_OUR_EVENTS[state] for state in ("reserved", "sent", "unknown"))


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
_ENTITY_UPDATED = frozenset({"name_en", "name_ko", "primary_instagram_account_id", "updated_at"})
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
    "tagged_days": _ours(
        "date: day; numeric: mark; text: rules; int: usernames; jsonb: counts; timestamptz: changed_at",
        keys=(("day",),),
    ),
    "pipeline_settings": _ours(
        "text: platform; text or uuid: updated_by; bool: is_enabled; jsonb: settings; timestamptz: updated_at",
        keys=(("platform",),),
        updated=frozenset({"is_enabled", "settings", "updated_at", "updated_by"}),
        rows=dict.fromkeys(("select", "insert", "update", "updated"), _OUR_SETTINGS),
    ),
    "gemini_usage_events": _ours(
        "uuid, int8 or text: id; timestamptz: created_at state_changed_at blocked_until; date: quota_day; "
        "bool: grounded; "
        "text: pipeline step model model_version state subject input_hash; jsonb: reply error metadata; "
        f"int: search_queries latency_ms attempt {_TOKENS}; numeric: cost_usd",
        indexes=(
            "entity_pipeline_usage_claim",
            "entity_pipeline_usage_grounded",
            "entity_pipeline_usage_ungrounded",
        ),
        made_there=frozenset({"id"}),
        rows={
            "insert": (_OUR_EVENTS["reserved"],),
            "update": _OPEN_EVENTS,
            "updated": tuple(_OUR_EVENTS.values()),
        },
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
    "instagram_request_log": _ours(
        "uuid: id; text: account_key route host username outcome; timestamptz: requested_at",
        updated=frozenset({"outcome"}),
    ),
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
        updated=frozenset(
            "name_ko name_en display_name bio profile_image_url account_type entity_ig_role entity_region_code "
            "brand_id artist_id group_id metadata".split()
        ),
    ),
    **{
        table: _Need(
            _columns(_ENTITY + "; text: profile_image_url"),
            keys=_PRIMARY_KEY_OF_ENTITY,
            updated=_ENTITY_UPDATED | {"profile_image_url"},
        )
        for table in ("artists", "groups")
    },
    "brands": _Need(
        _columns(_ENTITY + "; text: logo_image_url country_of_origin"),
        added=frozenset({"country_of_origin"}),
        keys=_PRIMARY_KEY_OF_ENTITY,
        updated=_ENTITY_UPDATED | {"logo_image_url", "country_of_origin"},
    ),
    "intake_days": _ours("date: day; timestamptz: changed_at; int: accounts", keys=(("day",),)),
    "admin_audit_log": _Need(
        _columns(
            "uuid: id admin_user_id target_id; text: action target_table; "
            "jsonb: before_state after_state metadata; timestamptz: created_at"
        ),
        privileges=("select", "insert"),
        rows=dict.fromkeys(("select", "insert"), ({"metadata": f'{{"pipeline": "{PLATFORM}"}}'},)),
    ),
}

_NOT_FOR_A_RUN = ("gemini_spend_daily",)
_ENTITIES = ("artists", "brands", "groups")
_FUNCTIONS: Mapping[Database, Sequence[str]] = {
    "assets": [f"entity_pipeline_ledger_{what}" for what in ("id", "view", "reserve", "mark_sent", "settle")],
    "operation": ["entity_pipeline_normalise_name"],
}

_TABLES = """
select c.oid, c.relname as name, row_security_active(c.oid) as rows_hidden,
  (select coalesce(array_agg(p.privilege), '{}')
   from unnest(array['select', 'insert', 'update', 'delete']) as p (privilege)
   where has_table_privilege(c.oid, p.privilege)) as granted
from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relname = any(%s) and c.relkind in ('r', 'p', 'v', 'm', 'f')
"""

# A policy without a check holds new rows to its condition.
_POLICIES = """
select o.polrelid as oid, o.polname as name, o.polpermissive as permissive,
  case o.polcmd
    when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all'
  end as command,
  pg_get_expr(o.polqual, o.polrelid) as shown,
  pg_get_expr(coalesce(o.polwithcheck, o.polqual), o.polrelid) as checked
from pg_policy o
where o.polrelid = any(%s)
  and exists (select from unnest(o.polroles) as r (role) where r.role = 0 or pg_has_role(r.role, 'usage'))
order by o.polname
"""

# What refers to a row of the catalog; a row hidden there would go with it.
_REFERRING = """
select distinct c.relname
from pg_constraint k
join pg_class c on c.oid = k.conrelid
where k.contype = 'f' and k.confrelid = any(%s) and c.relnamespace = 'public'::regnamespace
order by 1
"""

_COLUMNS = """
select a.attrelid as oid, a.attname as name,
  (select coalesce(array_agg(p.privilege), '{}')
   from unnest(array['select', 'update']) as p (privilege)
   where has_column_privilege(a.attrelid, a.attnum, p.privilege)) as granted,
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
    connections: dict[Database, psycopg.Connection[Any]] = {"assets": assets, "operation": operation}
    for database, functions in _FUNCTIONS.items():
        for function in functions:
            there = (
                connections[database]
                .execute("select to_regproc(%s) is not null", (f"public.{function}",))
                .fetchone()
            )
            if there != (True,):
                sentence = f"{database}: the function {function} is missing; {_MIGRATE}."
                problems.append(SchemaProblem(database, "", None, sentence))
    return problems


def _check(
    database: Database, connection: psycopg.Connection[Any], needs: Mapping[str, _Need]
) -> Iterator[SchemaProblem]:
    with connection.cursor(row_factory=dict_row) as cursor:
        tables = {row["name"]: row for row in cursor.execute(_TABLES, (list(needs),))}
        may_delete = [
            tables[name]["oid"]
            for name in _ENTITIES
            if name in tables and database == "operation" and "delete" in tables[name]["granted"]
        ]
        referring = [row["relname"] for row in cursor.execute(_REFERRING, (may_delete,))]
        read = {name: _Need({}, privileges=("select",)) for name in referring if name not in needs}
        tables |= {row["name"]: row for row in cursor.execute(_TABLES, (list(read),))}
        oids = [row["oid"] for row in tables.values()]
        columns = cursor.execute(_COLUMNS, (oids,)).fetchall()
        indexes = cursor.execute(_INDEXES, (oids,)).fetchall()
        policies = cursor.execute(_POLICIES, (oids,)).fetchall()
    for name, need in {**needs, **read}.items():
        table = tables.get(name)
        if table is None:
            yield SchemaProblem(database, name, None, f"{database}: the table {name} is missing; {_MIGRATE}.")
            continue
        of_table = {row["name"]: row for row in columns if row["oid"] == table["oid"]}
        differences = [
            *_column_differences(name, need, of_table),
            *_key_differences(name, need, [row for row in indexes if row["oid"] == table["oid"]]),
            *_access_differences(
                connection,
                name,
                need,
                {**table, "columns": of_table},
                [policy for policy in policies if policy["oid"] == table["oid"]],
            ),
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
                f"the column {table}.{column} is {found} where the pipeline needs {family}; change its type, "
                "or the one module that uses the table (docs/schema.md, Existing installations)",
            )
    if "insert" in need.privileges:
        for column, row in there.items():
            if row["must_be_given"] and column in need.made_there:
                yield column, f"the column {table}.{column} has no default; give it one"
            elif row["must_be_given"] and column not in need.columns:
                yield (
                    column,
                    f"the column {table}.{column} must be given in every row and the pipeline does not know it; "
                    "let it be empty, or give it a default if it is in no key (docs/schema.md, Existing installations)",
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
    connection: psycopg.Connection[Any],
    table: str,
    need: _Need,
    there: Mapping[str, Any],
    policies: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[str | None, str]]:
    ungranted = [
        privilege
        for privilege in need.privileges
        if privilege not in there["granted"] and not _granted_by_column(privilege, need, there["columns"])
    ]
    if ungranted:
        rights = ", ".join(ungranted)
        yield (
            None,
            f"this role may not {rights} on {table}; as its owner: grant {rights} on {table} to the role",
        )
        return
    if not there["rows_hidden"]:
        return
    privileges = [
        *need.privileges,
        *(["delete"] if table in _ENTITIES and "delete" in there["granted"] else []),
    ]
    of_privilege = {
        privilege: [policy for policy in policies if policy["command"] in (privilege, "all")]
        for privilege in privileges
    }
    unallowed = [name for name, found in of_privilege.items() if not any(one["permissive"] for one in found)]
    if unallowed:
        rights = ", ".join(unallowed)
        yield (
            None,
            f"row-level security hides the rows of {table} from this role: no policy allows {rights}; "
            "create one for the role, or give the role bypassrls",
        )
    for privilege, found in of_privilege.items():
        blamed = None if privilege in unallowed else _in_the_way(connection, privilege, need, found)
        if blamed is not None:
            yield (
                None,
                f"row-level security can keep rows of {table} from this role without an error: {privilege} is held "
                f"to the condition of policy {blamed}; make it (true) for the role, or give the role bypassrls",
            )


def _granted_by_column(privilege: Privilege, need: _Need, there: Mapping[str, Mapping[str, Any]]) -> bool:
    wanted = {"select": frozenset(need.columns), "update": need.updated}.get(privilege, frozenset())
    return bool(wanted) and all(privilege in there[name]["granted"] for name in wanted if name in there)


def _in_the_way(
    connection: psycopg.Connection[Any], privilege: str, need: _Need, policies: Sequence[Mapping[str, Any]]
) -> str | None:
    """The policy that may stop a needed row: none of those that allow lets all through, or one forbids some."""

    def lets_all_through(policy: Mapping[str, Any]) -> bool:
        conditions = [(policy["shown"], need.rows.get(privilege, ()))] if privilege != "insert" else []
        if privilege in ("insert", "update"):
            checked = need.rows.get("updated" if privilege == "update" else "insert", ())
            conditions.append((policy["checked"], checked))
        return all(_holds(connection, condition, rows, need.columns) for condition, rows in conditions)

    allowing = [policy for policy in policies if policy["permissive"]]
    if not any(map(lets_all_through, allowing)):
        return str(allowing[0]["name"])
    forbidding = (policy for policy in policies if not policy["permissive"])
    return next((str(policy["name"]) for policy in forbidding if not lets_all_through(policy)), None)


def _holds(
    connection: psycopg.Connection[Any],
    condition: str | None,
    rows: Sequence[Mapping[str, str]],
    columns: Mapping[str, str],
) -> bool:
    """Whether a policy's condition is true of all these rows; without rows, whatever the row is."""
    if condition is None or condition == "true":
        return True
    names = list(rows[0]) if rows else ["no_column"]
    values = sql.SQL(", ").join(
        sql.SQL("({})").format(
            sql.SQL(", ").join(
                sql.SQL("{}::{}").format(sql.Literal(value), sql.SQL(columns.get(name, "text")))
                for name, value in row.items()
            )
        )
        for row in rows or [{"no_column": ""}]
    )
    query = sql.SQL("select bool_and(coalesce(({}), false)) from (values {}) as row_of_ours ({})").format(
        sql.SQL(condition),
        values,
        sql.SQL(", ").join(map(sql.Identifier, names)),
    )
    try:
        with connection.transaction():
            return connection.execute(query).fetchone() == (True,)
    except psycopg.Error:  # it looks at a column that we can't say anything about
        if connection.closed:
            raise
        return False


class SchemaProbe(dg.ConfigurableResource):
    """Both databases under `missing_schema`; implements `core.ports.SchemaAccess`."""

    assets_db: dg.ResourceDependency[PostgresResource]
    operation_db: dg.ResourceDependency[PostgresResource]

    def problems(self) -> list[str]:
        """See `core.ports.SchemaAccess.problems`. What only the roll-up of a day's spend lacks holds up no run."""
        with self.assets_db.connection() as assets, self.operation_db.connection() as operation:
            return [
                str(problem)
                for problem in missing_schema(assets, operation)
                if problem.table not in _NOT_FOR_A_RUN
            ]
