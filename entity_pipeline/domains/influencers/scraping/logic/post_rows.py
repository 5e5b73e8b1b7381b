"""The row of `blog_posts` for a post as Instagram shows it, and what the measures need of it.

A number that is hidden or not shown stays unknown; it never becomes 0.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from entity_pipeline.core.instagram.post import InstagramPost, NamedUser
from entity_pipeline.core.instagram.reels import Reel
from entity_pipeline.domains.influencers.models import REEL
from entity_pipeline.domains.influencers.scraping.logic.measures import PostFigures
from entity_pipeline.domains.influencers.scraping.logic.tokens import hashtags, mentions


@dataclass(frozen=True, slots=True)
class PostRow:
    """The columns that a scrape writes, by their names.

    `coauthors` are the authors beside the blog: of a shared post on its timeline, also the one who published it.
    """

    platform_id: int
    code: str
    caption_text: str | None
    hashtags: Sequence[str]
    mentions: Sequence[str]
    like_count: int | None
    likes_hidden: bool
    comment_count: int | None
    play_count: int | None
    plays_known: bool
    media_type: str | None
    product_type: str | None
    duration_s: float | None
    thumbnail_url: str | None
    location_id: int | None
    location_name: str | None
    location_lat: float | None
    location_lng: float | None
    is_pinned: bool
    is_paid_partnership: bool | None
    sponsors: Sequence[str]
    coauthors: Sequence[int]
    taken_at: datetime

    @property
    def figures(self) -> PostFigures:
        """What the measures rest on."""
        return PostFigures(
            pk=self.platform_id,
            taken_at=self.taken_at,
            likes=self.like_count,
            comments=self.comment_count,
            plays=self.play_count,
            likes_hidden=self.likes_hidden,
            is_reel=self.product_type == REEL,
            is_pinned=self.is_pinned,
        )


def post_row(post: InstagramPost, blog_pk: int) -> PostRow:
    """The row of a post on the timeline of the profile with the pk `blog_pk`."""
    place = post.location
    authors = [*([post.owner] if post.owner else []), *post.coauthors]
    return PostRow(
        platform_id=post.pk,
        code=post.code,
        caption_text=post.caption,
        hashtags=hashtags(post.caption),
        mentions=mentions(post.caption),
        like_count=None if post.likes_hidden else post.like_count,
        likes_hidden=post.likes_hidden,
        comment_count=post.comment_count,
        play_count=post.play_count,
        plays_known=post.play_count is not None,
        media_type=post.kind,
        product_type=post.product_type,
        duration_s=post.duration_s,
        thumbnail_url=post.thumbnail_url,
        location_id=place.pk if place else None,
        location_name=place.name if place else None,
        location_lat=place.latitude if place else None,
        location_lng=place.longitude if place else None,
        is_pinned=blog_pk in post.pinned_by,
        is_paid_partnership=post.is_paid_partnership,
        sponsors=names(post.sponsors),
        coauthors=list(dict.fromkeys(one.pk for one in authors if one.pk is not None and one.pk != blog_pk)),
        taken_at=post.taken_at,
    )


def plays_of(reels: Iterable[Reel]) -> Mapping[int, int]:
    """The plays by pk, of the reels that show them."""
    return {reel.pk: reel.play_count for reel in reels if reel.play_count is not None}


def names(users: Iterable[NamedUser]) -> list[str]:
    """The usernames, or the pk where only that is known; each once."""
    return list(dict.fromkeys(user.username or str(user.pk) for user in users))
