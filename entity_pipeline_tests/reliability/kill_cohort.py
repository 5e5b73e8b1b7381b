"""The accounts that are attacked: one for each way through the pipeline, and the order they are taken in.

Accounts with more posts come earlier. The regional account comes before its primary, so that it is held first and
attached when the primary arrives. The account that Gemini refuses at first has its own day: it costs a pause each time.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from entity_pipeline.domains.entities.partitions import FIRST_DAY
from entity_pipeline.domains.entities.sample.truth import load_truth
from entity_pipeline_tests.settings_rows import put_rows

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (FIRST_DAY + timedelta(days=days) for days in (4, 5, 6, 7))

POSTS: dict[date, dict[str, int]] = {
    MONDAY: {  # whose profiles are attacked
        "tideloom.kr.madeup": 9,  # regional, before its primary
        "vanished.shop.madeup": 8,  # its page is not found
        "solpaca.madeup": 7,  # linked to a brand that is there
        "expiredlogo.madeup": 6,  # its picture is refused
    },
    TUESDAY: {
        "lumenveil.archive.madeup": 5,  # secondary, its primary is linked already
        "riomarlow.madeup": 5,  # an artist
        "aurorafive.madeup": 5,  # a group
        "stylegazette.madeup": 4,  # other
        "quillmere.madeup": 4,  # held: unsure
        "brokenreply.madeup": 3,  # unreadable, repaired
        "garbledreply.madeup": 2,  # unreadable, for good
    },
    WEDNESDAY: {"tideloom.madeup": 5, "brackenfold.madeup": 3, "solpaca.madeup": 1},  # brands to create
    THURSDAY: {"overloaded.madeup": 2},  # refused once, then answered
}
_SETTINGS = {
    "requests_per_minute": 10_000,
    "instagram_terms_acknowledged": True,
    "instagram_backfill_enabled": True,
    "instagram_windows": {
        "gap_s": 0,
        "jitter_s": [0, 0],
        "per_minute": 10_000,
        "per_hour": 10_000,
        "per_day": 10_000,
    },
}
_SOLPACA, _LUMENVEIL, _ACCOUNT = (UUID(int=number) for number in (1, 2, 3))


def fill(assets_url: str, operation_url: str, *, more_brands: int = 0, **settings: Any) -> None:
    """The collected posts, the switch, and what people had in the catalog before."""
    plain = [
        name for name, one in load_truth().items() if not one.made_up and not (one.gemini or one.instagram)
    ]
    posts = {day: dict(tagged) for day, tagged in POSTS.items()}
    for nth, name in enumerate(plain[:more_brands]):
        posts[(MONDAY, TUESDAY)[nth % 2]][name] = 1 + nth % 7
    with psycopg.connect(assets_url, autocommit=True) as assets:
        for day, tagged in posts.items():
            _collect(assets, day, tagged)
        put_rows(assets, **{**_SETTINGS, **settings})
    with psycopg.connect(operation_url, autocommit=True) as operation:
        operation.execute(
            "insert into brands (id, name_en) values (%s, 'Solpaca (made up)'), (%s, 'Lumenveil (made up)')",
            [_SOLPACA, _LUMENVEIL],
        )
        operation.execute(
            "insert into instagram_accounts (id, username, created_at, account_type, entity_ig_role, brand_id, "
            "metadata) values (%s, '@Lumenveil.madeup', %s, 'brand', 'primary', %s, '{\"note\": \"ours\"}')",
            [_ACCOUNT, datetime.combine(TUESDAY, time(9), UTC), _LUMENVEIL],
        )
        operation.execute(
            "update brands set primary_instagram_account_id = %s where id = %s", [_ACCOUNT, _LUMENVEIL]
        )


def _collect(assets: psycopg.Connection[Any], day: date, tagged: dict[str, int]) -> None:
    for nth in range(max(tagged.values())):
        at = datetime.combine(day, time(9, nth), UTC)
        names = [name for name, times in tagged.items() if nth < times]
        assets.execute(
            "insert into raw_posts (platform, external_id, platform_metadata, created_at, updated_at) "
            "values ('instagram', %s, %s, %s, %s)",
            [f"{day}-{nth}", Jsonb({"tagged_usernames": names}), at, at],
        )
