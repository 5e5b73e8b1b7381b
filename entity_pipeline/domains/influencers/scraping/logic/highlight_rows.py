"""The rows of `blog_highlights`: first the tray's entry, then what the stories in it name."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from entity_pipeline.core.instagram.highlights import Highlight, HighlightStories
from entity_pipeline.domains.influencers.scraping.logic.post_rows import names

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TrayRow:
    """The columns that the tray gives."""

    platform_id: int
    title: str | None
    media_count: int | None
    cover_url: str | None


@dataclass(frozen=True, slots=True)
class StoriesRow:
    """The columns that the stories give, each value once."""

    platform_id: int
    story_mentions: list[str]
    story_locations: list[str]
    story_links: list[str]


def tray_row(highlight: Highlight) -> TrayRow:
    """The row of one entry."""
    return TrayRow(highlight.pk, highlight.title, highlight.media_count, highlight.cover_url)


def stories_row(highlight: HighlightStories) -> StoriesRow:
    """The row of one highlight's stories; a story that does not say names nothing."""
    stories = highlight.stories
    places = [place.name or str(place.pk) for story in stories for place in story.places or ()]
    return StoriesRow(
        platform_id=highlight.pk,
        story_mentions=names(user for story in stories for user in story.mentions or ()),
        story_locations=_each_once(places),
        story_links=_each_once(link for story in stories for link in story.links or ()),
    )


def _each_once(values: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(values))
