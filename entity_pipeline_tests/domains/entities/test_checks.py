"""The checks of names, as Dagster runs them, on the real database."""

from contextlib import nullcontext
from datetime import timedelta
from typing import Any
from uuid import UUID

import dagster as dg
import pytest

from entity_pipeline.core.audit import SYSTEM_ACTOR
from entity_pipeline.domains.entities import checks as module
from entity_pipeline_tests.databases import ClonedDatabase

PERSON = UUID(int=7)


def add(database: ClonedDatabase, table: str, en: str | None, ko: str | None = None) -> UUID:
    with database.connection() as connection:
        row = connection.execute(
            f"insert into {table} (name_en, name_ko) values (%s, %s) returning id", [en, ko]
        ).fetchone()
    assert row is not None
    found: UUID = row[0]
    return found


def written(
    database: ClonedDatabase, table: str, target: UUID, *, days_ago: int = 0, by: UUID = SYSTEM_ACTOR
) -> UUID:
    with database.connection() as connection:
        connection.execute(
            "insert into admin_audit_log (admin_user_id, action, target_table, target_id, created_at) "
            "values (%s, 'x', %s, %s, now() - %s)",
            [by, table, target, timedelta(days=days_ago)],
        )
    return target


def run(check: Any, database: ClonedDatabase) -> tuple[bool, int, list[dict[str, Any]]]:
    result: dg.AssetCheckResult = check(operation_db=database)
    assert result.severity is dg.AssetCheckSeverity.WARN
    shown = result.metadata["list"]
    rows = [record.data for record in shown.records] if isinstance(shown, dg.TableMetadataValue) else []
    assert result.metadata["found"].value == len(rows)
    return bool(result.passed), int(result.metadata["looked_at"].value), rows


def test_only_entities_recently_written_or_linked_by_the_pipeline_are_checked(
    operation_db: ClonedDatabase,
) -> None:
    mine = written(operation_db, "brands", add(operation_db, "brands", "Chanel", "노스페이스"))
    written(operation_db, "brands", add(operation_db, "brands", "Zara", "노스페이스"), by=PERSON)
    written(operation_db, "brands", add(operation_db, "brands", "Fendi", "노스페이스"), days_ago=31)
    linked = add(operation_db, "artists", "Ashley", "최빛나")
    with operation_db.connection() as connection:
        row = connection.execute(
            "insert into instagram_accounts (username, artist_id, entity_ig_role) values ('a', %s, 'primary') "
            "returning id",
            [linked],
        ).fetchone()
    assert row is not None
    written(operation_db, "instagram_accounts", row[0])
    passed, looked_at, rows = run(module.names_fit_together, operation_db)
    assert (passed, looked_at) == (False, 2)
    assert {row["id"] for row in rows} == {str(mine), str(linked)}
    assert {row["entity"] for row in rows} == {"노스페이스 / Chanel", "최빛나 / Ashley"}
    assert all(row["why"] and row["what_to_do"] for row in rows)


def test_names_that_fit_pass(operation_db: ClonedDatabase) -> None:
    written(operation_db, "brands", add(operation_db, "brands", "Gentle Monster", "젠틀몬스터"))
    assert run(module.names_fit_together, operation_db) == (True, 1, [])


def test_a_duplicate_entity_is_found_once_even_if_a_person_made_the_other(
    operation_db: ClonedDatabase,
) -> None:
    first = written(operation_db, "brands", add(operation_db, "brands", "Musinsa", "무신사"))
    add(operation_db, "brands", "무신사")
    add(operation_db, "groups", "Musinsa")
    both = [written(operation_db, "groups", add(operation_db, "groups", name)) for name in ("W!CE", "WCE")]
    english = written(operation_db, "artists", add(operation_db, "artists", "Changmin"))
    written(operation_db, "artists", add(operation_db, "artists", None, "창민"))
    passed, looked_at, rows = run(module.no_entity_is_there_twice, operation_db)
    assert (passed, looked_at) == (False, 5)
    assert {row["id"] for row in rows} <= {str(item) for item in (first, english, *both)}
    assert sorted(row["table"] for row in rows) == ["artists", "brands", "groups"]


def test_a_person_in_two_groups_is_found_while_both_memberships_are_active(
    operation_db: ClonedDatabase,
) -> None:
    person = written(operation_db, "artists", add(operation_db, "artists", "Mina", "미나"))
    groups = [add(operation_db, "groups", name) for name in ("TWICE", "AOA", "ITZY")]
    with operation_db.connection() as connection:
        for group, is_active in zip(groups, (True, True, False), strict=True):
            connection.execute("insert into group_members values (%s, %s, %s)", [group, person, is_active])
    passed, _, (row,) = run(module.nobody_is_in_two_groups, operation_db)
    assert not passed
    assert (row["entity"], "TWICE" in row["others"], "ITZY" in row["others"]) == ("미나 / Mina", True, False)
    with operation_db.connection() as connection:
        connection.execute("update group_members set is_active = false where group_id = %s", [groups[1]])
    assert run(module.nobody_is_in_two_groups, operation_db) == (True, 1, [])


@pytest.mark.parametrize("damage", ["rename to hidden", "drop column is_active"])
def test_memberships_that_cannot_be_read_are_a_message(operation_db: ClonedDatabase, damage: str) -> None:
    with operation_db.connection() as connection:
        connection.execute(f"alter table group_members {damage}".encode())
    result: Any = module.nobody_is_in_two_groups(operation_db=operation_db)
    assert result.passed
    assert "can't be read: grant this role select" in result.metadata["not_looked_at"].value


@pytest.mark.parametrize(
    "check", [module.names_fit_together, module.no_entity_is_there_twice, module.nobody_is_in_two_groups]
)
def test_a_check_of_names_changes_nothing(operation_db: ClonedDatabase, check: Any) -> None:
    written(operation_db, "brands", add(operation_db, "brands", "Chanel", "노스페이스"))
    counted = "select sum(n_tup_ins + n_tup_upd + n_tup_del) from pg_stat_xact_user_tables"
    with operation_db.connection() as connection, connection.transaction():
        connection.execute("set transaction read only")
        again = connection.execute(counted).fetchone()
        assert check(operation_db=_Same(connection)) is not None
        assert connection.execute(counted).fetchone() == again


class _Same:
    """A database with one connection, inside a transaction that may not write."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def connection(self) -> Any:
        return nullcontext(self._connection)
