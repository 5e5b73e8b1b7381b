"""From raw media nodes to posts: by table, and with hostile values in every place."""

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.core.instagram.newest_posts import PostsPage
from entity_pipeline.core.instagram.post import InstagramPost, NamedUser, Place
from entity_pipeline.core.instagram.reels import Reel
from entity_pipeline.resources.instagram.handlers import Observed, Unreadable
from entity_pipeline.resources.instagram.operations import hashtag_node, newest_posts, post, reels
from entity_pipeline.resources.instagram.operations.post_node import read_post, read_posts
from entity_pipeline_tests.resources.instagram import media as raw

BRAND = NamedUser(9000000003, "made.up.brand")
_BRAND = {"pk": "9000000003", "username": "made.up.Brand"}


def test_every_field_is_read() -> None:
    assert read_post(raw.media()) == InstagramPost(
        pk=raw.PK,
        code="Made0000000",
        taken_at=datetime(2026, 11, 18, 6, 18, 40, tzinfo=UTC),
        kind="video",
        product_type="clips",
        owner=NamedUser(raw.OWNER, "made.up.person"),
        caption="Sea #Jeju day with @made.up.brand",
        like_count=120,
        comment_count=7,
        play_count=4000,
        ig_play_count=3900,
        fb_play_count=100,
        tagged=(NamedUser(9000000002, "made.up.friend"),),
        is_paid_partnership=False,
        location=Place(213, "Beach", 33.4, 126.5),
        thumbnail_url="https://x.cdninstagram.com/i.jpg?oe=7",
        duration_s=11.5,
    )


@pytest.mark.parametrize(
    ("fields", "likes"),
    [
        ({"like_count": 3, "like_and_view_counts_disabled": True}, (None, True)),
        ({"like_count": -1}, (None, True)),
        ({"like_count": None}, (None, True)),
        ({"like_count": ...}, (None, False)),
        ({"like_count": "120"}, (None, False)),
        ({"like_count": 0}, (0, False)),
        ({"like_count": 3}, (3, False)),
        ({"like_count": 120, "like_and_view_counts_disabled": None}, (120, False)),
    ],
)
def test_hidden_likes_are_unknown_and_never_0(fields: dict[str, Any], likes: tuple[int | None, bool]) -> None:
    found = read_post(raw.media(**fields))
    assert (found.like_count, found.likes_hidden) == likes


@pytest.mark.parametrize(
    ("fields", "attribute", "expected"),
    [
        ({"pk": raw.PK}, "pk", raw.PK),
        ({"media_type": 1}, "kind", "photo"),
        ({"media_type": 8}, "kind", "album"),
        ({"media_type": 77}, "kind", None),
        ({"media_type": True}, "kind", None),
        ({"caption": None}, "caption", None),
        ({"caption": "text"}, "caption", None),
        ({"caption": {"text": "a\ud800\0b"}}, "caption", "ab"),
        ({"play_count": None}, "play_count", None),
        ({"view_count": 0}, "view_count", None),
        ({"view_count": 9}, "view_count", 9),
        ({"comment_count": ...}, "comment_count", None),
        ({"comments_disabled": True}, "comments_disabled", True),
        ({"commenting_disabled_for_viewer": False}, "comments_disabled", False),
        ({"coauthor_producers": [_BRAND, _BRAND, None]}, "coauthors", (BRAND,)),
        ({"sponsor_tags": [{"sponsor": _BRAND}]}, "sponsors", (BRAND,)),
        ({"timeline_pinned_user_ids": [raw.OWNER, str(raw.OWNER)]}, "pinned_by", (raw.OWNER,)),
        ({"clips_tab_pinned_user_ids": ["5"]}, "pinned_reel_by", (5,)),
        ({"user": ...}, "owner", None),
        ({"user": {"pk": raw.OWNER}}, "owner", NamedUser(raw.OWNER, None)),
        ({"user": {"id": "x"}}, "owner", None),
        ({"usertags": None}, "tagged", ()),
        (
            {"usertags": None, "carousel_media": [{"usertags": {"in": [{"user": _BRAND}]}}, {"usertags": None}]},
            "tagged",
            (BRAND,),
        ),
        ({"usertags": None, "fb_user_tags": {"in": [{"user": _BRAND}]}}, "tagged", (BRAND,)),
        ({"location": {"pk": "213", "name": "Beach"}}, "location", Place(213, "Beach")),
        ({"location": {"lat": 1.0}}, "location", None),
        ({"location": {"name": "x", "lat": float("nan"), "lng": True}}, "location", Place(None, "x")),
        ({"image_versions2": None}, "thumbnail_url", None),
        ({"image_versions2": {"candidates": [{"url": "http://x/y", "width": 1}]}}, "thumbnail_url", None),
        ({"video_duration": "11"}, "duration_s", None),
    ],
)  # fmt: skip
def test_an_odd_field_is_read_as_far_as_it_is_usable(
    fields: dict[str, Any], attribute: str, expected: Any
) -> None:
    assert getattr(read_post(raw.media(**fields)), attribute) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"pk": ...}, {"pk": "0"}, {"pk": "12; drop"}, {"pk": str(2**63)}, {"pk": 4.0e18}, {"pk": True},
        {"code": None}, {"code": "a/b"}, {"code": "x" * 41}, {"taken_at": None}, {"taken_at": 0}, {"taken_at": 1e300},
    ],
)  # fmt: skip
def test_a_node_that_is_not_a_post_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        read_post(raw.media(**fields))


