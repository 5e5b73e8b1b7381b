"""The profiles that the Instagram stand-in shows, in the forms of the page and of its older JSON endpoint.

The accounts themselves come from samples. Nothing is invented beyond them: the counts are hashes and the picture is a
tile with initials. Picture URLs are signed and expire, as the real ones do.
"""

import hashlib
import time
from dataclasses import dataclass
from typing import Any

from entity_pipeline.sandbox.instagram_scripts import AccountScript
from entity_pipeline.sandbox.seeded import seeded_int

CANARY = "instagram"  # always exists, whatever happens to the others
_CANARY_PK = 25_025_320  # the real one, which clients ask for
_PICTURE_LIFE_S = 4 * 86_400
_REASSIGNED_FROM_OFFSET = 7_000_000


@dataclass(frozen=True, slots=True)
class SimulatedAccount:
    """One profile of a sample; `behaviour` is one of the words of `instagram_standin`, or empty."""

    username: str
    full_name: str
    biography: str
    website: str | None = None
    is_business: bool = False
    behaviour: str = ""
    pk: int | None = None
    script: AccountScript | None = None  # without one, posts and counts are invented

    @property
    def id(self) -> int:
        """The numeric id, which outlives renames; where none is given, it follows from the handle."""
        return pk_of(self.username) if self.pk is None else self.pk


@dataclass(frozen=True, slots=True)
class PictureUrl:
    """The parts of a signed URL of a profile picture."""

    host: str
    path: str
    expires_at: int  # Unix seconds

    @property
    def signature(self) -> str:
        return hashlib.sha256(f"{self.path}:{self.expires_at}:simulated".encode()).hexdigest()[:40]

    def __str__(self) -> str:
        query = f"stp=dst-jpg_s150x150&_nc_ht={self.host}&oh={self.signature}&oe={self.expires_at:X}"
        return f"https://{self.host}{self.path}?{query}"


def canary() -> SimulatedAccount:
    """The account that a client fetches to find out whether pages can be read at all."""
    return SimulatedAccount(CANARY, "Instagram", "Simulated profile: the canary account", pk=_CANARY_PK)


def pk_of(username: str) -> int:
    """The numeric id that the stand-in serves for a handle."""
    return 10_000_000_000 + seeded_int("pk", username) % 50_000_000_000


def former_pk_of(username: str) -> int:
    """The id that a handle with the behaviour ``reassigned`` had under its former owner."""
    return pk_of(username) - _REASSIGNED_FROM_OFFSET


def picture_url(account: SimulatedAccount, now: float | None = None) -> PictureUrl:
    """The signed URL of today's page; already expired for the behaviour ``picture_expired``."""
    return _signed(account, f"/v/t51.2885-19/{account.id}_{account.username}_n.jpg", now)


def post_picture_url(account: SimulatedAccount, pk: int) -> PictureUrl:
    """The same of a post."""
    return _signed(account, f"/v/t51.29350-15/{pk}_{account.username}_n.jpg")


def _signed(account: SimulatedAccount, path: str, now: float | None = None) -> PictureUrl:
    day = int(now if now is not None else time.time()) // 86_400 * 86_400
    expires_at = day - 86_400 if account.behaviour == "picture_expired" else day + _PICTURE_LIFE_S
    host = f"scontent-sim{1 + seeded_int('host', account.username) % 3}-1.cdninstagram.com"
    return PictureUrl(host, path, expires_at)


def page_user(account: SimulatedAccount) -> dict[str, Any]:
    """The `xig_user_by_username` object of a profile page. Its `id` is not the user id; `pk` is."""
    website, script = account.website, account.script
    links = [{"title": "", "url": website, "link_type": "external"}] if website else []
    url = str(picture_url(account))
    return {
        "__typename": "XDTUserDict",
        "id": str(seeded_int("page id", account.username) % 10**17),
        "pk": str(account.id),
        "username": account.username,
        "full_name": account.full_name,
        "biography": account.biography,
        "bio_links": links,
        "external_url": website,
        "profile_pic_url": url,
        "hd_profile_pic_url_info": {"url": url},
        "is_private": account.behaviour == "private",
        "is_verified": script is not None and script.is_verified,
        "is_business": account.is_business,
        "category": script.category if script is not None else "Brand" if account.is_business else None,
        **_counts(account),
    }


def _counts(account: SimulatedAccount) -> dict[str, int]:
    script = account.script
    if script is not None:
        followers, following = script.followers, script.following
        medias = len(script.posts) + script.older_posts
    else:
        followers = 1_000 + seeded_int("followers", account.username) % 900_000
        following = seeded_int("following", account.username) % 900
        medias = seeded_int("media", account.username) % 3_000
    return {"follower_count": followers, "following_count": following, "all_media_count": medias}


def legacy_user(account: SimulatedAccount) -> dict[str, Any]:
    """The same profile as `web_profile_info` returns it."""
    user = page_user(account)
    return {
        "id": user["pk"],
        "username": user["username"],
        "full_name": user["full_name"],
        "biography": user["biography"],
        "bio_links": user["bio_links"],
        "external_url": user["external_url"],
        "profile_pic_url": user["profile_pic_url"],
        "profile_pic_url_hd": user["profile_pic_url"],
        "is_private": user["is_private"],
        "is_verified": user["is_verified"],
        "is_business_account": user["is_business"],
        "business_category_name": user["category"],
        "edge_followed_by": {"count": user["follower_count"]},
        "edge_follow": {"count": user["following_count"]},
        "edge_owner_to_timeline_media": {"count": user["all_media_count"], "edges": []},
        "edge_felix_video_timeline": {"count": 0, "edges": []},
    }
