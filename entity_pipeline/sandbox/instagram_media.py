"""The posts and reels that the Instagram stand-in shows for an account: those of its script, or invented ones.

An account without a script posts at a steady rhythm of its own, so new posts appear as time passes; they are the same
each time. Some hide their likes, which real answers show as a placeholder of 3.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from entity_pipeline.sandbox.instagram_profiles import SimulatedAccount, page_user, pk_of, post_picture_url
from entity_pipeline.sandbox.instagram_scripts import ScriptedPost
from entity_pipeline.sandbox.seeded import seeded_int

SHOWN = 24  # posts that an account has
TAGS = ("ootd", "seoulcafe", "서울맛집", "jeju", "skincare", "kfashion", "travel")
_PK_EPOCH_MS = 1_314_220_021_721
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_TYPES = {"photo": (1, "feed"), "album": (8, "carousel_container"), "reel": (2, "clips")}


@dataclass(frozen=True, slots=True)
class SimulatedPost:
    """The post number `nth` of an account; `taken_at` in Unix seconds."""

    account: SimulatedAccount
    nth: int
    taken_at: int

    @property
    def pk(self) -> int:
        """From the time of upload, a minute before the publishing."""
        return ((self.taken_at - 60) * 1_000 - _PK_EPOCH_MS << 23) | self._seed("pk") % 2**23

    @property
    def code(self) -> str:
        return code_of(self.pk)

    @property
    def is_reel(self) -> bool:
        return self.nth % 3 == 0

    @property
    def is_pinned(self) -> bool:
        return self.nth % SHOWN == SHOWN // 2

    def _seed(self, name: str) -> int:
        return seeded_int("post", name, self.account.id, self.nth)

    @property
    def caption(self) -> str | None:
        tags = f"#{TAGS[self._seed('tag') % len(TAGS)]} #{TAGS[self._seed('second tag') % len(TAGS)]}"
        return f"Simulated post {self.nth} {tags} @friend.madeup" if self.nth % 10 else None

    def media(self) -> dict[str, Any]:
        """The node, in the form that all interfaces share."""
        account, hides = self.account, self._seed("hides") % 7 == 0
        plays = 500 + self._seed("plays") % 90_000 if self.is_reel else None
        caption = self.caption
        person = {"pk": str(900 + self._seed("friend") % 99), "username": "friend.madeup"}
        is_album = not self.is_reel and self.nth % 4 == 0
        return {
            "pk": str(self.pk),
            "id": f"{self.pk}_{account.id}",
            "code": self.code,
            "taken_at": self.taken_at,
            "media_type": 2 if self.is_reel else 8 if is_album else 1,
            "product_type": "clips" if self.is_reel else "carousel_container" if is_album else "feed",
            "has_liked": False,
            "like_count": 3 if hides else 20 + self._seed("likes") % 5_000,
            "like_and_view_counts_disabled": hides,
            "comment_count": self._seed("comments") % 200,
            "comments_disabled": None,
            "play_count": plays,
            "ig_play_count": plays,
            "view_count": None,
            "video_duration": 11.5 if self.is_reel else None,
            "caption": {"text": caption} if caption else None,
            "timeline_pinned_user_ids": [account.id] if self.is_pinned else [],
            "coauthor_producers": [person] if self.nth % 11 == 0 else [],
            "is_paid_partnership": self.nth % 9 == 0,
            "sponsor_tags": None,
            "usertags": {"in": [{"user": person, "position": [0.5, 0.5]}]} if self.nth % 5 == 0 else None,
            "user": short_user(account),
            "image_versions2": {"candidates": []},
        }

    def on_grid(self) -> dict[str, Any]:
        """The node of a timeline."""
        return self.media()


@dataclass(frozen=True, slots=True)
class DescribedPost(SimulatedPost):
    """A post of an account's script; `nth` is its place in it."""

    script: ScriptedPost

    @property
    def is_reel(self) -> bool:
        return self.script.kind == "reel"

    @property
    def is_pinned(self) -> bool:
        return self.script.pinned

    @property
    def caption(self) -> str | None:
        return self.script.caption

    def media(self) -> dict[str, Any]:
        """The node; plays are those of the reels tab."""
        script, hides = self.script, self.script.likes is None
        media_type, product_type = _TYPES[script.kind]
        picture = str(post_picture_url(self.account, self.pk))
        return SimulatedPost.media(self) | {
            "media_type": media_type,
            "product_type": product_type,
            "like_count": script.hidden_as if hides else script.likes,
            "like_and_view_counts_disabled": hides,
            "comment_count": script.comments,
            "play_count": script.plays,
            "ig_play_count": script.plays,
            "coauthor_producers": [_named(name) for name in script.coauthors],
            "is_paid_partnership": script.paid,
            "sponsor_tags": [{"sponsor": _named(name)} for name in script.sponsors] or None,
            "usertags": {"in": [{"user": _named(name), "position": [0.5, 0.5]} for name in script.tagged]},
            "location": {
                "pk": seeded_int("place", script.place) % 10**9,
                "name": script.place,
                "lat": 1.5,
                "lng": 2.5,
            }
            if script.place
            else None,
            "image_versions2": {"candidates": [{"url": picture, "width": 150, "height": 150}]},
        }

    def on_grid(self) -> dict[str, Any]:
        """The node of a timeline, which may lack the plays."""
        known = self.script.plays if self.script.plays_on_grid else None
        return self.media() | {"play_count": known, "ig_play_count": known}


