"""The posts of a blog over time, as positions in percent of the chart's box. The template draws them as SVG.

A post stands where it was published, as high as its likes and comments. One of which they are not known stands on the
base line as an open mark, because 0 would be a lie.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from entity_pipeline.domains.influencers.page.blog_values import PostFigures

_LEFT, _RIGHT = 8.0, 1.5  # percent: room for the numbers of the scale, and no mark is cut off
_TOP = 8.0
Kind = Literal["post", "reel", "unknown"]


@dataclass(frozen=True, slots=True)
class Dot:
    """One post; `x` and `y` in percent."""

    x: float
    y: float
    kind: Kind
    post: PostFigures


@dataclass(frozen=True, slots=True)
class PostChart:
    """The marks, oldest first; `half` is the value of the middle line, None where it would be no whole number."""

    dots: Sequence[Dot]
    first: datetime
    last: datetime
    most: int
    half: int | None
    half_y: float
    top_y: float


def post_chart(posts: Sequence[PostFigures]) -> PostChart | None:
    """The chart of these posts; None when there are fewer than two."""
    if len(posts) < 2:
        return None
    in_time = sorted(posts, key=lambda post: post.taken_at)
    first, last = in_time[0].taken_at, in_time[-1].taken_at
    span_s = (last - first).total_seconds() or 1.0
    most = max((post.engagement or 0 for post in in_time), default=0)

    def height(value: float) -> float:
        return round(100 - (100 - _TOP) * (value / most if most else 0), 2)

    dots = [
        Dot(
            x=round(_LEFT + (100 - _LEFT - _RIGHT) * (post.taken_at - first).total_seconds() / span_s, 2),
            y=height(post.engagement or 0),
            kind="unknown" if post.engagement is None else "reel" if post.is_reel else "post",
            post=post,
        )
        for post in in_time
    ]
    half = most // 2 if most > 1 else None
    return PostChart(dots, first, last, most, half, height(half or 0), height(most))
