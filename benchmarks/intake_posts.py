"""Made-up posts as a collector leaves them, for `intake.py`.

The shape, for a million posts: 9.0 million tags (1 to 17 per post) of about 2.0 million accounts, over 30 days. Six
accounts of ten are tagged once, as in `docs/scaling.md`. Of the other tags, half are of accounts that the day's
sources work with, for sources are collected in turn; half are of any account, on any of the days, by a power law whose
first is in one post of twenty-five. An account that is tagged on ten days makes ten rows of
`tagged_usernames`, so the spread over days decides how much there is to write. Three tags of a hundred are spelled
differently (`@Name`, an address), three of a thousand are not usernames.
"""

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import psycopg

START = datetime(2026, 10, 3, tzinfo=UTC)
_ONCE = 0.135
_SYLLABLES = [consonant + vowel for consonant in "bcdfghjklmnprstv" for vowel in "aeio"]
_ENDINGS = ("", "", "", "_official", ".kr", "_studio", "2", "__")
_REFUSED = ("", "has space", "한국어", "a..b", "x" * 40)
_CAPTION = "Look of the day, by people we like. Thank you for being there with us last night! " * 3

_RAW_POSTS = """
    copy raw_posts (id, platform, external_id, external_url, image_url, caption, author_name, platform_metadata,
                    status, created_at, updated_at) from stdin
"""


def account_name(number: int) -> str:
    """A username; different numbers give different ones, in no order."""
    mixed = number * 10_368_889 % 2**24
    parts = [_SYLLABLES[mixed >> shift & 63] for shift in (18, 12, 6, 0)]
    return "".join(parts) + (str(number >> 24) if number >> 24 else "") + _ENDINGS[number % len(_ENDINGS)]


def fill(connection: "psycopg.Connection[Any]", posts: int, *, days: int, seed: int = 1) -> None:
    """Insert `posts` rows into an empty `raw_posts`, in order of collection; the same rows for the same seed."""
    lines = _lines(posts, days, random.Random(seed))
    with connection.cursor().copy(_RAW_POSTS) as copy:
        while batch := list(islice(lines, 2_000)):
            copy.write("".join(batch))
    connection.execute("vacuum analyze raw_posts")


def _lines(posts: int, days: int, chance: random.Random) -> Iterator[str]:
    pause = timedelta(days=days) / posts
    often, once = int(posts * 0.81), posts * 9 // 10
    for nth in range(posts):
        tags = []
        for _ in range(1 + int(chance.random() * 17)):
            if chance.random() < _ONCE:
                once += 1
                tags.append(_spelled(account_name(once), chance))
            else:
                number = int(often * chance.random() ** 3)
                if chance.random() < 0.5:
                    number += nth * days // posts - number % days
                tags.append(_spelled(account_name(number), chance))
        listed = ",".join(f'"{tag}"' for tag in tags)
        at = (START + pause * nth).isoformat()
        yield (
            f"{uuid.UUID(int=chance.getrandbits(128))}\tinstagram\tpost-{nth}\thttps://www.instagram.com/p/post-{nth}/"
            f"\thttps://images.example.com/posts/{nth:09}.jpg\t{_CAPTION}\tsource_{nth % 200}"
            f'\t{{"likes":{nth % 5_000},"comments":{nth % 90},"tagged_usernames":[{listed}],"location":null}}'
            f"\tCOMPLETED\t{at}\t{at}\n"
        )


def _spelled(name: str, chance: random.Random) -> str:
    draw = chance.random()
    if draw >= 0.033:
        return name
    if draw < 0.003:
        return chance.choice(_REFUSED)
    return f"@{name}" if draw < 0.02 else name.title() if draw < 0.03 else f"https://instagram.com/{name}/"
