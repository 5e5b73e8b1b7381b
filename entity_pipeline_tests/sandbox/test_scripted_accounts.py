"""Accounts that a sample describes in detail, as the pipeline's own client sees them through a session."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests

from entity_pipeline.resources.instagram.operations.hashtag_node import read_answer
from entity_pipeline.resources.instagram.operations.highlight_node import read_highlights, read_tray
from entity_pipeline.resources.instagram.operations.post_node import read_posts
from entity_pipeline.sandbox.instagram_profiles import SimulatedAccount, pk_of
from entity_pipeline.sandbox.instagram_scripts import (
    AccountScript,
    ScriptedHighlight,
    ScriptedPost,
    ScriptedStory,
)
from entity_pipeline.sandbox.instagram_standin import InstagramStandin

NOW = int(time.time()) // 60 * 60
SESSION = {"Authorization": "Bearer IGT:2:simulated"}
POSTS = (
    ScriptedPost(NOW - 3_600, "reel", "one #달토끼", 90, 10, plays=500, plays_on_grid=False),
    ScriptedPost(NOW - 7_200, "photo", None, None, 4, hidden_as=-1, coauthors=("guest.madeup",)),
    ScriptedPost(NOW - 10_800, "album", "three", 7, 0, pinned=True, paid=True, sponsors=("shop.madeup",)),
)
HIGHLIGHT = ScriptedHighlight(
    "Trip",
    (
        ScriptedStory(NOW, ("friend.madeup",), ("https://shop.example/a",), ("Somewhere",)),
        ScriptedStory(NOW, ("friend.madeup",), ("https://shop.example/b",), old_form=True),
    ),
)
AUTHOR = SimulatedAccount(
    "author.madeup",
    "Author",
    "A bio",
    is_business=True,
    script=AccountScript(4_200, 7, True, "Blogger", POSTS, (HIGHLIGHT,), 30, ("", "server_error")),
)
GUEST = SimulatedAccount("guest.madeup", "Guest", "", script=AccountScript(5))


@pytest.fixture
def standin() -> Iterator[InstagramStandin]:
    tags = {"달토끼": [("author.madeup", 0), ("author.madeup", 2)]}
    with InstagramStandin([replace(AUTHOR), GUEST], tags, latency_ms=0) as server:
        yield server


def _json(standin: InstagramStandin, path: str) -> requests.Response:
    return requests.get(f"{standin.url}/api/v1/{path}", headers=SESSION, timeout=5)


def test_posts_come_with_what_the_script_says_and_pinned_ones_first(standin: InstagramStandin) -> None:
    answer = _json(standin, f"feed/user/{AUTHOR.id}/?count=12").json()
    posts = read_posts(answer["items"]).posts
    assert [post.caption for post in posts] == ["three", "one #달토끼", None]
    pinned, reel, hidden = posts
    assert pinned.pinned_by == (AUTHOR.id,)
    assert pinned.is_paid_partnership
    assert [one.username for one in pinned.sponsors] == ["shop.madeup"]
    assert (reel.like_count, reel.play_count) == (90, None)
    assert (hidden.like_count, hidden.likes_hidden, hidden.comment_count) == (None, True, 4)
    assert [one.pk for one in hidden.coauthors] == [pk_of("guest.madeup")]


def test_a_post_with_a_co_author_stands_on_both_timelines(standin: InstagramStandin) -> None:
    [post] = read_posts(_json(standin, f"feed/user/{GUEST.id}/").json()["items"]).posts
    assert post.owner is not None
    assert post.owner.username == "author.madeup"


def test_counts_are_those_of_the_script(standin: InstagramStandin) -> None:
    user = _json(standin, f"users/{AUTHOR.id}/info/").json()["user"]
    assert (user["follower_count"], user["following_count"], user["media_count"]) == (4_200, 7, 33)
    assert (user["is_verified"], user["is_business"], user["category"]) == (True, True, "Blogger")


def test_only_the_reels_tab_shows_the_plays(standin: InstagramStandin) -> None:
    variables = f'{{"data":{{"target_user_id":"{AUTHOR.id}"}}}}'
    answer = requests.post(
        f"{standin.url}/graphql/query", data={"variables": variables}, headers=SESSION, timeout=5
    ).json()
    [edge] = answer["data"]["xdt_api__v1__clips__user__connection_v2"]["edges"]
    assert edge["node"]["media"]["play_count"] == 500


def test_highlights_show_stories_in_both_forms(standin: InstagramStandin) -> None:
    [entry] = read_tray(_json(standin, f"highlights/{AUTHOR.id}/highlights_tray/").json()).highlights
    assert (entry.title, entry.media_count) == ("Trip", 2)
    _json(standin, f"highlights/{AUTHOR.id}/highlights_tray/")  # the second request, a bad day
    answer = _json(standin, f"feed/reels_media/?reel_ids=highlight:{entry.pk}").json()
    [highlight] = read_highlights(answer, [entry.pk]).highlights
    assert [[one.username for one in story.mentions or ()] for story in highlight.stories] == [
        ["friend.madeup"]
    ] * 2
    assert [story.links for story in highlight.stories] == [
        ("https://shop.example/a",),
        ("https://shop.example/b",),
    ]


def test_a_bad_day_concerns_one_request_of_the_account(standin: InstagramStandin) -> None:
    path = f"feed/user/{AUTHOR.id}/"
    assert [_json(standin, path).status_code for _ in range(3)] == [200, 503, 200]


def test_a_hashtag_has_the_posts_of_the_sample_in_any_spelling(standin: InstagramStandin) -> None:
    decomposed = "\u1103\u1161\u11af\u1110\u1169\u1101\u1175"
    page = read_answer(_json(standin, f"tags/web_info/?tag_name={decomposed}").json())
    assert sorted(str(post.caption) for post in page.posts) == ["one #달토끼", "three"]
