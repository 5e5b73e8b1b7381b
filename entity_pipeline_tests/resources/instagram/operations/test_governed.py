"""The operations through a governed session, against the stand-in of the sandbox and on a real ledger."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet

from entity_pipeline.core.instagram.hashtag_top import HashtagMore, HashtagTop
from entity_pipeline.core.instagram.highlights import HighlightItems, HighlightsLook
from entity_pipeline.core.instagram.newest_posts import NewestPosts
from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.post import InstagramPost, PostLook
from entity_pipeline.core.instagram.profile import ProfileById
from entity_pipeline.core.instagram.reels import ReelsLook
from entity_pipeline.core.instagram.results import Deferred, Result
from entity_pipeline.resources.instagram import InstagramResource
from entity_pipeline.resources.instagram.session_secrets import SessionSecrets
from entity_pipeline.sandbox.instagram_profiles import pk_of
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.resources.instagram.instagram_row import permit
from entity_pipeline_tests.standins import InstagramStandin

KEY = Fernet.generate_key().decode()
COOKIES = {"csrftoken": "c", "sessionid": "1%3As3cret", "ds_user_id": "1"}
PRADA = pk_of("prada")


@pytest.fixture
def standin() -> Iterator[InstagramStandin]:
    with InstagramStandin(latency_ms=0) as server:
        yield server


@pytest.fixture
def pool(assets_db: ClonedDatabase) -> ClonedDatabase:
    with assets_db.connection() as connection:
        permit(connection)
        connection.execute(
            "insert into instagram_pool_accounts (username, route, session_secret) values ('pool_1', 'direct', %s)",
            [SessionSecrets(KEY).seal_cookies(COOKIES)],
        )
    return assets_db


def run(standin: InstagramStandin, database: ClonedDatabase, operation: Operation[Any]) -> Any:
    access = InstagramResource(base_url=standin.url, session_keys=KEY, assets_db=database)
    return access.session("content_monitoring").run(operation, datetime.now(UTC) + timedelta(seconds=30))


def value(standin: InstagramStandin, database: ClonedDatabase, operation: Operation[Any]) -> Any:
    ended = run(standin, database, operation)
    assert isinstance(ended, Result), ended
    assert ended.word == "found", ended
    return ended.value


def log(database: ClonedDatabase) -> list[tuple[Any, ...]]:
    with database.connection() as connection:
        return connection.execute(
            "select host, domain, operation, target, outcome from instagram_request_log order by requested_at"
        ).fetchall()


def test_a_full_scrape_is_one_logged_request_for_each_operation(
    standin: InstagramStandin, pool: ClonedDatabase
) -> None:
    profile = value(standin, pool, ProfileById(PRADA))
    page = value(standin, pool, NewestPosts(PRADA, 20))
    reels = value(standin, pool, ReelsLook(PRADA, profile.username))
    tray = value(standin, pool, HighlightsLook(PRADA))
    chosen = tuple(one.pk for one in tray.highlights[:5]) or (1,)
    items = value(standin, pool, HighlightItems(chosen))
    newest: InstagramPost = page.posts[0]
    again = value(standin, pool, PostLook(newest.code))

    assert (profile.username, len(page.posts), page.unread, page.more) == ("prada", 20, 0, True)
    assert newest == again
    assert [one.taken_at for one in page.posts] == sorted((one.taken_at for one in page.posts), reverse=True)
    assert any(PRADA in one.pinned_by for one in page.posts)
    assert {one.pk for one in reels.reels} & {one.pk for one in page.posts}
    assert [one.pk for one in items.highlights] == list(chosen)
    assert items.highlights[0].stories[0].links == ("https://shop.example/a",)
    mobile, www = "i.instagram.com", "www.instagram.com"
    assert log(pool) == [
        (mobile, "content_monitoring", "profile_by_id", str(PRADA), "ok"),
        (mobile, "content_monitoring", "newest_posts", str(PRADA), "ok"),
        (www, "content_monitoring", "reels", str(PRADA), "ok"),
        (mobile, "content_monitoring", "highlights", str(PRADA), "ok"),
        (mobile, "content_monitoring", "highlight_items", ",".join(map(str, chosen)), "ok"),
        (www, "content_monitoring", "post", newest.code, "ok"),
    ]
    assert standin.requests["total"] == 6


def test_a_hashtag_takes_one_request_a_page(standin: InstagramStandin, pool: ClonedDatabase) -> None:
    first = value(standin, pool, HashtagTop("Jeju"))
    assert len(first.posts) == 25
    assert all("#jeju" in (one.caption or "") for one in first.posts)
    second = value(standin, pool, HashtagMore("jeju", first.next))
    assert second.posts
    assert not {one.pk for one in first.posts} & {one.pk for one in second.posts}
    assert second.next is None
    assert [row[2] for row in log(pool)] == ["hashtag_top", "hashtag_more"]


def test_a_post_that_is_gone_is_confirmed_by_the_canary_of_its_own_kind(
    standin: InstagramStandin, pool: ClonedDatabase
) -> None:
    newest = value(standin, pool, NewestPosts(PRADA)).posts[0]
    standin.feeds.remove_post(newest.code)
    gone = run(standin, pool, PostLook(newest.code))
    assert isinstance(gone, Result)
    assert (gone.word, gone.canary, gone.detail) == (
        "not_found",
        True,
        "HTTP 200: the list of posts is empty.",
    )
    assert [row[2:4] for row in log(pool)][1:] == [("post", newest.code), ("post", "C")]
    assert newest.code not in {one.code for one in value(standin, pool, NewestPosts(PRADA)).posts}


@pytest.mark.parametrize("operation", [ProfileById(7), NewestPosts(7), ReelsLook(7, "x"), HighlightsLook(7)])
def test_a_pk_that_is_gone_is_confirmed_by_the_canary(
    standin: InstagramStandin, pool: ClonedDatabase, operation: Operation[Any]
) -> None:
    gone = run(standin, pool, operation)
    assert isinstance(gone, Result)
    assert (gone.word, gone.canary) == ("not_found", True)
    assert [row[2:4] for row in log(pool)] == [(operation.name, "7"), (operation.name, "25025320")]


@pytest.mark.parametrize(
    ("username", "word"),
    [("closeddoor.madeup", "private"), ("zzx.wall.madeup", "logged_out"), ("zzz.ratelimit.madeup", "rate_limited")],
)  # fmt: skip
def test_a_sample_says_how_an_account_behaves(
    standin: InstagramStandin, pool: ClonedDatabase, username: str, word: str
) -> None:
    assert run(standin, pool, NewestPosts(pk_of(username))).word == word
    assert log(pool)[0][4] in (word, "ok")


def test_strangers_do_not_ask_what_needs_an_account(
    standin: InstagramStandin, assets_db: ClonedDatabase
) -> None:
    with assets_db.connection() as connection:
        permit(connection)
    held = run(standin, assets_db, NewestPosts(PRADA))
    assert isinstance(held, Deferred)
    assert held.reason.key == "session_needed"
    assert held.next_at is not None
    assert (log(assets_db), standin.requests["total"]) == ([], 0)
