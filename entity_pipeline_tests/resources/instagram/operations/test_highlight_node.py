"""From the answers about highlights to their values."""

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.core.instagram.highlights import Highlight, Story
from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.post import NamedUser, Place
from entity_pipeline.resources.instagram.handlers import Observed, Unreadable
from entity_pipeline.resources.instagram.operations.highlight_node import (
    plain_link,
    read_highlights,
    read_tray,
)
from entity_pipeline_tests.resources.instagram import media as raw
from entity_pipeline_tests.resources.instagram.operations.test_post_node import JSON

PK = 17900000000000000


def one_story(**fields: Any) -> Story:
    (highlight,) = read_highlights(raw.stories(PK, raw.story(**fields)), [PK]).highlights
    (story,) = highlight.stories
    return story


def test_a_tray_is_read() -> None:
    tray = read_tray(raw.tray(raw.highlight(created_at=1795000000), {"id": "x"}))
    at = datetime(2026, 11, 18, 11, 6, 40, tzinfo=UTC)
    assert tray.highlights == (Highlight(PK, "Trip", 3, "https://x.cdninstagram.com/c.jpg", at),)
    assert tray.unread == 1
    assert read_tray(raw.tray()).highlights == ()


@pytest.mark.parametrize("answer", [{}, {"tray": None}, {"tray": [{"id": "x"}]}])
def test_a_tray_that_can_not_be_read_is_not_an_empty_one(answer: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        read_tray(answer)


def test_a_story_says_whom_and_where_it_leads() -> None:
    assert one_story() == Story(
        pk=3900000000000000001,
        taken_at=datetime(2026, 11, 18, 11, 6, 40, tzinfo=UTC),
        kind="photo",
        mentions=(NamedUser(9000000005, "made.up.brand"),),
        links=("https://shop.example/a?b=1",),
        places=(Place(213, "Beach"),),
        hashtags=(),
    )


def test_the_old_forms_are_read_too() -> None:
    story = one_story(
        story_bloks_stickers=[{"bloks_sticker": {"sticker_data": {"ig_hashtag": {"name": "Jeju"}}}}],
        reel_mentions=[{"user": {"pk": "5", "username": "x"}}],
        story_link_stickers=None,
        story_cta=[{"links": [{"webUri": ""}, {"webUri": "https://shop.example/"}]}],
        story_hashtags=[{"hashtag": {"name": "sea"}}],
    )
    assert story.mentions == (NamedUser(5, "x"),)
    assert story.links == ("https://shop.example/",)
    assert story.hashtags == ("jeju", "sea")


def test_what_an_answer_does_not_say_is_unknown() -> None:
    story = one_story(
        story_bloks_stickers=..., reel_mentions=..., story_link_stickers=..., story_locations=..., story_hashtags=...
    )  # fmt: skip
    assert (story.mentions, story.links, story.places, story.hashtags) == (None, None, None, None)


def test_a_highlight_that_is_not_in_the_answer_is_missing() -> None:
    read = read_highlights(raw.stories(PK, raw.story(), None), [PK, 2])
    assert (read.missing, read.highlights[0].unread) == ((2,), 1)
    with pytest.raises(Observed) as gone:
        read_highlights({"reels": {}}, [PK])
    assert gone.value.verdict.finding is Finding.NOT_FOUND


@pytest.mark.parametrize(
    "answer", [{}, {"reels": None}, {"reels": []}, raw.stories(5, raw.story()), raw.stories(PK, {"pk": 1})]
)
def test_an_answer_about_other_highlights_is_refused(answer: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        read_highlights(answer, [PK])


@pytest.mark.parametrize(
    ("given_", "link"),
    [
        ("https://shop.example/a?b=%20c", "https://shop.example/a?b=%20c"),
        ("https://shop.example/?a=1&fbclid=x", "https://shop.example/?a=1"),
        ("https://l.instagram.com/?u=http%3A%2F%2Fshop.example%2F&e=x", "http://shop.example/"),
        ("https://l.instagram.com/?u=javascript%3Aalert(1)", None),
        ("https://l.instagram.com/?e=x", None),
        ("javascript:alert(1)", None),
        ("https://[x", None),
        ("//shop.example/", None),
        (7, None),
        ("", None),
    ],
)
def test_a_link_is_freed_of_the_redirect(given_: Any, link: str | None) -> None:
    assert plain_link(given_) == link


@given(JSON, st.sampled_from(sorted(raw.story())))
def test_any_answer_is_read_or_refused(value: Any, key: str) -> None:
    for read in (
        lambda: read_tray(raw.tray(raw.highlight(cover_media=value, id=value, created_at=value), value)),
        lambda: read_highlights({"reels": value}, [PK]),
        lambda: read_highlights(raw.stories(PK, raw.story(**{key: value}), value), [PK]),
        lambda: read_highlights(raw.stories(PK, raw.story(**{key: [value, {"user": value}]})), [PK]),
    ):
        with contextlib.suppress(Unreadable, Observed):
            read()


@given(st.text())
def test_any_text_is_a_link_or_none(text: str) -> None:
    for address in (text, f"https://l.instagram.com/?u={text}", f"https://{text}"):
        link = plain_link(address)
        assert link is None or link.startswith(("http://", "https://"))
