"""What is known of a blog: shown to the model, and by which words and pictures two questions are the same.

Counts change with every scrape and are shown but not hashed: a new number of likes must not pay for the same answer
again.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from entity_pipeline.core.gemini.prompt_file import without
from entity_pipeline.core.text.plain_text import one_line
from entity_pipeline.domains.influencers.insights.logic.evidence import Sources
from entity_pipeline.domains.influencers.models import REEL

MOST_POSTS = 20
_CAPTION, _BIO, _SHORT = 500, 500, 120  # characters kept
_MOST_TAGS, _MOST_HIGHLIGHTS, _MOST_OF_A_HIGHLIGHT, _MOST_TOP = 15, 15, 8, 20


@dataclass(frozen=True, slots=True)
class PostFacts:
    """A post as it is stored."""

    code: str
    taken_at: datetime
    media_type: str | None
    product_type: str | None
    caption_text: str | None
    hashtags: Sequence[str]
    mentions: Sequence[str]
    sponsors: Sequence[str]
    like_count: int | None
    comment_count: int | None
    play_count: int | None
    location_name: str | None
    is_pinned: bool
    is_paid_partnership: bool | None
    thumbnail_url: str | None
    thumbnail_key: str | None


@dataclass(frozen=True, slots=True)
class HighlightFacts:
    """A highlight as it is stored."""

    title: str | None
    story_mentions: Sequence[str]
    story_locations: Sequence[str]
    story_links: Sequence[str]


@dataclass(frozen=True, slots=True)
class BlogFacts:
    """A blog with its newest posts, newest first, and its highlights."""

    id: UUID
    username: str
    full_name: str | None
    biography: str | None
    external_url: str | None
    business_category: str | None
    is_verified: bool | None
    is_business: bool | None
    follower_count: int | None
    following_count: int | None
    media_count: int | None
    er: float | None
    er_reels: float | None
    er_trend: str | None
    posts_per_week: float | None
    avatar_url: str | None
    avatar_key: str | None
    scrape_status: str
    has_insights: bool
    insights_meta: Mapping[str, Any]
    posts: Sequence[PostFacts]
    highlights: Sequence[HighlightFacts]

    @property
    def key(self) -> str:
        """The subject of the question."""
        return str(self.id)

    @property
    def is_describable(self) -> bool:
        """Whether there is anything that a statement could rest on."""
        return bool(self.posts or (self.biography or "").strip())


def sources_of(blog: BlogFacts, codes: Sequence[str] | None = None) -> Sources:
    """What an answer may name: with `codes` only those posts, which were sent."""
    sent = [post for post in blog.posts if codes is None or post.code in codes]
    titles = [one_line(one.title or "", _SHORT) for one in blog.highlights]
    return Sources(
        posts={post.code: one_line(post.caption_text or "", _CAPTION) for post in sent},
        bio=" ".join(
            filter(None, (one_line(blog.full_name or "", _SHORT), one_line(blog.biography or "", _BIO)))
        ),
        highlights=" ".join(titles) if blog.highlights else None,
    )


def shown(blog: BlogFacts, delimiter: str) -> dict[str, Any]:
    """The facts for the prompt, cleaned and cut; what is not known is left out."""
    clean = _Cleaner(delimiter)
    posts = [_post(post, blog.follower_count, clean) for post in blog.posts[:MOST_POSTS]]
    return _known(
        {
            "key": blog.key,
            **_words(blog, clean),
            "is_verified": blog.is_verified,
            "is_business": blog.is_business,
            "followers": blog.follower_count,
            "following": blog.following_count,
            "posts_in_all": blog.media_count,
            "engagement_rate_percent": blog.er,
            "engagement_rate_of_reels_percent": blog.er_reels,
            "engagement_trend": blog.er_trend,
            "posts_per_week": blog.posts_per_week,
            "most_used_hashtags": _top((tag for post in blog.posts for tag in post.hashtags), clean),
            "most_mentioned_accounts": _top((name for post in blog.posts for name in post.mentions), clean),
            "sponsors": _top((name for post in blog.posts for name in post.sponsors), clean),
            "posts": posts,
            "highlights": _highlights(blog, clean),
        }
    )


def input_hash(blog: BlogFacts, pictures: Sequence[str], config: str) -> str:
    """sha256 (lower-case hex) of the words, of the hashes of the pictures, and of `config_hash`."""
    clean = _Cleaner("")
    posts = [
        _known({"code": post.code, **_post_words(post, clean)})
        for post in sorted(blog.posts[:MOST_POSTS], key=lambda post: post.code)
    ]
    words = {**_known(_words(blog, clean)), "posts": posts, "highlights": _highlights(blog, clean)}
    return digest({"words": words, "pictures": sorted(pictures), "config": config})


def digest(value: Mapping[str, Any]) -> str:
    """sha256 of the canonical JSON; a lone surrogate in a caption does not break it."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class _Cleaner:
    delimiter: str

    def text(self, value: str | None, limit: int = _SHORT) -> str:
        line = one_line(value or "", limit)
        return without(line, self.delimiter) if self.delimiter else line

    def texts(self, values: Sequence[str], most: int, limit: int = _SHORT) -> list[str]:
        return [text for value in values[:most] if (text := self.text(value, limit))]


def _words(blog: BlogFacts, clean: _Cleaner) -> dict[str, Any]:
    return {
        "username": clean.text(blog.username),
        "full_name": clean.text(blog.full_name),
        "biography": clean.text(blog.biography, _BIO),
        "link": clean.text(blog.external_url, 200),
        "category": clean.text(blog.business_category),
    }


def _post_words(post: PostFacts, clean: _Cleaner) -> dict[str, Any]:
    return {
        "kind": "reel" if post.product_type == REEL else post.media_type,
        "caption": clean.text(post.caption_text, _CAPTION),
        "hashtags": clean.texts(post.hashtags, _MOST_TAGS, 60),
        "mentions": clean.texts(post.mentions, _MOST_TAGS, 60),
        "sponsors": clean.texts(post.sponsors, _MOST_TAGS, 60),
        "place": clean.text(post.location_name),
        "is_paid_partnership": post.is_paid_partnership or None,
    }


def _post(post: PostFacts, followers: int | None, clean: _Cleaner) -> dict[str, Any]:
    rate = None
    if followers and post.like_count is not None:
        rate = round((post.like_count + (post.comment_count or 0)) / followers * 100, 2)
    return _known(
        {
            "code": post.code,
            "date": post.taken_at.date().isoformat(),
            **_post_words(post, clean),
            "is_pinned": post.is_pinned or None,
            "likes": post.like_count,
            "comments": post.comment_count,
            "plays": post.play_count,
            "engagement_rate_percent": rate,
        }
    )


def _highlights(blog: BlogFacts, clean: _Cleaner) -> list[dict[str, Any]]:
    found = (
        _known(
            {
                "title": clean.text(one.title),
                "mentions": clean.texts(one.story_mentions, _MOST_OF_A_HIGHLIGHT, 60),
                "places": clean.texts(one.story_locations, _MOST_OF_A_HIGHLIGHT),
                "links": clean.texts(one.story_links, _MOST_OF_A_HIGHLIGHT, 200),
            }
        )
        for one in blog.highlights[:_MOST_HIGHLIGHTS]
    )
    return [one for one in found if one]


def _top(words: Any, clean: _Cleaner) -> list[str]:
    counted = Counter(words)
    ordered = sorted(counted, key=lambda word: (-counted[word], word))
    return clean.texts(ordered, _MOST_TOP, 60)


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", [])}
