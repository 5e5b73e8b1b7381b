"""What the Instagram stand-in shows of the bloggers: posts, highlights, top posts of hashtags.

The ages of posts are made so that no figure depends on the hour: an ordinary post is never near the edge of a window.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from entity_pipeline.domains.influencers.sample.truth import HASHTAGS, Blogger, bloggers, captions
from entity_pipeline.sandbox.instagram_profiles import SimulatedAccount
from entity_pipeline.sandbox.instagram_scripts import (
    AccountScript,
    Kind,
    ScriptedHighlight,
    ScriptedPost,
    ScriptedStory,
    TopPosts,
)
from entity_pipeline.sandbox.seeded import seeded_int

_NEWEST_DAYS = 2.2
_PINNED_DAYS = 400
_FIRST_TOP = 1  # the place of the first post with a hashtag
_FIRST_FACT = 5  # the place of the first post that shows a fact
_WITHOUT_TAG = {
    HASHTAGS["ko"]: (("hanji.lamp.madeup", 9), ("eunha.home.madeup", 9), ("borrowed.light.madeup", 2)),
    HASHTAGS["ru"]: (("teplo.doma.madeup", 9), ("zimniy.beg.madeup", 9)),
}
# What a hidden number of likes looks like, in turn.
_HIDDEN_AS = (3, -1, None)


def midnight(now: datetime) -> datetime:
    """The start of its UTC day, from which ages count."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def simulated_accounts(now: datetime) -> Iterator[SimulatedAccount]:
    """The account of every blogger."""
    day = midnight(now)
    for blogger in bloggers().values():
        website = f"https://{blogger.username}.example/" if "business" in blogger.flags else None
        yield SimulatedAccount(
            blogger.username,
            blogger.full_name,
            blogger.biography,
            website=website,
            is_business="business" in blogger.flags,
            behaviour=blogger.instagram,
            pk=blogger.pk,
            script=AccountScript(
                followers=blogger.followers,
                following=100 + seeded_int("following", blogger.username) % 700,
                is_verified="verified" in blogger.flags,
                category=blogger.category,
                posts=tuple(posts_of(blogger, day)),
                highlights=tuple(_highlights(blogger, day)),
                older_posts=300 if blogger.posts >= 20 else 0,
                bad_days=tuple(blogger.instagram_bad),
            ),
        )


def top_posts() -> Mapping[str, TopPosts]:
    """The top posts of both hashtags; some have the tag nowhere, as on the real service."""
    found: dict[str, list[tuple[str, int]]] = {tag: [] for tag in HASHTAGS.values()}
    for blogger in bloggers().values():
        for place, tag in enumerate(blogger.top, _FIRST_TOP):
            found[HASHTAGS[tag]].append((blogger.username, place))
    return {
        tag: sorted([*posts, *_WITHOUT_TAG[tag]], key=lambda post: seeded_int(tag, *post))
        for tag, posts in found.items()
    }


def posts_of(blogger: Blogger, day: datetime) -> Sequence[ScriptedPost]:
    """The posts, newest first; pinned ones are old, and more loved than the rest."""
    ordinary = blogger.posts - blogger.pinned
    return [_post(blogger, day, place, ordinary) for place in range(blogger.posts)]


def days_old(blogger: Blogger, place: int, ordinary: int) -> float:
    """How many days before midnight the post in this place was published."""
    if place >= ordinary:
        return _PINNED_DAYS + place
    return _NEWEST_DAYS + place * 7 / blogger.per_week


def facts_by_place(blogger: Blogger) -> Mapping[int, str]:
    """Which post shows which fact."""
    return {_FIRST_FACT + nth: fact for nth, fact in enumerate(blogger.facts)}


def caption(blogger: Blogger, place: int) -> str | None:
    """What is written under a post; one of them has nothing."""
    texts, language = captions(), blogger.language
    if place == 11:
        return None
    fact = facts_by_place(blogger).get(place)
    topics = texts["topics"][language][blogger.topic]
    text = texts["facts"][language][fact] if fact else topics[place % len(topics)]
    own = texts["tags"][language]
    tags = [HASHTAGS[tag] for at, tag in enumerate(blogger.top, _FIRST_TOP) if at == place]
    tags += [own[place % len(own)]] * (place % 2)
    hostile = (
        f" {blogger.biography}"
        if place == 3 and ("\0" in blogger.biography or "<" in blogger.biography)
        else ""
    )
    named = " @shop.madeup" if fact == "ads" else ""
    return f"{text}{hostile}{named} {' '.join(f'#{tag}' for tag in tags)}".rstrip()


def _post(blogger: Blogger, day: datetime, place: int, ordinary: int) -> ScriptedPost:
    is_pinned = place >= ordinary
    is_reel = bool(blogger.reels) and place % blogger.reels == 0
    kind: Kind = "reel" if is_reel else "album" if place % 4 == 1 else "photo"
    loved = round(blogger.followers * blogger.er / 100 * _factor(blogger, place, ordinary)) + 1
    comments = loved // 20
    hides = blogger.hidden == "all" or (blogger.hidden == "half" and place % 2 == 1)
    is_ad = facts_by_place(blogger).get(place) == "ads"
    return ScriptedPost(
        taken_at=int((day - timedelta(days=days_old(blogger, place, ordinary))).timestamp()),
        kind=kind,
        caption=caption(blogger, place),
        likes=None if hides else loved - comments,
        comments=comments,
        hidden_as=_HIDDEN_AS[place % 3],
        plays=loved * 12 if is_reel else None,
        plays_on_grid="plays_in_tab" not in blogger.flags,
        pinned=is_pinned,
        paid=is_ad,
        coauthors=(blogger.collab,) if blogger.collab and place == 0 else (),
        sponsors=("shop.madeup",) if is_ad else (),
        tagged=("friend.madeup",) if place % 5 == 0 else (),
        place="Seoul Forest (made up)" if blogger.language == "ko" and place % 6 == 2 else None,
    )


def _factor(blogger: Blogger, place: int, ordinary: int) -> float:
    """How loved a post is; ordinary ones go up and down around the same middle."""
    if place >= ordinary:
        return 5.0
    wave = (1.0, 1.2, 1.0, 0.8)[place % 4]
    is_new = place < ordinary // 2
    return (
        wave
        * {"stable": 1.0, "growing": 1.6 if is_new else 1.0, "declining": 0.6 if is_new else 1.0}[
            blogger.trend
        ]
    )


def _highlights(blogger: Blogger, day: datetime) -> Iterator[ScriptedHighlight]:
    for nth in range(blogger.highlights):
        taken_at = int((day - timedelta(days=30 + nth)).timestamp())
        stories = (
            ScriptedStory(taken_at, ("friend.madeup",), (f"https://shop.example/{nth}",), ("Made-up Bay",)),
            ScriptedStory(taken_at + 60, ("shop.madeup",), ("https://shop.example/old",), old_form=True),
        )
        yield ScriptedHighlight(f"{blogger.topic} {nth + 1}", stories[: 1 + nth % 2])
