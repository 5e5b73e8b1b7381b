"""What a role can't do or see because of row-level security or missing rights, although the tables exist.

PostgreSQL hides rows without an error. If row-level security applies to a role and no policy lets it in, it reads
nothing and a run would report an empty day, so that is a problem like a missing table. So is a policy with a condition,
unless the condition is true for every row that the code touches: a grounded request of another domain that is hidden
from this role would not count against the cap. Tables, columns and keys do not belong here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from entity_pipeline.core.schema_needs import Privilege, TableNeeds

# A policy without a check applies its condition to new rows.
POLICIES = """
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


@dataclass(frozen=True, slots=True)
class Table:
    """A table in the database: its catalog rows, by column or in a list, and the rights of this role."""

    oid: int
    name: str
    granted: Sequence[str]
    rows_hidden: bool
    columns: Mapping[str, Mapping[str, Any]]
    indexes: Sequence[Mapping[str, Any]]
    policies: Sequence[Mapping[str, Any]]


def access_differences(
    connection: psycopg.Connection[Any], table: Table, need: TableNeeds
) -> Iterator[tuple[str | None, str]]:
    """What this role may not do with the table, or can't see in it, as ``(column, sentence)``."""
    ungranted = [
        _in_columns(privilege, need, table)
        for privilege in need.privileges
        if privilege not in table.granted and not _granted_by_column(privilege, need, table)
    ]
    if ungranted:
        rights = ", ".join(ungranted)
        yield (
            None,
            f"this role may not {rights} on {table.name}; "
            f"as its owner: grant {rights} on {table.name} to the role",
        )
    elif table.rows_hidden:
        yield from ((None, sentence) for sentence in _hidden_rows(connection, table, need))


def may_read(table: Table, need: TableNeeds) -> bool:
    """Whether the role may select the needed columns that exist; rows may be hidden nevertheless."""
    return "select" in table.granted or _granted_by_column("select", need, table)


def _hidden_rows(connection: psycopg.Connection[Any], table: Table, need: TableNeeds) -> Iterator[str]:
    privileges = list(need.privileges)
    if need.deleted_with_references and "delete" in table.granted:
        privileges.append("delete")
    of_privilege = {
        privilege: [policy for policy in table.policies if policy["command"] in (privilege, "all")]
        for privilege in privileges
    }
    unallowed = [name for name, found in of_privilege.items() if not any(one["permissive"] for one in found)]
    if unallowed:
        yield (
            f"row-level security hides the rows of {table.name} from this role: no policy allows "
            f"{', '.join(unallowed)}; create one for the role, or give the role bypassrls"
        )
    for privilege, found in of_privilege.items():
        blamed = None if privilege in unallowed else _in_the_way(connection, privilege, need, found)
        if blamed is not None:
            yield (
                f"row-level security can keep rows of {table.name} from this role without an error: {privilege} is "
                f"limited by the condition of policy {blamed}; make it (true) for the role, or give the role bypassrls"
            )


def _granted_by_column(privilege: Privilege, need: TableNeeds, table: Table) -> bool:
    wanted = _wanted_columns(privilege, need, table)
    return bool(wanted) and all(privilege in table.columns[name]["granted"] for name in wanted)


def _wanted_columns(privilege: Privilege, need: TableNeeds, table: Table) -> list[str]:
    """The columns that exist and for which the right is enough."""
    wanted = {"select": frozenset(need.columns), "update": need.updated}.get(privilege, frozenset())
    return sorted(name for name in wanted if name in table.columns)


def _in_columns(privilege: Privilege, need: TableNeeds, table: Table) -> str:
    """The right with the columns for which it is missing, if the role has it for some; else for the table."""
    wanted = _wanted_columns(privilege, need, table)
    missing = [name for name in wanted if privilege not in table.columns[name]["granted"]]
    return f"{privilege} ({', '.join(missing)})" if len(missing) < len(wanted) else privilege


def _in_the_way(
    connection: psycopg.Connection[Any],
    privilege: str,
    need: TableNeeds,
    policies: Sequence[Mapping[str, Any]],
) -> str | None:
    """The policy that may hide a needed row: no permissive policy allows all, or a restrictive one forbids some."""

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
    except psycopg.Error:  # it reads a column whose values are not known here
        if connection.closed:
            raise
        return False