def _named(username: str) -> dict[str, str]:
    return {"pk": str(pk_of(username)), "username": username}


def posts_of(account: SimulatedAccount) -> Sequence[SimulatedPost]:
    """The posts of an account, newest first."""
    if account.script is not None:
        return [
            DescribedPost(account, nth, post.taken_at, post) for nth, post in enumerate(account.script.posts)
        ]
    period_s, offset_s = _rhythm(account.id)
    newest = (int(time.time()) - offset_s) // period_s
    return [
        SimulatedPost(account, nth, offset_s + nth * period_s) for nth in range(newest, newest - SHOWN, -1)
    ]


def post_with(code: str, accounts: Iterable[SimulatedAccount]) -> SimulatedPost | None:
    """The post with this code, whose number says when it was published."""
    pk = 0
    for letter in code:
        pk = pk * 64 + max(_ALPHABET.find(letter), 0)
    taken_at = ((pk >> 23) + _PK_EPOCH_MS) // 1_000 + 60
    for account in accounts:
        period_s, offset_s = _rhythm(account.id)
        if account.script is not None or (taken_at - offset_s) % period_s == 0:
            found = [post for post in posts_of(account) if post.taken_at == taken_at and post.code == code]
            if found:
                return found[0]
    return None


@lru_cache(maxsize=10_000)
def _rhythm(account_id: int) -> tuple[int, int]:
    """Seconds between two posts of an account, and those from 1970 to its first."""
    period_s = (10 + seeded_int("rhythm", account_id) % 86) * 3_600
    return period_s, seeded_int("offset", account_id) % period_s


def as_on_the_grid(posts: Sequence[SimulatedPost]) -> list[SimulatedPost]:
    """The posts as a profile shows them: pinned ones first."""
    return sorted(posts, key=lambda post: not post.is_pinned)


def code_of(pk: int) -> str:
    """The code in a post's address."""
    code = ""
    while pk:
        pk, digit = divmod(pk, 64)
        code = _ALPHABET[digit] + code
    return code


def short_user(account: SimulatedAccount) -> dict[str, Any]:
    """The author inside a post."""
    user = page_user(account)
    return {
        name: user[name]
        for name in ("pk", "username", "full_name", "is_private", "is_verified", "profile_pic_url")
    }
