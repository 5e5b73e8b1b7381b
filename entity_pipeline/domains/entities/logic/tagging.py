"""From the tag arrays of posts to the day's usernames with their counts.

The result does not depend on the order in which posts arrive. Memory grows with the distinct usernames of one
day and nothing else: `tally_by_day` lets go of a day as soon as the next one starts.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import orjson

from entity_pipeline.domains.entities.logic.usernames import Rejection, Username, normalise_username

_EXAMPLES = 3
_JSON_TYPES = {
    dict: "object",
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    type(None): "null",
}
_NESTED: dict[type, str] = {list: "array", dict: "object"}

Seen = tuple[datetime, str]


class TaggedPost(NamedTuple):
    """A post with its `tagged_usernames` as JSON text or parsed. `created_at` is aware, UTC; `id` a uuid."""

    id: str
    created_at: datetime
    tags: bytes | str | Any


class TaggedUsername(NamedTuple):
    """A username in one day: posts that tag it, and the ids of the earliest of them (at most three)."""

    username: Username
    posts: int
    first_seen_at: datetime
    last_seen_at: datetime
    sample_posts: list[str]


class _Sightings:
    """Where one username was seen; `first` to `third` are the earliest posts by (created_at, id)."""

    __slots__ = ("first", "last_post", "last_seen_at", "posts", "second", "third")

    def __init__(self, seen: Seen) -> None:
        self.posts = 1
        self.last_seen_at = seen[0]
        self.last_post = self.first = seen
        self.second: Seen | None = None
        self.third: Seen | None = None

    def add(self, seen: Seen) -> None:
        self.posts += 1
        self.last_post = seen
        if seen[0] > self.last_seen_at:
            self.last_seen_at = seen[0]
        if self.third is None or seen < self.third:
            self.first, *others = sorted([*self.earliest(), seen])
            self.second, self.third = (*others, None)[:2]

    def earliest(self) -> list[Seen]:
        return [seen for seen in (self.first, self.second, self.third) if seen is not None]


@dataclass(slots=True)
class TagCounts:
    """What was read, and what could not be used, by reason.

    `posts` counts posts that carry the key; `tags` counts distinct usernames a post, summed over posts.
    `bad_arrays` is keyed by what stood in place of an array, `bad_items` by `Rejection` value, and
    `examples` holds a few refused items of each reason as they were written.
    """

    posts: int = 0
    posts_without_username: int = 0
    tags: int = 0
    repeated_in_post: int = 0
    bad_arrays: Counter[str] = field(default_factory=Counter)
    bad_items: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, other: "TagCounts") -> None:
        """Sum over several days."""
        self.posts += other.posts
        self.posts_without_username += other.posts_without_username
        self.tags += other.tags
        self.repeated_in_post += other.repeated_in_post
        self.bad_arrays.update(other.bad_arrays)
        self.bad_items.update(other.bad_items)
        for reason, examples in other.examples.items():
            kept = self.examples.setdefault(reason, [])
            kept.extend(examples[: _EXAMPLES - len(kept)])

    def refuse(self, item: object, reason: Rejection) -> None:
        """Count an item that is no username."""
        self.bad_items[reason.value] += 1
        examples = self.examples.setdefault(reason.value, [])
        if len(examples) < _EXAMPLES:
            # A list may nest deeper than Python can print.
            shown = f"({_NESTED[type(item)]})" if type(item) in _NESTED else ascii(item)
            examples.append(shown[:80])


class DayTally:
    """The usernames of one day, counted post by post."""

    def __init__(self, day: date) -> None:
        self.day = day
        self.counts = TagCounts()
        self._sightings: dict[str, _Sightings] = {}

    def add(self, post: TaggedPost) -> None:
        """Count one post. A username that stands in it twice counts once. Never raises for bad content."""
        counts = self.counts
        counts.posts += 1
        seen = (post.created_at, post.id)
        found = 0
        for item in self._items(post.tags):
            # The usernames known so far double as the cache of the normaliser, since each maps to itself; a
            # cache of spellings beside it was measured and gained nothing. Only strings are looked up: a list
            # has no hash.
            known = self._sightings.get(item) if type(item) is str else None
            if known is None:
                username = normalise_username(item) if type(item) is str else Rejection.NOT_A_STRING
                if isinstance(username, Rejection):
                    counts.refuse(item, username)
                    continue
                known = self._sightings.get(username)
                if known is None:
                    self._sightings[username] = _Sightings(seen)
                    found += 1
                    continue
            if known.last_post is seen:
                counts.repeated_in_post += 1
            else:
                known.add(seen)
                found += 1
        counts.tags += found
        counts.posts_without_username += not found

    def rows(self) -> Iterator[TaggedUsername]:
        """One row a username, in no particular order."""
        for username, seen in self._sightings.items():
            ids = [post_id for _, post_id in seen.earliest()]
            yield TaggedUsername(Username(username), seen.posts, seen.first[0], seen.last_seen_at, ids)

    def __len__(self) -> int:
        return len(self._sightings)

    def _items(self, raw: bytes | str | Any) -> list[Any]:
        if isinstance(raw, bytes | str):
            try:
                raw = orjson.loads(raw)
            except orjson.JSONDecodeError:
                self.counts.bad_arrays["unreadable"] += 1
                return []
        if isinstance(raw, list):
            return raw
        self.counts.bad_arrays[_JSON_TYPES.get(type(raw), "unreadable")] += 1
        return []


def collection_day(created_at: datetime, first_day: date) -> date:
    """The UTC day of a post; the first partition stands for its own day and all before it."""
    return max(created_at.astimezone(UTC).date(), first_day)


def tally_by_day(posts: Iterable[TaggedPost], first_day: date) -> Iterator[DayTally]:
    """One tally a day, each complete when it is yielded. `posts` must come in order of `created_at`."""
    tally: DayTally | None = None
    for post in posts:
        day = collection_day(post.created_at, first_day)
        if tally is None or day != tally.day:
            if tally is not None:
                if day < tally.day:
                    raise ValueError(f"posts are out of order: {day} after {tally.day}")
                yield tally
            tally = DayTally(day)
        tally.add(post)
    if tally is not None:
        yield tally
