"""The posts, reels and highlights that the Instagram stand-in shows for an account: invented, and the same each time.

An account posts at a steady rhythm of its own, so new posts appear as time passes. Some hide their likes, which real
answers show as a placeholder of 3.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from entity_pipeline.sandbox.instagram_profiles import SimulatedAccount, page_user
from entity_pipeline.sandbox.seeded import seeded_int

SHOWN = 24  # posts that an account has
TAGS = ("ootd", "seoulcafe", "서울맛집", "jeju", "skincare", "kfashion", "travel")
_PK_EPOCH_MS = 1_314_220_021_721
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_HIGHLIGHTS = 7


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


def posts_of(account: SimulatedAccount) -> list[SimulatedPost]:
    """The posts of an account, newest first."""
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
        if (taken_at - offset_s) % period_s == 0:
            found = [post for post in posts_of(account) if post.taken_at == taken_at and post.code == code]
            if found:
                return found[0]
    return None


@lru_cache(maxsize=10_000)
def _rhythm(account_id: int) -> tuple[int, int]:
    """Seconds between two posts of an account, and those from 1970 to its first."""
    period_s = (10 + seeded_int("rhythm", account_id) % 86) * 3_600
    return period_s, seeded_int("offset", account_id) % period_s


def as_on_the_grid(posts: list[SimulatedPost]) -> list[SimulatedPost]:
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


def highlight_ids(account: SimulatedAccount) -> Iterator[int]:
    """The numbers of its highlights, from which `highlight_items` can tell them apart."""
    for nth in range(seeded_int("highlights", account.id) % (_HIGHLIGHTS + 1)):
        yield 17_900_000_000_000_000 + account.id % 10**11 * 10 + nth


def tray_entry(pk: int) -> dict[str, Any]:
    """One highlight in the tray."""
    return {"id": f"highlight:{pk}", "title": f"Simulated {pk % 10}", "media_count": 1 + pk % 3}


def stories_of(pk: int) -> list[dict[str, Any]]:
    """The stories of a highlight, with a link and a mention in the new form."""
    mention = {"account_id": "900", "username": "friend.madeup"}
    return [
        {
            "pk": str(3_900_000_000_000_000_000 + pk % 10**12 * 10 + nth),
            "taken_at": 1_780_000_000 + nth * 86_400,
            "media_type": 1,
            "story_bloks_stickers": [
                {"bloks_sticker": {"bloks_sticker_type": "mention", "sticker_data": {"ig_mention": mention}}}
            ],
            "story_link_stickers": [
                {"story_link": {"url": "https://l.instagram.com/?u=https%3A%2F%2Fshop.example%2Fa&e=AT"}}
            ],
            "story_locations": None,
            "story_hashtags": None,
        }
        for nth in range(1 + pk % 3)
    ]
