"""The sample, against the project's own normaliser and on real databases."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from entity_pipeline.core.text.handles import Rejection, handle_or_none, normalise_username
from entity_pipeline.domains.entities.sample.catalog import existing_accounts
from entity_pipeline.domains.entities.sample.posts import load_sample
from entity_pipeline.domains.entities.sample.tags import (
    DAYS,
    ODD_SPELLINGS,
    REFUSED,
    first_days,
    sample_posts,
)
from entity_pipeline.domains.entities.sample.truth import load_truth
from entity_pipeline_tests.databases import ClonedDatabase

TODAY = date(2026, 11, 20)


def test_the_sample_is_as_large_as_it_must_be() -> None:
    assert len(first_days()) >= 330
    assert set(first_days().values()) == set(range(DAYS))
    tagged_again = {
        username
        for username, day in first_days().items()
        if any(username in post.handles and post.day > day for post in sample_posts())
    }
    assert len(tagged_again) >= 80


def test_every_account_of_the_sample_has_a_valid_handle_of_its_own() -> None:
    assert [name for name in load_truth() if handle_or_none(name) != name] == []


def test_made_up_accounts_say_so_and_behaviours_that_harm_are_theirs() -> None:
    harmless = {"", "trailing_commas", "percent", "country_name", "korean_labels"}
    for name, account in load_truth().items():
        assert account.made_up == name.endswith(".madeup")
        assert account.made_up or (account.gemini in harmless and not account.instagram)
        assert not account.made_up or "(made up)" in account.name_en


def test_each_tag_reads_as_the_account_it_stands_for() -> None:
    for post in sample_posts():
        tags = (
            post.platform_metadata.get("tagged_usernames")
            if isinstance(post.platform_metadata, dict)
            else None
        )
        read = {handle_or_none(tag) for tag in tags} - {None} if isinstance(tags, list) else set()
        assert read == post.handles, post


@pytest.mark.parametrize("number", range(len(ODD_SPELLINGS)))
def test_each_odd_spelling_is_used_and_reads_as_the_handle(number: int) -> None:
    spell = ODD_SPELLINGS[number]
    for name in first_days():
        assert normalise_username(spell(name)) == name
    written = {
        tag for post in sample_posts() if post.handles for tag in post.platform_metadata["tagged_usernames"]
    }
    assert any(spell(name) in written for name in first_days())


@pytest.mark.parametrize("text", REFUSED)
def test_refused_texts_stand_for_no_account(text: str) -> None:
    assert isinstance(normalise_username(text), Rejection)


def test_secondary_accounts_come_before_their_primary_and_some_primaries_never_come() -> None:
    days, truth = first_days(), load_truth()
    assert days["hael.archive.madeup"] < days["hael.madeup"]
    assert days["tideloom.kr.madeup"] < days["tideloom.madeup"]
    assert truth["orphanline.outlet.madeup"].primary_username not in truth


def test_loading_twice_and_on_a_later_day_changes_nothing(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, assets: Any, operation: Any
) -> None:
    first = load_sample(assets_db.url, operation_db.url, TODAY)
    before = _rows(assets, operation)
    again = load_sample(assets_db.url, operation_db.url, TODAY + timedelta(days=1))
    assert first.new_posts == first.posts == len(before["raw_posts"])
    assert first.new_operation_rows == sum(len(before[table]) for table in before) - first.posts
    assert (again.new_posts, again.new_operation_rows) == (0, 0)
    assert _rows(assets, operation) == before
    assert again.accounts == first.accounts == len(first_days())


def test_posts_lie_on_the_seven_days_and_not_in_the_future(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, assets: Any
) -> None:
    load_sample(assets_db.url, operation_db.url, TODAY)
    created = [row[0].astimezone(UTC) for row in assets.execute("select created_at from public.raw_posts")]
    assert {moment.date() for moment in created} == {TODAY - timedelta(days=back) for back in range(DAYS)}
    assert max(created) < datetime(2026, 11, 20, 0, 5, tzinfo=UTC)


def test_what_people_did_is_there_before_the_pipeline(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, operation: Any
) -> None:
    load_sample(assets_db.url, operation_db.url, TODAY)
    accounts = {
        row[0]: row[1:]
        for row in operation.execute(
            "select username, display_name, created_at from public.instagram_accounts"
        )
    }
    primaries = dict(
        operation.execute(
            "select b.name_en, a.username from public.brands b "
            "join public.instagram_accounts a on a.id = b.primary_instagram_account_id and a.brand_id = b.id"
        ).fetchall()
    )
    assert set(accounts) == {account.username for account in existing_accounts()}
    assert accounts["@Prada"][0] == "PRADA, as a person wrote it"
    assert primaries == {
        "Verdemarro (made up)": "Verdemarro.madeup",
        "Nordvane (made up)": "nordvane.archive.madeup",
    }
    assert accounts["longago.madeup"][1].year < 2025


def test_an_edit_made_since_survives_another_load(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, operation: psycopg.Connection[Any]
) -> None:
    load_sample(assets_db.url, operation_db.url, TODAY)
    operation.execute("update public.brands set primary_instagram_account_id = null, name_ko = 'edited'")
    load_sample(assets_db.url, operation_db.url, TODAY)
    left = operation.execute(
        "select distinct name_ko, primary_instagram_account_id from public.brands"
    ).fetchall()
    assert left == [("edited", None)]


def _rows(assets: Any, operation: Any) -> dict[str, list[Any]]:
    tables = [
        (assets, "raw_posts"),
        *((operation, name) for name in ("instagram_accounts", "brands", "groups", "artists")),
    ]
    return {
        table: connection.execute(f"select * from public.{table} order by id").fetchall()
        for connection, table in tables
    }
