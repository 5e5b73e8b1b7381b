"""Blogs that the pipeline knew long before the demo: some to be scraped again, some renamed or gone since."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from psycopg.types.json import Jsonb

from entity_pipeline.core.clock import utc_text
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers.sample.truth import Blogger, beginning

SOURCE = "sample"
_NAMESPACE = UUID("6f2a9f0e-52b4-4a8e-8f1c-5d7c3a2b9e10")
_IS_THERE = "select exists (select from blogs where source = %s)"
_ADD_PERSON = "insert into persons (id, full_name) values (%s, %s) on conflict do nothing"
_ADD_BLOG = """
insert into blogs
  (id, person_id, platform, username, platform_id, full_name, scrape_status, scraped_at, sightings, source)
values
  (%(id)s, %(person)s, 'instagram', %(username)s, %(pk)s, %(name)s, 'active', %(scraped_at)s, %(sightings)s, %(source)s)
on conflict do nothing
"""


def insert_stored(database: Database, now: datetime) -> int:
    """Insert them into `assets`, unless an earlier demo did; returns the number of new blogs."""
    with database.connection() as connection, connection.transaction():
        if connection.execute(_IS_THERE, [SOURCE]).fetchone()[0]:
            return 0
        found = list(beginning("stored"))
        for blogger in found:
            row = _row(blogger, now)
            connection.execute(_ADD_PERSON, [row["person"], row["name"]])
            connection.execute(_ADD_BLOG, row)
        return len(found)


def _row(blogger: Blogger, now: datetime) -> dict[str, Any]:
    return {
        "id": uuid5(_NAMESPACE, f"blog:{blogger.username}"),
        "person": uuid5(_NAMESPACE, f"person:{blogger.username}"),
        "username": blogger.former or blogger.username,
        "pk": blogger.pk,
        "name": blogger.full_name,
        "scraped_at": now - timedelta(days=blogger.scraped_days_ago),
        "sightings": Jsonb(_sightings(blogger, now)),
        "source": SOURCE,
    }


def _sightings(blogger: Blogger, now: datetime) -> list[dict[str, Any]]:
    """A look that found nothing, long enough ago for a second one to confirm it."""
    if not blogger.seen_missing_hours_ago:
        return []
    at = now - timedelta(hours=blogger.seen_missing_hours_ago)
    return [{"at": utc_text(at), "outcome": "not_found", "source": "sample", "detail": "", "canary": True}]
