"""What `doctor` warns of in databases with which the entities domain works all the same."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from entity_pipeline.domains.entities.health import doubled_rows, evaluation_problems, page_list_problems

Connection = psycopg.Connection[Any]


@pytest.fixture
def role(operation: Connection) -> Iterator[sql.Identifier]:
    """A role that may read accounts and nothing else."""
    name = sql.Identifier(f"test_reader_{operation.info.dbname}")
    operation.execute(sql.SQL("create role {0}; grant select on instagram_accounts to {0}").format(name))
    operation.execute(sql.SQL("create policy p on instagram_accounts to {} using (true)").format(name))
    yield name
    operation.execute("reset role")
    operation.execute(sql.SQL("drop owned by {0}; drop role {0}").format(name))


def said_of_list(operation: Connection, *, is_page_here: bool = True) -> list[str]:
    return list(page_list_problems(operation, is_page_here=is_page_here))


def test_migrated_databases_need_no_word(assets: Connection, operation: Connection) -> None:
    operation.execute("insert into instagram_accounts (username) values ('a')")
    assert [*doubled_rows(operation), *said_of_list(operation), *evaluation_problems(assets)] == []


def test_one_handle_in_several_spellings_is_named_unless_the_others_are_off(operation: Connection) -> None:
    operation.execute(
        "insert into instagram_accounts (username) values ('@Nike'), ('nike'), (' NIKE'), ('other')"
    )
    [sentence] = doubled_rows(operation)
    assert "handles with more than one active account: 1 ( NIKE, @Nike, nike)" in sentence
    operation.execute("update instagram_accounts set is_active = false where username <> 'nike'")
    assert list(doubled_rows(operation)) == []


def test_one_name_in_several_entities_is_named_by_table(operation: Connection) -> None:
    operation.execute(
        "insert into brands (name_en) values ('GENTLE  MONSTER™'), ('Gentle Monster'), (''), ('')"
    )
    [sentence] = doubled_rows(operation)
    assert sentence.startswith(
        "operation: names that belong to more than one row of brands: 1 (GENTLE  MONSTER™)"
    )


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("drop table enrichment_queue", "the table enrichment_queue is missing"),
        (
            "drop trigger entity_pipeline_queue_update on instagram_accounts",
            "a trigger of instagram_accounts is missing",
        ),
        ("alter table instagram_accounts disable trigger entity_pipeline_queue_insert", "or switched off"),
        (
            "drop trigger entity_pipeline_queue_delete on instagram_accounts",
            "a trigger of instagram_accounts is",
        ),
        ("delete from enrichment_queue", "that are out of date: 1."),
        ("update enrichment_queue set changed_at = '2020-01-01'", "entity_pipeline_queue_refresh"),
    ],
)
def test_a_list_of_the_page_that_is_missing_or_not_kept_is_named(
    operation: Connection, damage: str, says: str
) -> None:
    operation.execute("insert into instagram_accounts (username) values ('a')")
    operation.execute(damage.encode())
    [sentence] = said_of_list(operation)
    assert says in sentence


def test_a_list_that_this_role_does_not_see_matters_only_where_the_page_runs(
    operation: Connection, role: sql.Identifier
) -> None:
    operation.execute("insert into instagram_accounts (username) values ('a')")
    operation.execute(sql.SQL("set role {}").format(role))
    assert said_of_list(operation, is_page_here=False) == []
    [sentence] = said_of_list(operation)
    assert "may not select on enrichment_queue" in sentence
    operation.execute("reset role")
    operation.execute(sql.SQL("grant select on enrichment_queue to {0}; set role {0}").format(role))
    [sentence] = said_of_list(operation)
    assert "row-level security hides the rows of enrichment_queue" in sentence
    operation.execute("reset role")
    operation.execute(
        sql.SQL("create policy p on enrichment_queue to {0} using (true); set role {0}").format(role)
    )
    assert said_of_list(operation) == []


def test_evaluations_that_can_not_be_kept_are_named(assets: Connection) -> None:
    assets.execute("drop table review_evaluations")
    [sentence] = evaluation_problems(assets)
    assert "the table review_evaluations is missing" in sentence
