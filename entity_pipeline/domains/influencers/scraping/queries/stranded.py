"""Blogs that are left as being scraped although no task is about to scrape them: their worker was lost too often."""

from typing import Any

from psycopg import Connection

from entity_pipeline.domains.influencers.models import TaskType

_RESTORE = """
update blogs b
set scrape_status = case when b.scraped_at is null then 'failed' else 'active' end, updated_at = clock_timestamp()
where b.scrape_status = 'scraping' and not exists (
  select from scrape_tasks t
  where t.task_type = %(scrape)s and t.task_key = b.id::text and t.status in ('pending', 'running')
)
"""


def restore_stranded(connection: Connection[Any]) -> int:
    """Make them active, or failed where they never had data. Returns how many; for the recovery of tasks."""
    return connection.execute(_RESTORE, {"scrape": TaskType.FULL_SCRAPE}).rowcount
