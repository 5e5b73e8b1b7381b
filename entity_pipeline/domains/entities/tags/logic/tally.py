"""From the tag arrays of posts to the day's usernames with their sightings.

Nine of ten tags name an account that the day already has, so the loop over them does one look-up and one append. Memory
is bounded for any day: `tally_by_day` yields a large day in pieces.
"""

import struct
from collections import Counter
from collections.abc import Generator, ItemsView, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from entity_pipeline.core.jsonb import read_stored
from entity_pipeline.core.text.handles import Rejection, normalise_username

PIECE_USERNAMES = 150_000
"""Distinct usernames after which a day continues in another piece; about 25 MB."""
_PIECE_TAGS = 2_000_000

RULES = "4"
"""The version of the counting rules. Raise it with any change of the rules: days counted by other rules are
counted again. A test compares the golden cases with the version."""

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

Seen = bytes
"""One post as PostgreSQL's binary fields `created_at` and `id`, which pass through without being decoded."""
_SEEN = struct.Struct("!iqi16s")
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = 86_400_000_000


def seen_in(created_at: datetime, post_id: UUID) -> Seen:
    """The post with this moment and id."""
    return _SEEN.pack(8, (created_at - _EPOCH) // _MICROSECOND, 16, post_id.bytes)


def seen_at(seen: Seen) -> tuple[datetime, UUID]:
    """When the post was collected, UTC, and its id."""
    _, moment, _, post_id = _SEEN.unpack(seen)
    return _EPOCH + moment * _MICROSECOND, UUID(bytes=post_id)


class NoTags(str):
    """The kind of value that a post has in place of an object with tags, such as ``metadata_array``."""


def tags_of_whole(metadata: bytes) -> bytes | NoTags:
    """The tags in metadata that is not an object: those of an object that was encoded twice, else what it is."""
    try:
        parsed = _read(metadata)
        inner = orjson.loads(parsed) if type(parsed) is str else None
        if type(inner) is dict:
            tags = inner.get("tagged_usernames")
            return orjson.dumps([] if tags is None else tags)
    except (ValueError, orjson.JSONEncodeError):
        return NoTags("metadata_string")
    return NoTags(f"metadata_{_JSON_TYPES.get(type(parsed), 'array')}")


def _read(text: bytes | str) -> Any:
    """The value of JSON text; the slower reader takes numbers that the quick one refuses."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return read_stored(text)


class TaggedPost(NamedTuple):
    """A post with its `tagged_usernames` as JSON text, and a hash of everything counted in it."""

    seen: Seen
    tags: bytes | str | NoTags
    mark: int = 0


@dataclass(slots=True)
class TagCounts:
    """Counts of tags read, and of unusable ones by reason.

    `posts` counts posts that carry the key, and `mark` is the sum of their marks, which shows whether any of them
    changed. `tags` counts distinct usernames per post, summed over posts. `bad_arrays` is keyed by the kind of value
    in place of an array, or of the whole metadata in place of an object; `bad_items` by `Rejection` value, and
    `examples` holds a few refused items of each reason as they were written.
    """

    posts: int = 0
    posts_without_username: int = 0
    tags: int = 0
    repeated_in_post: int = 0
    bad_arrays: Counter[str] = field(default_factory=Counter)
    bad_items: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    mark: int = 0

    def add(self, other: "TagCounts") -> None:
        """Sum over several days."""
        self.posts += other.posts
        self.mark += other.mark
        self.posts_without_username += other.posts_without_username
        self.tags += other.tags
        self.repeated_in_post += other.repeated_in_post
        self.bad_arrays.update(other.bad_arrays)
        self.bad_items.update(other.bad_items)
        for reason, examples in other.examples.items():
            kept = self.examples.setdefault(reason, [])
            kept.extend(examples[: _EXAMPLES - len(kept)])

    def refuse(self, item: object, reason: Rejection) -> None:
        """Count an item that is not a username."""
        self.bad_items[reason.value] += 1
        examples = self.examples.setdefault(reason.value, [])
        if len(examples) < _EXAMPLES:
            # A list may nest deeper than Python can print.
            shown = f"({_NESTED[type(item)]})" if type(item) in _NESTED else ascii(item)
            examples.append(shown[:80])


class DayTally:
    """The usernames of one day, or of a piece of it, counted post by post in order of (created_at, id)."""

    def __init__(self, day: date) -> None:
        self.day = day
        self.counts = TagCounts()
        self._seen: dict[str, Seen | list[Seen]] = {}

    def add(self, post: TaggedPost) -> None:
        """Count one post. A username that occurs in it twice counts once. Never raises over bad content."""
        seen, tags, mark = post
        counts, known = self.counts, self._seen
        counts.posts += 1
        counts.mark += mark
        items = self._distinct(self._items(tags))
        found = len(items)
        others = None
        for item in items:
            # The usernames known so far double as the cache of the normaliser, since each maps to itself; a
            # separate cache of spellings gained nothing when measured.
            before = known.get(item)
            if before is None:
                username = normalise_username(item)
                if username == item:
                    known[item] = seen
                elif others is None:
                    others = [(item, username)]
                else:
                    others.append((item, username))
            # Most are seen once, and a list with one item takes as much memory as everything else.
            elif type(before) is list:
                before.append(seen)
            else:
                known[item] = [before, seen]  # type: ignore[list-item]
        if others is not None:
            found -= self._add_otherwise_spelled(others, seen)
        counts.tags += found
        counts.posts_without_username += not found

    def rows(self) -> ItemsView[str, Seen | list[Seen]]:
        """Each username with the one post that tags it, or with all of them in order."""
        return self._seen.items()

    def __len__(self) -> int:
        return len(self._seen)

    @property
    def is_full(self) -> bool:
        """Whether the next post should go into another piece."""
        return len(self._seen) >= PIECE_USERNAMES or self.counts.tags >= _PIECE_TAGS

    def _add_otherwise_spelled(self, others: list[tuple[Any, Any]], seen: Seen) -> int:
        """Count items that are not their own username; returns how many of them do not add a tag."""
        known, useless = self._seen, 0
        for item, username in others:
            if isinstance(username, Rejection):
                self.counts.refuse(item, username)
                useless += 1
                continue
            before = known.get(username)
            if before is None:
                known[username] = seen
            elif (before[-1] if type(before) is list else before) is seen:
                self.counts.repeated_in_post += 1
                useless += 1
            elif type(before) is list:
                before.append(seen)
            else:
                known[username] = [before, seen]  # type: ignore[list-item]
        return useless

    def _distinct(self, items: list[Any]) -> list[Any]:
        """The items without duplicates; if there are any, also without items that are not strings."""
        try:
            if len(set(items)) == len(items):
                return items
        except TypeError:  # a list or an object has no hash
            pass
        kept: dict[str, None] = {}
        for item in items:
            if type(item) is not str:
                self.counts.refuse(item, Rejection.NOT_A_STRING)
            elif item not in kept:
                kept[item] = None
            elif isinstance(reason := normalise_username(item), Rejection):
                self.counts.refuse(item, reason)
            else:
                self.counts.repeated_in_post += 1
        return list(kept)

    def _items(self, raw: bytes | str | NoTags) -> list[Any]:
        if type(raw) is NoTags:
            self.counts.bad_arrays[str(raw)] += 1
            return []
        try:
            parsed = _read(raw)
        except ValueError:
            self.counts.bad_arrays["unreadable"] += 1
            return []
        if type(parsed) is list:
            return parsed
        self.counts.bad_arrays[_JSON_TYPES[type(parsed)]] += 1
        return []


def tally_by_day(posts: Iterable[TaggedPost], first_day: date) -> Generator[DayTally, None, None]:
    """The tallies of all days in order, each complete when it is yielded; a large day comes in several.

    `posts` must come in order of (created_at, id). Days are UTC; `first_day` includes all earlier days.
    """
    tally: DayTally | None = None
    until = starts = 0
    for post in posts:
        moment = int.from_bytes(post[0][4:12], "big", signed=True)
        if tally is None or moment >= until or tally.is_full:
            if tally is not None:
                yield tally
            day = max((_EPOCH + timedelta(days=moment // _DAY)).date(), first_day)
            tally = DayTally(day)
            until = ((day - _EPOCH.date()).days + 1) * _DAY
            starts = until - _DAY if day > first_day else -(2**63)
        elif moment < starts:
            raise ValueError(f"posts are out of order: {post} on {tally.day}")
        tally.add(post)
    if tally is not None:
        yield tally