def test_the_newest_comes_first_though_pinned_ones_stand_before_it() -> None:
    pinned = raw.media(pk="1", taken_at=1700000000, timeline_pinned_user_ids=[raw.OWNER])
    page = newest_posts.read_answer(raw.feed(pinned, raw.media(), raw.media(), None), raw.OWNER)
    assert [one.pk for one in page.posts] == [raw.PK, 1]
    assert page == PostsPage(page.posts, unread=1, more=True)


def test_a_number_that_no_bigint_holds_is_not_rounded() -> None:
    assert read_post(raw.media(pk=str(2**63 - 1))).pk == 2**63 - 1


def test_reels_bring_plays() -> None:
    page = reels.read_answer(
        raw.reels_tab(raw.media(), raw.media(pk="7", like_count=-1, play_count=None), {}, more=False)
    )
    assert page.reels == (
        Reel(raw.PK, "Made0000000", 4000, 120, comment_count=7),
        Reel(7, "Made0000000", None, None, likes_hidden=True, comment_count=7),
    )
    assert (page.unread, page.more) == (1, False)
    assert reels.read_answer(raw.reels_tab()).reels == ()


def test_a_hashtag_is_read_in_all_three_layouts() -> None:
    one, two, three = ({"media": raw.media(pk=str(pk))} for pk in (1, 2, 3))
    mixed = {"one_by_two_item": {"clips": {"items": [two]}}, "fill_items": [three, one, {"media": None}]}
    page = hashtag_node.read_answer(
        raw.hashtag({"layout_content": {"medias": [one]}}, {"layout_content": mixed}, next_media_ids=["5"])
    )
    assert [found.pk for found in page.posts] == [1, 2, 3]
    assert (page.unread, page.media_count) == (1, 9000)
    assert page.next is not None
    assert (page.next.max_id, page.next.page, page.next.media_ids) == ("T", 1, (5,))


@pytest.mark.parametrize("fields", [{"more_available": False}, {"next_max_id": None}])
def test_the_last_page_of_a_hashtag_has_no_cursor(fields: dict[str, Any]) -> None:
    page = hashtag_node.read_answer(raw.hashtag(**fields))
    assert (page.posts, page.next) == ((), None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(raw.media()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["pk", "user", "in", "media", "items", "text"]) | st.text(), inner, max_size=3
        )
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(raw.media())), JSON))
def test_any_values_are_read_or_refused(fields: dict[str, Any]) -> None:
    try:
        found = read_post(raw.media() | fields)
    except Unreadable:
        return
    assert 0 < found.pk < 2**63
    assert found.like_count is None or not found.likes_hidden
    (found.caption or "").encode()
    assert hash(found) == hash(read_post(raw.media() | fields))


@given(JSON, st.sampled_from(["items", "user", "data", "sections", "top"]))
def test_any_answer_is_read_or_refused(value: Any, key: str) -> None:
    edges = {"data": {"xdt_api__v1__clips__user__connection_v2": value}}
    for read in (
        lambda: newest_posts.read_answer(raw.feed(raw.media()) | {key: value}, raw.OWNER),
        lambda: post.read_answer(raw.web_info(value), "Made0000000"),
        lambda: reels.read_answer(edges),
        lambda: reels.read_answer(raw.reels_tab(value, more=value)),
        lambda: hashtag_node.read_answer(
            raw.hashtag({"layout_content": {"medias": value, "fill_items": value}})
        ),
        lambda: hashtag_node.read_answer(raw.hashtag() | {key: value}),
        lambda: read_posts([value]),
    ):
        with contextlib.suppress(Unreadable, Observed):
            read()
