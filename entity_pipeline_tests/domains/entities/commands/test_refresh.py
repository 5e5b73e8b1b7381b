"""`enrich --refresh` as a process: what it costs is said first, and what was paid for is not paid for twice."""

import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from entity_pipeline_tests.cli.command import Command
from entity_pipeline_tests.cli.test_commands import post, statuses, switch_on, wait_for
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.standins import GeminiStandin

NAMES = [f"stranger{number}" for number in range(12)]


@pytest.fixture
def gemini() -> Iterator[GeminiStandin]:
    with GeminiStandin(latency_ms=0) as standin:
        yield standin


@pytest.fixture
def command(tmp_path: Path, database_variables: Mapping[str, str], gemini: GeminiStandin) -> Command:
    return Command(tmp_path, {**database_variables, "GEMINI_BASE_URL": gemini.url})


def grounded(gemini: GeminiStandin) -> int:
    return int(gemini.requests["grounded"])


def enriched(command: Command, assets_db: ClonedDatabase, names: Sequence[str]) -> None:
    post(assets_db, *names)
    switch_on(assets_db, concurrency=2)
    ended = command("enrich")
    assert ended.code == 0, ended.said


def test_an_interrupted_refresh_goes_on_and_pays_for_each_account_once(
    command: Command, assets_db: ClonedDatabase, gemini: GeminiStandin
) -> None:
    enriched(command, assets_db, NAMES)
    with GeminiStandin(latency_ms=250) as slow:
        process = command.start("enrich", "--refresh", "all", "--yes", GEMINI_BASE_URL=slow.url)
        try:
            wait_for(lambda: slow.requests["grounded"] >= 3)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
        paid = grounded(slow)
    assert process.returncode == 130, out + err
    assert f"At most {len(NAMES)} paid calls are left. That is about 0.0" in out
    assert f"Calls to Gemini since the command began: {paid}." in out
    assert 3 <= paid < len(NAMES)
    before = grounded(gemini)
    again = command("enrich", "--refresh", "all", "--yes")
    assert again.code == 0, again.said
    left = len(NAMES) - paid
    assert "goes on." in again.out
    assert f"At most {left} paid call" in again.out
    assert "is finished." in again.out
    assert grounded(gemini) - before == left


def test_a_finished_refresh_is_followed_by_a_new_one(
    command: Command, assets_db: ClonedDatabase, gemini: GeminiStandin
) -> None:
    enriched(command, assets_db, NAMES[:2])
    for _ in range(2):
        before = grounded(gemini)
        ended = command("enrich", "--refresh", "all", "--yes")
        assert ended.code == 0, ended.said
        assert grounded(gemini) - before == 2


def test_a_refresh_that_a_limit_ended_goes_on_unless_it_is_begun_anew(
    command: Command, assets_db: ClonedDatabase, gemini: GeminiStandin
) -> None:
    enriched(command, assets_db, NAMES[:3])
    first = command("enrich", "--refresh", "all", "--limit", "1", "--yes")
    assert "This command makes at most 1 of them" in first.out
    assert "is not finished: 2 left." in first.out
    assert (
        "At most 2 paid calls are left" in command("enrich", "--refresh", "all", "--limit", "1", "--yes").out
    )
    anew = command("enrich", "--refresh", "all", "--anew", "--yes")
    assert "At most 3 paid calls are left" in anew.out
    assert "Nothing is left" not in anew.out
    assert "goes on" not in command("enrich", "--refresh", "all", "--limit", "1", "--yes").out


def test_a_refresh_pays_nothing_without_a_yes(
    command: Command, assets_db: ClonedDatabase, gemini: GeminiStandin
) -> None:
    enriched(command, assets_db, NAMES[:2])
    before = grounded(gemini)
    ended = command("enrich", "--refresh", "all")
    assert ended.failure == (
        "Nothing was done: there is no terminal to ask at, so confirm it by adding --yes."
    )
    assert "At most 2 paid calls are left. That is about 0.0" in ended.out
    assert grounded(gemini) == before
    assert "goes on" not in command("enrich", "--refresh", "all", "--limit", "1", "--yes").out


def test_only_failed_reviews_are_made_again(
    command: Command, assets_db: ClonedDatabase, operation_db: ClonedDatabase, gemini: GeminiStandin
) -> None:
    enriched(command, assets_db, ["prada", "garbledreply.madeup"])
    assert statuses(operation_db) == {"prada": "reviewed", "garbledreply.madeup": "failed"}
    before = grounded(gemini)
    ended = command("enrich", "--refresh", "failed", "--yes")
    assert ended.code == 0, ended.said
    assert "At most 1 paid call is left" in ended.out
    assert grounded(gemini) - before == 1
    assert "is finished." in ended.out
