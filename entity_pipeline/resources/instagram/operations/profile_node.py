"""From Instaloader's profile node to our `InstagramProfile`. Pure; every value in the node may be hostile."""

import re
from collections.abc import Mapping
from typing import Any

from entity_pipeline.core.instagram.profile import InstagramProfile
from entity_pipeline.resources.instagram.handlers import Unreadable

_LONGEST_TEXT = 10_000
_LONGEST_URL = 4_096
_MOST_LINKS = 10
_PK = re.compile(r"[1-9][0-9]{0,19}")


class NotTheProfile(Unreadable):
    """The node has no usable id, or belongs to another username than the requested one."""


def read_profile(node: Mapping[str, Any], asked: str) -> InstagramProfile:
    """The public fields of `node`; an optional field of the wrong type reads as absent.

    Raises:
        NotTheProfile: `pk` or `username` is missing, malformed, or `username` is not `asked`.
    """
    pk = node.get("pk") or node.get("id")
    if isinstance(pk, bool) or not isinstance(pk, (str, int)) or not _PK.fullmatch(str(pk)):
        raise NotTheProfile("the page has no usable pk")
    username = node.get("username")
    if not isinstance(username, str) or username.lower() != asked.lower():
        raise NotTheProfile("the page shows another account")
    followers = node.get("follower_count", _count(node.get("edge_followed_by")))
    return InstagramProfile(
        instagram_id=str(pk),
        username=username.lower(),
        display_name=_text(node.get("full_name")),
        bio=_text(node.get("biography")),
        picture_url=_url(node.get("profile_pic_url_hd")) or _url(node.get("profile_pic_url")),
        is_private=_flag(node.get("is_private")),
        is_verified=_flag(node.get("is_verified")),
        follower_count=followers if type(followers) is int and followers >= 0 else None,
        external_urls=_links(node.get("bio_links")),
    )


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    # A lone surrogate is valid in JSON but not in UTF-8, so no database would accept it.
    return value[:_LONGEST_TEXT].encode("utf-8", "ignore").decode("utf-8") or None


def _url(value: Any) -> str | None:
    text = _text(value)
    return text if text and len(text) <= _LONGEST_URL and text.startswith("https://") else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _count(edge: Any) -> Any:
    return edge.get("count") if isinstance(edge, Mapping) else None


def _links(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    texts = (_text(link.get("url")) for link in value[:_MOST_LINKS] if isinstance(link, Mapping))
    return tuple(text for text in texts if text and text.startswith(("https://", "http://")))
