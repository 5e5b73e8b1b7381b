"""Which request of a scrape is next, from what its task has noted as stored.

Each step notes what the later ones need. A step that Instagram does not serve is noted as skipped with the reason, if
the blog can be measured without it.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from entity_pipeline.core.instagram.highlights import MOST_HIGHLIGHTS, HighlightItems, HighlightsLook
from entity_pipeline.core.instagram.newest_posts import NewestPosts
from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.post import InstagramPost
from entity_pipeline.core.instagram.profile import InstagramProfile, ProfileById
from entity_pipeline.core.instagram.reels import Reel, ReelsLook
from entity_pipeline.core.jsonb import json_items, json_object
from entity_pipeline.domains.influencers.settings import InfluencerSettings

# The stories of so many highlights are read; of further ones, which few profiles have, only the tray's entry.
MOST_READ = 20

Steps = Mapping[str, Any]


class Step(StrEnum):
    """The steps, and the keys of their notes."""

    PROFILE = "profile"
    COUNTS = "counts"
    POSTS = "posts"
    REELS = "reels"
    TRAY = "tray"
    ITEMS = "items"


OPTIONAL = frozenset({Step.COUNTS, Step.REELS, Step.TRAY, Step.ITEMS})
_BEFORE_MEASURES = frozenset({Step.PROFILE, Step.COUNTS, Step.POSTS, Step.REELS})


def next_step(steps: Steps, settings: InfluencerSettings) -> Step | None:
    """The step to take now; None when nothing is left."""
    profile, posts, tray = (steps.get(step) for step in (Step.PROFILE, Step.POSTS, Step.TRAY))
    if profile is None:
        return Step.PROFILE
    if json_object(profile).get("lacks_counts") and Step.COUNTS not in steps:
        return Step.COUNTS
    if posts is None and json_object(profile).get("posts") != 0:
        return Step.POSTS
    if json_object(posts).get("without_plays") and Step.REELS not in steps:
        return Step.REELS
    if settings.highlights_enabled:
        if tray is None:
            return Step.TRAY
        if unread_highlights(steps):
            return Step.ITEMS
    return None


def is_measurable(steps: Steps, settings: InfluencerSettings) -> bool:
    """Whether all that the measures rest on is stored."""
    return next_step(steps, settings) not in _BEFORE_MEASURES


def operation_of(step: Step, steps: Steps, settings: InfluencerSettings) -> Operation[Any]:
    """The request of any step but the first, whose noted profile must be there."""
    profile = json_object(steps.get(Step.PROFILE))
    pk = int(profile["pk"])
    match step:
        case Step.COUNTS:
            return ProfileById(pk)
        case Step.POSTS:
            return NewestPosts(pk, settings.posts_per_scrape)
        case Step.REELS:
            return ReelsLook(pk, str(profile["username"]))
        case Step.TRAY:
            return HighlightsLook(pk)
        case Step.ITEMS:
            return HighlightItems(unread_highlights(steps))
    raise ValueError(f"{step} depends on what is known of the profile")


def unread_highlights(steps: Steps) -> tuple[int, ...]:
    """The highlights of the next request, at most five."""
    items = steps.get(Step.ITEMS)
    if "skipped" in json_object(items):
        return ()
    done = set(map(int, json_items(json_object(items).get("done"))))
    listed = map(int, json_items(json_object(steps.get(Step.TRAY)).get("pks"), MOST_READ))
    return tuple(pk for pk in listed if pk not in done)[:MOST_HIGHLIGHTS]


def profile_noted(profile: InstagramProfile) -> dict[str, Any]:
    """The note of the profile: a number of posts that is not shown is not 0."""
    values = {"pk": int(profile.instagram_id), "username": profile.username, "posts": profile.media_count}
    lacks_counts = profile.follower_count is None or profile.media_count is None
    return {Step.PROFILE: values | ({"lacks_counts": True} if lacks_counts else {})}


def counts_noted(steps: Steps, profile: InstagramProfile) -> dict[str, Any]:
    """The note of the look by id for the counts that the page left out, and of the profile with its posts."""
    noted = json_object(steps.get(Step.PROFILE))
    posts = noted.get("posts") if profile.media_count is None else profile.media_count
    return {Step.COUNTS: {"followers": profile.follower_count}, Step.PROFILE: {**noted, "posts": posts}}


def posts_noted(posts: Sequence[InstagramPost]) -> dict[str, Any]:
    """The note of a page: which posts it has, and of how many reels the plays are missing."""
    without_plays = sum(post.kind == "video" and post.play_count is None for post in posts)
    return {Step.POSTS: {"pks": [post.pk for post in posts], "without_plays": without_plays}}


def reels_noted(reels: Sequence[Reel]) -> dict[str, Any]:
    """The note of the reels tab."""
    return {Step.REELS: {"read": len(reels)}}


def tray_noted(pks: Sequence[int]) -> dict[str, Any]:
    """The note of the tray, in its order."""
    return {Step.TRAY: {"pks": list(pks)}}


def items_noted(steps: Steps, read: Sequence[int]) -> dict[str, Any]:
    """The note of all highlights that were asked for so far; those missing in the answer are not asked for again."""
    done = json_items(json_object(steps.get(Step.ITEMS)).get("done"))
    return {Step.ITEMS: {"done": [*done, *read]}}


def to_look_again() -> dict[str, Any]:
    """The note that the profile is not known any more."""
    return {Step.PROFILE: None}


def skipped(step: Step, why: str) -> dict[str, Any]:
    """The note of a step without which the scrape goes on."""
    return {step: {"skipped": why}}


def post_pks(steps: Steps) -> tuple[int, ...]:
    """The posts of the page that was stored."""
    return tuple(map(int, json_items(json_object(steps.get(Step.POSTS)).get("pks"))))
