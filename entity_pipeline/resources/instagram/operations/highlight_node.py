"""From the answers about highlights to their values. Pure; every value may be hostile.

Mentions, links and hashtags stand in two forms each, of which an answer may hold either, both or none.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from entity_pipeline.core.instagram.highlights import (
    Highlight,
    HighlightsRead,
    HighlightStories,
    HighlightTray,
    Story,
)
from entity_pipeline.core.instagram.outcomes import Finding
from entity_pipeline.core.instagram.post import NamedUser
from entity_pipeline.resources.instagram.handlers import Observed, Unreadable
from entity_pipeline.resources.instagram.operations.node_fields import (
    count,
    https_url,
    identifier,
    largest_picture,
    moment,
    node,
    nodes,
    place,
    text,
    user,
    word,
)
from entity_pipeline.resources.instagram.operations.post_node import media_kind

PREFIX = "highlight:"
_BLOKS = "story_bloks_stickers"
_REDIRECT = "l.instagram.com"
_LONGEST_URL = 4_096

T = TypeVar("T")


def read_tray(answer: Mapping[str, Any]) -> HighlightTray:
    """The tray in the answer; that of a profile without highlights is empty.

    Raises:
        Unreadable: there is no tray, or none of its entries can be read.
    """
    tray = answer.get("tray")
    if not isinstance(tray, list):
        raise Unreadable("the answer has no tray")
    entries = [_highlight(entry) for entry in nodes(tray)]
    found = tuple(entry for entry in entries if entry is not None)
    if tray and not found:
        raise Unreadable("none of the highlights can be read")
    return HighlightTray(found, len(tray) - len(found))


def read_highlights(answer: Mapping[str, Any], asked: Sequence[int]) -> HighlightsRead:
    """The highlights of `asked` that are in the answer.

    Raises:
        Observed: the answer is readable and holds none of them.
        Unreadable: it has no highlights by id, or holds only others.
    """
    reels = answer.get("reels")
    if not isinstance(reels, Mapping):
        raise Unreadable("the answer has no highlights by id")
    shown = {pk: reels[f"{PREFIX}{pk}"] for pk in asked if isinstance(reels.get(f"{PREFIX}{pk}"), Mapping)}
    if not shown:
        if reels:
            raise Unreadable("the answer holds other highlights")
        raise Observed(Finding.NOT_FOUND, "none of the highlights is in the answer")
    missing = tuple(pk for pk in asked if pk not in shown)
    return HighlightsRead(tuple(_stories(pk, reel) for pk, reel in shown.items()), missing)


def plain_link(value: Any) -> str | None:
    """The web address that a sticker leads to, without Instagram's redirect and the click id that it adds."""
    address = text(value)
    try:
        parts = urlsplit(address or "")
        if parts.hostname == _REDIRECT:
            parts = urlsplit(next(iter(parse_qs(parts.query).get("u", [])), ""))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return None
        if "fbclid=" in parts.query:
            kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "fbclid"]
            parts = parts._replace(query=urlencode(kept))
    except ValueError:
        return None
    link = parts.geturl()
    return link if len(link) <= _LONGEST_URL else None


def _highlight(entry: Mapping[str, Any]) -> Highlight | None:
    pk = identifier(str(entry.get("id")).removeprefix(PREFIX))
    if pk is None:
        return None
    return Highlight(
        pk=pk,
        title=text(entry.get("title")),
        media_count=count(entry.get("media_count")),
        cover_url=https_url(node(entry, "cover_media", "cropped_image_version").get("url")),
        created_at=moment(entry.get("created_at")),
    )


def _stories(pk: int, reel: Mapping[str, Any]) -> HighlightStories:
    items = reel.get("items")
    stories = [_story(item) for item in nodes(items)]
    found = tuple(story for story in stories if story is not None)
    if items and not found:
        raise Unreadable("none of the stories can be read")
    given = len(items) if isinstance(items, list) else 0
    return HighlightStories(pk, text(reel.get("title")), found, given - len(found))


def _story(item: Mapping[str, Any]) -> Story | None:
    pk, taken_at = identifier(item.get("pk")), moment(item.get("taken_at"))
    if pk is None or taken_at is None:
        return None
    return Story(
        pk=pk,
        taken_at=taken_at,
        kind=media_kind(item.get("media_type")),
        mentions=_read(
            item, (_BLOKS, _mention), ("reel_mentions", lambda sticker: user(sticker.get("user")))
        ),
        links=_read(item, ("story_link_stickers", _link), ("story_cta", _call_to_action)),
        places=_read(item, ("story_locations", lambda sticker: place(sticker.get("location")))),
        hashtags=_read(
            item,
            (_BLOKS, lambda sticker: word(_sticker(sticker, "ig_hashtag").get("name"))),
            ("story_hashtags", lambda sticker: word(node(sticker, "hashtag").get("name"))),
        ),
        thumbnail_url=largest_picture(item.get("image_versions2")),
    )


def _read(
    item: Mapping[str, Any], *forms: tuple[str, Callable[[Mapping[str, Any]], T | None]]
) -> tuple[T, ...] | None:
    """What the stickers of all forms name, each once; None when the story has none of the keys."""
    if not any(key in item for key, _ in forms):
        return None
    found = [read(sticker) for key, read in forms for sticker in nodes(item.get(key))]
    return tuple(dict.fromkeys(one for one in found if one is not None))


def _sticker(holder: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return node(holder, "bloks_sticker", "sticker_data", key)


def _mention(holder: Mapping[str, Any]) -> NamedUser | None:
    named = _sticker(holder, "ig_mention")
    return user({"pk": named.get("account_id"), "username": named.get("username")})


def _link(holder: Mapping[str, Any]) -> str | None:
    return plain_link(node(holder, "story_link").get("url"))


def _call_to_action(holder: Mapping[str, Any]) -> str | None:
    links = (plain_link(one.get("webUri")) for one in nodes(holder.get("links")))
    return next((link for link in links if link), None)
