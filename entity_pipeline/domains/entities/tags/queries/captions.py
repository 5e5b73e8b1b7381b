"""The captions of an account's sample posts: words of the people who tagged it."""

import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from entity_pipeline.core.jsonb import json_items, json_object
from entity_pipeline.core.patience import patiently_on
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.entities.models import Account

MOST_POSTS = 3

_CAPTIONS = """
select caption from raw_posts where id = any(%s) and btrim(caption) <> '' order by created_at, id
"""


def captions_of(
    assets_db: Database, account: Account, sleep: Callable[[float], object] = time.sleep
) -> Sequence[str]:
    """The captions of at most `MOST_POSTS` posts, oldest first; posts that are gone or have none are left out.

    Raises:
        DatabaseUnavailable: it is away for longer than the patience of a call.
    """
    tagging = json_object(account.enrichment.get("tagging"))
    posts = [post for item in json_items(tagging.get("sample_posts"), MOST_POSTS) if (post := _id(item))]
    if not posts:
        return []

    def read(connection: Any) -> list[str]:
        return [row[0] for row in connection.execute(_CAPTIONS, [posts]).fetchall()]

    return patiently_on(assets_db, read, sleep=sleep)


def _id(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
