"""Put the sample into the two databases.

Loading it again, on any later day, inserts nothing: the rows have fixed ids and keep the days of their first
load.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid5

from entity_pipeline.domains.entities.sample.catalog import NAMESPACE, insert_catalog
from entity_pipeline.domains.entities.sample.tags import DAYS, SamplePost, first_days, sample_posts

_SOURCES = ("hashtag:streetstyle.madeup", "account:collector.madeup")
_INSERT_SOURCE = """
insert into public.raw_post_sources
    (id, platform, source_type, source_identifier, label, created_at, updated_at)
values (%s, 'instagram', %s, %s, 'Simulated source of the sample', %s, %s)
on conflict do nothing
"""
_INSERT_POST = """
insert into public.raw_posts
    (id, source_id, platform, external_id, external_url, caption, author_name, platform_metadata,
     created_at, updated_at)
values (%s, %s, 'instagram', %s, %s, %s, %s, %s, %s, %s)
on conflict do nothing
"""


@dataclass(frozen=True, slots=True)
class SampleCounts:
    """The size of the sample (`posts`, `tags`, `accounts`) and the rows that this load added (`new_*`).

    `tags`: (post, account) pairs, each once. `accounts`: distinct handles that are tagged.
    """

    posts: int
    tags: int
    accounts: int
    first_day: date
    last_day: date
    new_posts: int = 0
    new_operation_rows: int = 0


def load_sample(assets_url: str, operation_url: str, today: date) -> SampleCounts:
    """Insert the posts of the seven days that end with `today` (UTC), and the earlier catalog.

    Raises:
        psycopg.Error: a database can't be reached, or its tables are missing.
    """
    import psycopg

    with psycopg.connect(assets_url, autocommit=True, prepare_threshold=None) as assets:
        new_posts = _insert_posts(assets, today)
    with psycopg.connect(operation_url, autocommit=True, prepare_threshold=None) as operation:
        new_rows = insert_catalog(operation, today)
    return SampleCounts(
        posts=len(sample_posts()),
        tags=sum(len(post.handles) for post in sample_posts()),
        accounts=len(first_days()),
        first_day=today - timedelta(days=DAYS - 1),
        last_day=today,
        new_posts=new_posts,
        new_operation_rows=new_rows,
    )


def _insert_posts(connection: Any, today: date) -> int:
    start = datetime.combine(today - timedelta(days=DAYS - 1), time(), tzinfo=UTC)
    sources = [(uuid5(NAMESPACE, f"source:{name}"), *name.split(":"), start, start) for name in _SOURCES]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(_INSERT_SOURCE, sources)
        cursor.executemany(_INSERT_POST, [_row(post, start) for post in sample_posts()])
        return int(cursor.rowcount)


def _row(post: SamplePost, start: datetime) -> tuple[Any, ...]:
    from psycopg.types.json import Jsonb

    key = f"{post.day}-{post.position}"
    # The last day may be today, so its posts are in its first minutes and never in the future.
    step = timedelta(seconds=1) if post.day == DAYS - 1 else timedelta(minutes=11)
    collected_at = start + timedelta(days=post.day) + post.position * step
    metadata = None if post.platform_metadata is None else Jsonb(post.platform_metadata)
    return (
        uuid5(NAMESPACE, f"post:{key}"),
        uuid5(NAMESPACE, f"source:{_SOURCES[post.position % len(_SOURCES)]}"),
        f"simulated-{key}",
        f"https://www.instagram.com/p/simulated-{key}/",
        "Simulated post of the sample",
        f"author{post.position % 9}.madeup",
        metadata,
        collected_at,
        collected_at,
    )
