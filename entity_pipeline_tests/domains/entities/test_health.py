"""What `doctor` warns of in databases with which the entities domain still works."""

import math
from typing import Any

import psycopg
import pytest

from entity_pipeline.domains.entities.accounts.enrichment_queue import compare, sweep
from entity_pipeline.domains.entities.health import (
    doubled_rows,
    evaluation_problems,
    list_problems,
    undated_posts,
)

Connection = psycopg.Connection[Any]


def test_migrated_databases_cause_no_warning(assets: Connection, operation: Connection) -> None:
    found = [*doubled_rows(operation), *list_problems(assets, operation), *evaluation_problems(assets)]
    assert [*found, *undated_posts(assets)] == []


def test_posts_without_a_day_are_named(assets: Connection) -> None:
    for at in ("infinity", "-infinity", "2026-03-01"):
        assets.execute(
            "insert into raw_posts (platform, external_id, created_at) values ('instagram', %s, %s)", [at, at]
        )
    [sentence] = undated_posts(assets)
    assert "to be a day: 2." in sentence


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
    ("late", "says"),
    [
        ("update enrichment_queue_sweep set as_of = null", "enrichment_queue is empty"),
        (
            "update enrichment_queue_sweep set as_of = as_of - interval '2 hours'",
            "that changed_accounts_sensor is on",
        ),
        (
            "update enrichment_queue_sweep set compared_at = compared_at - interval '3 days'",
            "was not compared with all accounts for two days",
        ),
    ],
)
def test_a_list_that_is_behind_the_accounts_is_named(
    assets: Connection, operation: Connection, late: str, says: str
) -> None:
    operation.execute("insert into instagram_accounts (username) values ('a')")
    for follow in (sweep, compare):
        follow(operation, assets, give_up_at=math.inf)
    assert list(list_problems(assets, operation)) == []
    assets.execute(late.encode())
    [sentence] = list_problems(assets, operation)
    assert says in sentence


def test_the_lack_of_a_table_for_evaluations_is_named(assets: Connection) -> None:
    assets.execute("drop table review_evaluations")
    [sentence] = evaluation_problems(assets)
    assert "the table review_evaluations is missing" in sentence
