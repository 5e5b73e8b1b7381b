"""From a raw media node to an `InstagramPost`. Pure; every value in the node may be hostile.

The names are the same in timelines, single posts, hashtags and the mobile interface. Instaloader's `Post` is not used:
its properties send requests, and it reads hidden likes as 0.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from entity_pipeline.core.instagram.post import InstagramPost, MediaKind, NamedUser
from entity_pipeline.resources.instagram.handlers import Unreadable
from entity_pipeline.resources.instagram.operations.node_fields import (
    count,
    flag,
    identifier,
    identifiers,
    largest_picture,
    moment,
    node,
    nodes,
    number,
    place,
    text,
    user,
    users,
    word,
)

_CODE = re.compile(r"[A-Za-z0-9_-]{1,40}")
_KINDS: Mapping[object, MediaKind] = {1: "photo", 2: "video", 8: "album"}


def is_code(value: Any) -> bool:
    """Whether this can be a post's code; those of private posts have up to 40 characters."""
    return isinstance(value, str) and _CODE.fullmatch(value) is not None


def read_post(media: Mapping[str, Any]) -> InstagramPost:
    """The post in `media`; an optional field of the wrong type reads as absent.

    Raises:
        Unreadable: `pk`, `code` or `taken_at` is missing or malformed.
    """
    pk, code, taken_at = identifier(media.get("pk")), media.get("code"), moment(media.get("taken_at"))
    if pk is None or not isinstance(code, str) or not is_code(code) or taken_at is None:
        raise Unreadable("the post has no usable pk, code or time")
    likes, hidden = likes_of(media)
    return InstagramPost(
        pk=pk,
        code=code,
        taken_at=taken_at,
        kind=media_kind(media.get("media_type")),
        product_type=word(media.get("product_type")),
        owner=user(media.get("user")),
        coauthors=users(media.get("coauthor_producers")),
        caption=text(node(media.get("caption")).get("text")),
        like_count=likes,
        likes_hidden=hidden,
        comment_count=count(media.get("comment_count")),
        comments_disabled=_either(
            media.get("comments_disabled"), media.get("commenting_disabled_for_viewer")
        ),
        play_count=count(media.get("play_count")),
        ig_play_count=count(media.get("ig_play_count")),
        fb_play_count=count(media.get("fb_play_count")),
        view_count=count(media.get("view_count")) or None,  # reels have said 0 here since 2025
        pinned_by=identifiers(media.get("timeline_pinned_user_ids")),
        pinned_reel_by=identifiers(media.get("clips_tab_pinned_user_ids")),
        tagged=_tagged(media),
        is_paid_partnership=flag(media.get("is_paid_partnership")),
        sponsors=users(media.get("sponsor_tags"), "sponsor"),
        location=place(media.get("location")),
        thumbnail_url=largest_picture(media.get("image_versions2")),
        duration_s=number(media.get("video_duration")),
    )


@dataclass(frozen=True, slots=True)
class ReadPosts:
    """Posts of one answer; `unread` counts the nodes that could not be read."""

    posts: tuple[InstagramPost, ...]
    unread: int


def read_posts(medias: Iterable[Any]) -> ReadPosts:
    """All posts of `medias` in their order, each once.

    Raises:
        Unreadable: there are nodes and none can be read.
    """
    found: dict[int, InstagramPost] = {}
    unread = 0
    for media in medias:
        try:
            post = read_post(node(media))
        except Unreadable:
            unread += 1
        else:
            found.setdefault(post.pk, post)
    if unread and not found:
        raise Unreadable("none of the posts can be read")
    return ReadPosts(tuple(found.values()), unread)


def media_kind(value: Any) -> MediaKind | None:
    """The kind of `media_type`."""
    return _KINDS.get(value) if type(value) is int else None


def likes_of(media: Mapping[str, Any]) -> tuple[int | None, bool]:
    """The likes and whether they are hidden. In place of hidden ones stands a placeholder: 3, -1 or null."""
    shown = media.get("like_count", ...)
    hidden = (
        flag(media.get("like_and_view_counts_disabled")) is True
        or shown is None
        or (type(shown) is int and shown < 0)
    )
    return (None if hidden else count(shown)), hidden


def _either(*values: Any) -> bool | None:
    known = [one for one in map(flag, values) if one is not None]
    return any(known) if known else None


def _tagged(media: Mapping[str, Any]) -> tuple[NamedUser, ...]:
    pictures = [media, *nodes(media.get("carousel_media"))]
    found = [one for part in pictures for one in users(node(part.get("usertags")).get("in"), "user")]
    found += users(node(media.get("fb_user_tags")).get("in"), "user")
    return tuple(dict.fromkeys(found))
