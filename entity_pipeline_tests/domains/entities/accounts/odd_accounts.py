"""Accounts as stages, older versions and people leave them, for tests of which account waits for which stage."""

import random
from itertools import product
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

REVIEWED_AT = "2026-11-01T00:00:00+00:00"
PAST, FUTURE = "2026-11-01T00:00:00+00:00", "2099-01-01T00:00:00+00:00"
JUNK: list[Any] = [None, 7, "text", [], {}, True, "2026-13-45T", "2026-02-31", ["reviewed"]]

_REVIEWS: list[Any] = [
    None,
    "reviewed",
    *(
        {"status": status}
        for status in ("pending", "deferred", "failed", "reviewed", "else", 7, ["reviewed"])
    ),
    {"status": "reviewed", "reviewed_at": REVIEWED_AT},
    *({"status": "deferred", "next_attempt_at": at} for at in (PAST, FUTURE, "soon", 99, {"at": FUTURE})),
]
_LINKS: list[Any] = [
    None,
    [],
    {"status": None},
    *(
        {"status": status, "reviewed_at": REVIEWED_AT}
        for status in ("linked", "created", "attached", "held", "undone", 7)
    ),
    {"status": "linked", "reviewed_at": "2026-10-01T00:00:00+00:00"},
    {"status": "undone"},
    *({"status": "held", "reviewed_at": REVIEWED_AT, "picture": picture} for picture in (None, "p", "q")),
]
_PROFILES: list[Any] = [
    None,
    {"status": "found", "image": {"sha256": "p"}},
    {"status": "deferred", "outcome": "found", "next_attempt_at": FUTURE},
    {"status": "pending", "next_attempt_at": PAST},
    {"status": "failed", "image": ["p"]},
]


def every_combination() -> list[Any]:
    """Every combination of what `metadata.entity_enrichment` may hold of the three stages."""
    combined: list[Any] = []
    for review, link, profile in product(_REVIEWS, _LINKS, _PROFILES):
        stages = {"gemini_review": review, "catalog_link": link, "profile_backfill": profile}
        combined.append({name: value for name, value in stages.items() if value is not None})
    return combined


def odd(chance: random.Random) -> Any:
    """What one account's `metadata.entity_enrichment` may hold, sensible or not."""
    if chance.random() < 0.1:
        return chance.choice([None, 1, "x", [1]])
    found: dict[str, Any] = {}
    if chance.random() < 0.8:
        found["cohort"] = chance.choice(["2026-10-05", "2026-11-02", "2020-01-01", "2026-02-31", *JUNK])
    if chance.random() < 0.8:
        found["tagging"] = chance.choice([{"posts": chance.choice([1, 5, 5, -3, 1e30, 2.5, *JUNK])}, *JUNK])
    if chance.random() < 0.7:
        found["gemini_review"] = chance.choice(
            [
                {
                    "status": chance.choice(["pending", "reviewed", "reviewed", "failed", "deferred", *JUNK]),
                    "reviewed_at": chance.choice([REVIEWED_AT, None]),
                    "next_attempt_at": chance.choice([PAST, FUTURE, *JUNK]),
                    "error": chance.choice([{"reason": "unreadable"}, *JUNK]),
                    "review": chance.choice([{"account_type": "brand", "name_en": "Ａcme"}, *JUNK]),
                    "evidence": [{"claim": "long"}],
                },
                *JUNK,
            ]
        )
    if chance.random() < 0.6:
        status = chance.choice(["linked", "created", "held", "undone", "attached", "excluded", *JUNK])
        reasons = chance.choice([["type_other", None, 3], ["type_other"], *JUNK])
        link = {"status": status, "reviewed_at": REVIEWED_AT, "reasons": reasons, "picture": "p"}
        found["catalog_link"] = chance.choice([link, *JUNK])
    if chance.random() < 0.6:
        profile = {
            "status": chance.choice(["found", "pending", "deferred", *JUNK]),
            "next_attempt_at": chance.choice([PAST, FUTURE, *JUNK]),
            "image": {"sha256": "p"},
            "history": [1],
        }
        found["profile_backfill"] = chance.choice([profile, *JUNK])
    return found


def insert(
    connection: psycopg.Connection[Any], username: str, metadata: Any = None, *, is_active: bool = True
) -> None:
    """One account with this `metadata`; None is SQL's null."""
    value = None if metadata is None else Jsonb(metadata)
    connection.execute(
        "insert into instagram_accounts (username, metadata, is_active) values (%s, %s, %s)",
        [username, value, is_active],
    )
