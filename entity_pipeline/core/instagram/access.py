"""What a look at an Instagram profile can end in. `fetch_profile` returns one of these and never raises."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from entity_pipeline.core.instagram.settings import InstagramWindows


class ProfileOutcome(StrEnum):
    """How one attempt ended, judged from the last HTTP answer and not from an exception's class."""

    FOUND = "found"
    NOT_FOUND = "not_found"  # one observation, not yet a fact: see `domains/entities/profiles/logic/profile_record.py`
    WALL = "wall"  # the login wall was served in place of the page
    RATE_LIMITED = "rate_limited"
    CHALLENGE = "challenge"
    LOGGED_OUT = "logged_out"
    SUSPENDED = "suspended"
    TRANSPORT = "transport"  # no HTTP answer: refused, reset, timed out
    UPSTREAM = "upstream"  # HTTP 5xx
    SCHEMA_DRIFT = "schema_drift"  # a 200 whose content can't be read
    BUDGET = "budget"  # the attempt needed more requests than it may make
    DEFERRED = "deferred"  # nothing was sent: a window is full or no account is free


@dataclass(frozen=True, slots=True)
class InstagramProfile:
    """The public fields of a profile page. `instagram_id` is the numeric `pk` as text; it outlives renames."""

    instagram_id: str
    username: str
    display_name: str | None
    bio: str | None
    picture_url: str | None
    is_private: bool | None = None
    is_verified: bool | None = None
    follower_count: int | None = None
    external_urls: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ProfileFetch:
    """One attempt at one profile.

    `profile` is set only when `outcome` is FOUND; `next_at` (UTC) only when trying sooner is useless;
    `source` names what answered, e.g. ``"anonymous:direct"``, and `account` whose seat of the pool it was (None
    without one); `detail` is a sentence without secrets.
    """

    outcome: ProfileOutcome
    profile: InstagramProfile | None = None
    detail: str = ""
    next_at: datetime | None = None
    source: str = ""
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A verified image: `content_type` comes from the bytes, `sha256` is lower-case hex of them."""

    data: bytes
    content_type: str
    sha256: str


@dataclass(frozen=True, slots=True)
class PictureRefused:
    """A picture that was not taken, by reason (``expired``, ``too_large``, ``not_an_image``, ...)."""

    reason: str


class InstagramAccess(Protocol):
    """Governed access to public profiles; implemented by `resources/instagram.py`."""

    def fetch_profile(self, username: str, *, windows: InstagramWindows, deadline: datetime) -> ProfileFetch:
        """One governed attempt. Never raises; never sleeps beyond `deadline` (UTC)."""

    def fetch_profile_as(
        self, account: str, username: str, *, windows: InstagramWindows, deadline: datetime
    ) -> ProfileFetch:
        """The same by one account of the pool and its route, or not at all."""

    def fetch_picture(self, url: str) -> Picture | PictureRefused:
        """Download one picture of a profile safely. Never raises."""
