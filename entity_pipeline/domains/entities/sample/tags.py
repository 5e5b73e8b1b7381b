"""The sample's posts as plain data: which accounts are tagged on each of the seven days, in which spelling, and the
malformed tags.

Nothing here is random: a hash of the handle decides, so that every machine gets the same posts. Each tag comes with its
handle, so that the expected numbers don't depend on the normaliser under test.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from entity_pipeline.domains.entities.sample.truth import Truth, load_truth
from entity_pipeline.sandbox.seeded import seeded_int, seeded_share

DAYS = 7
_TAGS_A_POST = 3  # on average
_ODD_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class SamplePost:
    """One post of `day` 0 to 6; `handles` are the valid accounts that its tags stand for."""

    day: int
    position: int
    platform_metadata: Any  # what the jsonb column holds; None is SQL null
    handles: frozenset[str] = frozenset()


def _full_width(handle: str) -> str:
    return "".join(
        chr(ord(letter) + 0xFEE0) if letter.isascii() and letter.isalpha() else letter for letter in handle
    )


ODD_SPELLINGS: Sequence[Callable[[str], str]] = (
    lambda handle: f"@{handle.title()} ",
    lambda handle: handle.upper(),
    _full_width,
    lambda handle: f"https://www.instagram.com/{handle}/",
    lambda handle: f"instagram.com/{handle}?igshid=simulated",
    lambda handle: f"https://instagr.am/{handle}",
    lambda handle: f"https://www.instagram.com/_u/{handle}/",
    lambda handle: f"https://www.instagram.com/stories/{handle}/",
    lambda handle: f"{handle}.",
    lambda handle: f"@{handle},",
    lambda handle: f"{handle[:2]}\u200b{handle[2:]}",  # a zero-width space
    lambda handle: f"\u202a@{handle}\u202c",  # bidi marks, as copied from a right-to-left page
)

# Strings that are not a handle, most of them look-alikes of one.
REFUSED: Sequence[str] = (
    "pr\u0430da",  # a Cyrillic a
    "\u017felf",  # a long s, which NFKC would turn into an s
    "\u212aenzo",  # a Kelvin sign, which NFKC would turn into a K
    "explore",
    "https://www.instagram.com/p/C0simulated/",
    "https://instagram.example.com/prada/",
    "two..dots",
    "a" * 31,
    "나이키",
    "two words",
    "@",
    "",
)

MALFORMED: Sequence[Any] = (
    None,
    {},
    {"location": "Seoul"},
    {"tagged_usernames": None},
    {"tagged_usernames": []},
    {"tagged_usernames": "prada"},
    {"tagged_usernames": 7},
    {"tagged_usernames": {"0": "prada"}},
    {"tagged_usernames": [None, 5, True, {"username": "prada"}, ["prada"]]},
    {"tagged_usernames": list(REFUSED)},
)


@cache
def sample_posts() -> Sequence[SamplePost]:
    """All posts, by day and position."""
    tags: dict[tuple[int, int], dict[str, None]] = defaultdict(dict)
    schedule = {day: _tagged_on(day) for day in range(DAYS)}
    sizes = {day: max(1, sum(counts.values()) // _TAGS_A_POST) for day, counts in schedule.items()}
    for day, counts in schedule.items():
        for username, count in counts.items():
            start = seeded_int("post", username, day)
            for number in range(count):
                tags[day, (start + number) % sizes[day]][username] = None
    posts = [
        _post(day, position, list(tags[day, position]))
        for day in range(DAYS)
        for position in range(sizes[day])
    ]
    for number, metadata in enumerate(MALFORMED):
        day = number % DAYS
        posts.append(SamplePost(day, sizes[day] + number // DAYS, metadata))
    return sorted(posts, key=lambda post: (post.day, post.position))


@cache
def first_days() -> Mapping[str, int]:
    """Each tagged account with the day, 0 to 6, on which it is first tagged."""
    found: dict[str, int] = {}
    for post in sample_posts():
        for username in sorted(post.handles):
            found.setdefault(username, post.day)
    return found


def _tagged_on(day: int) -> dict[str, int]:
    """The number of posts of a day that tag each account."""
    counts: dict[str, int] = defaultdict(int)
    for username, account in load_truth().items():
        first = _first_day(account)
        for number in range(_posts(account)):
            later = seeded_int("day", username, number) % (DAYS - first)
            counts[username] += first + (later if number else 0) == day
    return {username: count for username, count in counts.items() if count}


def _first_day(account: Truth) -> int:
    return (
        account.first_day if account.first_day is not None else seeded_int("first", account.username) % DAYS
    )


def _posts(account: Truth) -> int:
    # A few accounts are tagged often, most of them once or twice, as in reality.
    return (
        account.posts
        if account.posts is not None
        else 1 + int(6 * seeded_share("posts", account.username) ** 3)
    )


def _post(day: int, position: int, handles: Sequence[str]) -> SamplePost:
    tags: list[Any] = [_spelled(handle, day, position) for handle in handles]
    if handles and seeded_share("twice", day, position) < 0.05:
        tags.append(handles[0])  # the same account again in one post
    if handles and seeded_share("bad item", day, position) < 0.05:
        tags.insert(0, None)
    return SamplePost(
        day, position, {"tagged_usernames": tags, "media_type": "simulated"}, frozenset(handles)
    )


def _spelled(handle: str, day: int, position: int) -> str:
    if seeded_share("odd", handle, day, position) >= _ODD_SHARE:
        return handle
    return ODD_SPELLINGS[seeded_int("spelling", handle, day, position) % len(ODD_SPELLINGS)](handle)
