"""Reading a profile node whose every value may be hostile."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.core.instagram.profile import InstagramProfile
from entity_pipeline.resources.instagram.operations.profile_node import (
    NotTheProfile,
    read_profile,
    read_profile_by_id,
)
from entity_pipeline_tests.resources.instagram import media as raw
from entity_pipeline_tests.resources.instagram.page_server import user


def test_a_whole_page_gives_every_field() -> None:
    assert read_profile(user("gentlemonster"), "gentlemonster") == InstagramProfile(
        instagram_id="25025320",
        username="gentlemonster",
        display_name="젠틀몬스터",
        bio="아이웨어 브랜드",
        picture_url="https://scontent-1.cdninstagram.com/v/1_n.jpg?oh=a&oe=FFFFFFFF",
        is_private=False,
        is_verified=True,
        follower_count=1_200_000,
        external_urls=("https://gentlemonster.example/",),
        following_count=3,
        media_count=900,
    )


@pytest.mark.parametrize(
    ("fields", "attribute", "expected"),
    [
        ({"biography": None}, "bio", None),
        ({"biography": 7}, "bio", None),
        ({"biography": ""}, "bio", None),
        ({"biography": "a\ud800b"}, "bio", "ab"),
        ({"full_name": ["x"]}, "display_name", None),
        ({"pk": 25025320}, "instagram_id", "25025320"),
        ({"username": "GentleMonster"}, "username", "gentlemonster"),
        ({"profile_pic_url": "http://plain.example/x"}, "picture_url", None),
        ({"profile_pic_url": "https://" + "x" * 5_000}, "picture_url", None),
        ({"is_private": "yes"}, "is_private", None),
        ({"follower_count": True}, "follower_count", None),
        ({"follower_count": -1}, "follower_count", None),
        ({"follower_count": ..., "edge_followed_by": {"count": 5}}, "follower_count", 5),
        (
            {"bio_links": [None, {"url": "javascript:x"}, {"url": "https://a.example"}]},
            "external_urls",
            ("https://a.example",),
        ),
        ({"bio_links": "https://a.example"}, "external_urls", ()),
        ({"is_business": True}, "is_business", True),
        ({"is_business_account": True}, "is_business", True),
        ({"is_business": "yes"}, "is_business", None),
        ({"category": "Eyewear"}, "category", "Eyewear"),
        ({"category": None, "category_name": "Eyewear"}, "category", "Eyewear"),
        ({"category": None, "business_category_name": "Eyewear"}, "category", "Eyewear"),
        ({"category": 7}, "category", None),
        ({"category": "x" * 500}, "category", "x" * 100),
    ],
)
def test_an_odd_field_is_read_as_far_as_it_is_usable(
    fields: dict[str, Any], attribute: str, expected: Any
) -> None:
    assert getattr(read_profile(user("gentlemonster", **fields), "gentlemonster"), attribute) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"pk": ..., "id": ...},
        {"pk": "12; drop"},
        {"pk": "１２"},
        {"pk": "-5"},
        {"pk": True},
        {"pk": "9" * 21},
        {"username": ...},
        {"username": None},
        {"username": "somebody_else"},
    ],
)
def test_a_node_that_is_not_the_profile_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(NotTheProfile):
        read_profile(user("gentlemonster", **fields), "gentlemonster")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(user("x"))), _JSON))
def test_any_values_are_read_or_refused(fields: dict[str, Any]) -> None:
    try:
        profile = read_profile(user("x") | fields, "x")
    except NotTheProfile:
        return
    assert profile.username == "x"
    (profile.bio or "").encode()


def test_a_profile_by_its_pk_has_the_same_fields() -> None:
    assert read_profile_by_id(raw.info()["user"], raw.OWNER) == InstagramProfile(
        instagram_id=str(raw.OWNER),
        username="made.up.person",
        display_name="Made Up",
        bio="바다",
        picture_url="https://x.cdninstagram.com/hd.jpg",
        is_private=False,
        is_verified=True,
        follower_count=1234,
        external_urls=("https://shop.example/",),
        following_count=56,
        media_count=78,
        is_business=True,
        category="Traveller",
    )


@pytest.mark.parametrize("fields", [{"pk": 5}, {"pk": ...}, {"username": None}, {"username": ""}])
def test_an_answer_about_another_pk_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(NotTheProfile):
        read_profile_by_id(raw.info(**fields)["user"], raw.OWNER)
