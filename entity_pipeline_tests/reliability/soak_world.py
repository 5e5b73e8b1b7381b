"""What arrives during the soak's week: unknown accounts, posts that tag them, and the truth about each.

Everything follows from the seed. Secondary accounts may arrive days before the account they belong to, names
come twice, and handles look like other people's.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from entity_pipeline.domains.entities.sample.truth import Truth, load_truth

_SYLLABLES = "ba do fe ga hi jo ka lu mi no pe ra si to ve wo xa yu za el or an".split()
_KINDS = ("brand", "brand", "brand", "artist", "group")
_COUNTRIES = ("KR", "FR", "IT", "US", "JP", None)
_SAMPLE_SHARE = 0.45
# Cyrillic and full-width letters, addresses, marks, reserved words, and values that are not text.
_ODD_TAGS: tuple[Any, ...] = (
    "prаda",
    "ｃｈａｎｅｌ",
    "https://www.instagram.com/gucci/",
    "@Prada ",
    "explore",
    "a..b",
    "",
    None,
    7,
    {"username": "x"},
    "x" * 31,
)
_ODD_ARRAYS: tuple[Any, ...] = (None, "prada", {}, 3)


@dataclass
class World:
    """Accounts still to come and posts already made. `truth` is what the stand-ins know."""

    chance: random.Random
    accounts_a_day: int
    truth: dict[str, Truth] = field(default_factory=dict)
    posts: list[tuple[str, datetime, list[Any]]] = field(default_factory=list)
    _arrived: list[str] = field(default_factory=list)
    _to_come: list[str] = field(default_factory=list)

    @classmethod
    def made(cls, seed: int, days: int, accounts_a_day: int) -> "World":
        """A world with enough accounts for so many days."""
        chance = random.Random(f"world {seed}")
        world = cls(chance, accounts_a_day, dict(load_truth()))
        wanted = days * accounts_a_day + accounts_a_day
        made = list(_made_up(chance, wanted))
        world.truth |= {account.username: account for account in made}
        handles = [account.username for account in made]
        sample = chance.sample(sorted(load_truth()), min(len(load_truth()), int(wanted * _SAMPLE_SHARE)))
        strangers = [f"nobody_{number}" for number in range(wanted // 20)]
        world._to_come = handles + sample + strangers
        chance.shuffle(world._to_come)
        return world

    def post(self, assets: psycopg.Connection[Any], now: datetime, arrivals: int) -> int:
        """Some posts as the collector stores them, with `arrivals` accounts never seen before; returns their number."""
        new = [self._to_come.pop() for _ in range(min(arrivals, len(self._to_come)))]
        self._arrived += new
        tags = list(new)
        tags += self.chance.choices(self._arrived, k=len(new) * 2) if self._arrived else []
        self.chance.shuffle(tags)
        written = 0
        while tags:
            size = self.chance.randint(1, 6)
            batch, tags = tags[:size], tags[size:]
            if self.chance.random() < 0.15:
                batch.append(self.chance.choice(_ODD_TAGS))
            collected = now - timedelta(hours=self.chance.choice((0, 0, 0, 0, 9, 30)))
            self._write(assets, f"post-{len(self.posts)}", collected, now, batch)
            written += 1
        if self.chance.random() < 0.1:
            self._write(assets, f"odd-{now.timestamp()}", now, now, self.chance.choice(_ODD_ARRAYS))
        if self.posts and self.chance.random() < 0.3:
            self._collect_again(assets, now)
        return written

    def _collect_again(self, assets: psycopg.Connection[Any], now: datetime) -> None:
        """An old post is edited: it keeps its day, and tags another account."""
        number = self.chance.randrange(len(self.posts))
        name, collected, tags = self.posts[number]
        tags = [*tags, self.chance.choice(self._arrived)]
        self.posts[number] = name, collected, tags
        assets.execute(
            "update raw_posts set platform_metadata = %s, updated_at = %s where external_id = %s",
            [Jsonb({"tagged_usernames": tags}), now, name],
        )

    def _write(
        self, assets: psycopg.Connection[Any], name: str, collected: datetime, now: datetime, tags: Any
    ) -> None:
        if isinstance(tags, list):
            self.posts.append((name, collected, tags))
        assets.execute(
            "insert into raw_posts (platform, external_id, platform_metadata, created_at, updated_at) "
            "values ('instagram', %s, %s, %s, %s)",
            [name, Jsonb({"tagged_usernames": tags}), collected, now],
        )


def _made_up(chance: random.Random, wanted: int) -> Iterator[Truth]:
    left = wanted
    while left > 0:
        stem = "".join(chance.choices(_SYLLABLES, k=4))
        family = list(_family(chance, stem))
        yield from family
        left -= len(family)


def _family(chance: random.Random, stem: str) -> Iterator[Truth]:
    kind = chance.choice(_KINDS)
    primary = Truth(
        username=f"{stem}.madeup",
        type=kind,
        role="primary",
        name_en=f"{stem.title()} (made up)",
        name_ko=None,
        country=chance.choice(_COUNTRIES) if kind == "brand" else None,
        region=None,
        primary_username=None,
        evidence="made-up clothing label" if kind == "brand" else f"made-up {kind}",
        source="made up",
    )
    yield primary
    if chance.random() < 0.3:
        yield replace(
            primary, username=f"{stem}.archive.madeup", role="secondary", primary_username=primary.username
        )
    if chance.random() < 0.2:
        region = chance.choice(("JP", "US"))
        yield replace(
            primary,
            username=f"{stem}.{region.lower()}.madeup",
            role="regional",
            region=region,
            primary_username=primary.username,
        )
    if chance.random() < 0.12:  # another account that claims to be the same
        yield replace(primary, username=f"_{stem}_madeup")
