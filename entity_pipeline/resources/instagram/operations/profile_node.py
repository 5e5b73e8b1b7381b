"""From Instaloader's profile node to our `InstagramProfile`. Pure; every value in the node may be hostile."""

import re
from collections.abc import Mapping
from typing import Any

from entity_pipeline.core.instagram.profile import InstagramProfile
from entity_pipeline.resources.instagram.handlers import Unreadable
from entity_pipeline.resources.instagram.operations.node_fields import count, flag, https_url, text

_MOST_LINKS = 10
_LONGEST_CATEGORY = 100
_PK = re.compile(r"[1-9][0-9]{0,19}")


class NotTheProfile(Unreadable):
    """The node has no usable id, or belongs to another username than the requested one."""


def read_profile(node: Mapping[str, Any], asked: str) -> InstagramProfile:
    """The public fields of `node`; an optional field of the wrong type reads as absent.

    Raises:
        NotTheProfile: `pk` or `username` is missing, malformed, or `username` is not `asked`.
    """
    profile = _profile(node)
    if profile.username != asked.lower():
        raise NotTheProfile("the page shows another account")
    return profile


def read_profile_by_id(node: Mapping[str, Any], asked: int) -> InstagramProfile:
    """The same, of the profile with the pk `asked`.

    Raises:
        NotTheProfile: `pk` or `username` is missing, malformed, or `pk` is not `asked`.
    """
    profile = _profile(node)
    if profile.instagram_id != str(asked):
        raise NotTheProfile("the answer shows another account")
    return profile


def _profile(node: Mapping[str, Any]) -> InstagramProfile:
    pk = node.get("pk") or node.get("id")
    if isinstance(pk, bool) or not isinstance(pk, (str, int)) or not _PK.fullmatch(str(pk)):
        raise NotTheProfile("the page has no usable pk")
    username = node.get("username")
    if not isinstance(username, str) or not username:
        raise NotTheProfile("the page has no username")
    followers = node.get("follower_count", _count(node.get("edge_followed_by")))
    medias = node.get(
        "media_count", node.get("all_media_count", _count(node.get("edge_owner_to_timeline_media")))
    )
    return InstagramProfile(
        instagram_id=str(pk),
        username=username.lower(),
        display_name=text(node.get("full_name")),
        bio=text(node.get("biography")),
        picture_url=_picture(node),
        is_private=flag(node.get("is_private")),
        is_verified=flag(node.get("is_verified")),
        follower_count=count(followers),
        external_urls=_links(node.get("bio_links")),
        following_count=count(node.get("following_count", _count(node.get("edge_follow")))),
        media_count=count(medias),
        is_business=flag(node.get("is_business", node.get("is_business_account"))),
        category=_category(node),
    )


def _picture(node: Mapping[str, Any]) -> str | None:
    larger = node.get("profile_pic_url_hd"), _value(node.get("hd_profile_pic_url_info"), "url")
    return next((url for one in (*larger, node.get("profile_pic_url")) if (url := https_url(one))), None)


def _category(node: Mapping[str, Any]) -> str | None:
    """Each interface has a name of its own for it."""
    names = ("category", "category_name", "business_category_name")
    return next((named[:_LONGEST_CATEGORY] for name in names if (named := text(node.get(name)))), None)


def _count(edge: Any) -> Any:
    return _value(edge, "count")


def _value(holder: Any, key: str) -> Any:
    return holder.get(key) if isinstance(holder, Mapping) else None


def _links(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    texts = (text(link.get("url")) for link in value[:_MOST_LINKS] if isinstance(link, Mapping))
    return tuple(text for text in texts if text and text.startswith(("https://", "http://")))
