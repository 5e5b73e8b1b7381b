"""The operation `post`, and the values in which every operation returns posts.

A number that Instagram hides or leaves out is None, never 0. Ids are integers below 2**63.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from entity_pipeline.core.instagram.operations import Operation

# The first post of Instagram, from 2010. A seat that can't find it proves nothing about other posts.
CANARY_CODE = "C"

MediaKind = Literal["photo", "video", "album"]


@dataclass(frozen=True, slots=True)
class NamedUser:
    """An account that a post or a story names. At least one of the two is known."""

    pk: int | None
    username: str | None  # lower case


@dataclass(frozen=True, slots=True)
class Place:
    """A named location; latitude and longitude in degrees."""

    pk: int | None
    name: str | None
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class InstagramPost:
    """The public fields of a photo, a video or an album.

    Attributes:
        pk: Follows from the time of upload, which can be long before `taken_at`; never compare pks for age.
        taken_at: The time of publishing, UTC.
        kind: None for a type that is not known here.
        product_type: Instagram's own word: ``feed``, ``clips``, ``carousel_container``, ...
        owner: The author; on the timeline of a co-author too.
        coauthors: Those who accepted. A campaign's post may belong to the brand, with the influencer among these.
        caption: None when there is none.
        likes_hidden: The owner hides the likes; `like_count` is None then.
        play_count: Plays in all, of which `ig_play_count` on Instagram and `fb_play_count` on Facebook.
        view_count: An older number, which reels no longer have.
        comments_disabled: None reads as "not said", in practice no.
        pinned_by: Pks of the profiles that pinned it to their grid; `pinned_reel_by`, to their reels.
        tagged: Accounts tagged in the picture, or in any picture of the album.
        sponsors: Named partners of a paid partnership.
        thumbnail_url: The largest picture; signed, expires within days.
        duration_s: Length of a video in seconds.
    """

    pk: int
    code: str
    taken_at: datetime
    kind: MediaKind | None = None
    product_type: str | None = None
    owner: NamedUser | None = None
    coauthors: Sequence[NamedUser] = ()
    caption: str | None = None
    like_count: int | None = None
    likes_hidden: bool = False
    comment_count: int | None = None
    comments_disabled: bool | None = None
    play_count: int | None = None
    ig_play_count: int | None = None
    fb_play_count: int | None = None
    view_count: int | None = None
    pinned_by: Sequence[int] = ()
    pinned_reel_by: Sequence[int] = ()
    tagged: Sequence[NamedUser] = ()
    is_paid_partnership: bool | None = None
    sponsors: Sequence[NamedUser] = ()
    location: Place | None = None
    thumbnail_url: str | None = None
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class PostLook(Operation[InstagramPost]):
    """Look at the post with this code, the part of its address after ``/p/``.

    NOT_FOUND covers posts that were deleted or archived, and those that are not shown to this seat; `Result.detail`
    says which answer came. A private owner is PRIVATE where Instagram says so.
    """

    name: ClassVar[str] = "post"
    code: str

    @property
    def target(self) -> str:
        """The code; upper and lower case differ."""
        return self.code
