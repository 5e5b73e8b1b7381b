"""The measures of a blog from the newest page of its posts. A change of a formula is a new `METRICS_VERSION`.

Engagement is likes plus comments. Of every post that counts both must be known: hidden likes leave it out, and so does
a pin, because pinned posts are chosen and old. Followers are today's, so a trend compares engagement, not reach.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from statistics import median
from typing import Any

from entity_pipeline.core.clock import utc_text, whole_second
from entity_pipeline.domains.influencers.models import Trend
from entity_pipeline.domains.influencers.scraping import METRICS_VERSION

# The first days still bring likes, and older posts speak of a former audience.
YOUNGEST, OLDEST = timedelta(days=2), timedelta(days=90)
LEAST_POSTS, LEAST_OF_A_HALF = 5, 4
GROWING, DECLINING = Fraction(115, 100), Fraction(87, 100)
RHYTHM_DAYS = 28
_CAP = Decimal("999.99")
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class PostFigures:
    """What the measures need of a post. None is unknown."""

    pk: int
    taken_at: datetime
    likes: int | None
    comments: int | None
    plays: int | None
    likes_hidden: bool
    is_reel: bool
    is_pinned: bool

    @property
    def engagement(self) -> int | None:
        """Likes and comments; None if one of them is unknown."""
        return None if self.likes is None or self.comments is None else self.likes + self.comments


@dataclass(frozen=True, slots=True)
class Measures:
    """Per cent for `er` and `er_reels`; None with the reason in ``metrics["why"]``."""

    er: Decimal | None
    er_reels: Decimal | None
    er_trend: Trend | None
    posts_per_week: Decimal | None
    metrics: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Unknown:
    """A measure that can't be taken."""

    why: str


def measure(posts: Sequence[PostFigures], followers: int | None, at: datetime) -> Measures:
    """The measures as of `at`, and what they rest on: the page, counts, the version, and why one is None."""
    at = whole_second(at)
    ordinary = [post for post in posts if not post.is_pinned]
    in_window = [post for post in ordinary if YOUNGEST <= at - post.taken_at <= OLDEST]
    in_window_reels = [post for post in in_window if post.is_reel]
    counted, reels = _counted(in_window), _counted(in_window_reels)
    taken: dict[str, Decimal | Trend | _Unknown] = {
        "er": _rate(in_window, followers),
        "er_reels": _rate(in_window_reels, followers),
        "er_trend": _trend(counted),
        "posts_per_week": _posts_per_week([post.taken_at for post in ordinary], at),
        "er_views": _views(reels),
    }
    views = taken["er_views"]
    metrics = {
        "version": METRICS_VERSION,
        "at": utc_text(at),
        "followers": followers,
        "window_days": [YOUNGEST.days, OLDEST.days],
        "page": [str(post.pk) for post in posts],
        "n": len(counted),
        "n_reels": len(reels),
        "pinned": len(posts) - len(ordinary),
        "likes_hidden": sum(post.likes_hidden for post in in_window),
        "er_views": float(views) if isinstance(views, Decimal) else None,
        "why": {name: value.why for name, value in taken.items() if isinstance(value, _Unknown)},
    }
    known: dict[str, Any] = {
        name: None if isinstance(value, _Unknown) else value for name, value in taken.items()
    }
    return Measures(known["er"], known["er_reels"], known["er_trend"], known["posts_per_week"], metrics)


def _counted(posts: Sequence[PostFigures]) -> list[PostFigures]:
    return [post for post in posts if post.engagement is not None]


def _rate(posts: Sequence[PostFigures], followers: int | None) -> Decimal | _Unknown:
    """The median engagement of the posts that count, per hundred followers."""
    counted = _counted(posts)
    if not followers:
        return _Unknown("no_followers")
    if len(counted) < LEAST_POSTS:
        would_do = len(counted) + sum(post.likes_hidden for post in posts) >= LEAST_POSTS
        return _Unknown("likes_hidden" if would_do else "too_few_posts")
    return _rounded(_median(counted) * 100 / followers)


def _views(reels: Sequence[PostFigures]) -> Decimal | _Unknown:
    """The median engagement of the reels per hundred plays."""
    rates = [Fraction(reel.engagement or 0, reel.plays) for reel in reels if reel.plays]
    return _rounded(median(rates) * 100) if len(rates) >= LEAST_POSTS else _Unknown("too_few_posts")


def _trend(posts: Sequence[PostFigures]) -> Trend | _Unknown:
    """The newer half of the posts against the older one, to which the odd post belongs."""
    newest_first = sorted(posts, key=lambda post: post.taken_at, reverse=True)
    half = len(newest_first) // 2
    if half < LEAST_OF_A_HALF:
        return _Unknown("too_few_posts")
    older = _median(newest_first[half:])
    if not older:
        return _Unknown("no_engagement_before")
    ratio = _median(newest_first[:half]) / older
    return "growing" if ratio > GROWING else "declining" if ratio < DECLINING else "stable"


def _posts_per_week(times: Sequence[datetime], at: datetime) -> Decimal | _Unknown:
    """Over the last 28 days if the page reaches back that far, else over the days that it spans."""
    first = at - timedelta(days=RHYTHM_DAYS)
    if times and min(times) <= first:
        return _rounded(Fraction(7 * sum(time > first for time in times), RHYTHM_DAYS))
    span_s = int((max(times) - min(times)).total_seconds()) if times else 0
    if not span_s:
        return _Unknown("too_few_posts")
    return _rounded(Fraction(7 * 86_400 * (len(times) - 1), span_s))


def _median(posts: Sequence[PostFigures]) -> Fraction:
    return median(Fraction(post.engagement or 0) for post in posts)


def _rounded(value: Fraction) -> Decimal:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return min(exact.quantize(_CENT, ROUND_HALF_UP), _CAP)
