"""`ask-again` and `decide-again` as processes."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from entity_pipeline_tests.cli.command import Command
from entity_pipeline_tests.cli.test_commands import post, statuses, switch_on
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.standins import GeminiStandin


@pytest.fixture
def gemini() -> Iterator[GeminiStandin]:
    with GeminiStandin(latency_ms=0) as standin:
        yield standin


@pytest.fixture
def command(tmp_path: Path, database_variables: Mapping[str, str], gemini: GeminiStandin) -> Command:
    return Command(tmp_path, {**database_variables, "GEMINI_BASE_URL": gemini.url})


def test_changed_thresholds_decide_held_accounts_when_a_person_asks_and_cost_nothing(
    command: Command, assets_db: ClonedDatabase, operation_db: ClonedDatabase, gemini: GeminiStandin
) -> None:
    post(assets_db, "prada", "timberland", "garbledreply.madeup")
    switch_on(assets_db, thresholds={"brand": 1.0})
    assert command("enrich").code == 0
    assert statuses(operation_db, "catalog_link")["prada"] == "held"
    total = gemini.requests["total"]
    changed = command("settings", "set", "thresholds.brand=0.8")
    assert "entity-pipeline decide-again" in changed.out
    assert "2 held accounts now reach their threshold" in command("entities", "status").out
    one = command("decide-again", "--account", "@Prada")
    assert one.code == 0, one.said
    assert statuses(operation_db, "catalog_link") == {
        "prada": "created",
        "timberland": "held",
        "garbledreply.madeup": None,
    }
    ended = command("decide-again")
    assert ended.code == 0, ended.said
    assert "created: 1 before, 2 now" in ended.out
    assert "now reach" not in command("entities", "status").out
    assert gemini.requests["total"] == total


def test_a_failed_account_is_asked_again_by_the_next_run(
    command: Command, assets_db: ClonedDatabase, operation_db: ClonedDatabase, gemini: GeminiStandin
) -> None:
    post(assets_db, "prada", "garbledreply.madeup")
    switch_on(assets_db)
    assert command("enrich").code == 0
    before = gemini.requests["grounded"]
    ended = command("ask-again", "garbledreply.madeup")
    assert "garbledreply.madeup waits for its review again." in ended.out
    assert statuses(operation_db)["garbledreply.madeup"] == "pending"
    assert command("enrich").code == 0
    assert gemini.requests["grounded"] - before == 1
    assert command("ask-again", "prada").failure == "Nothing was changed: the review of prada has not failed."
