"""When the next waiting task becomes due."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection

from entity_pipeline.shared.tasks.rules import FIRST_PRIORITY, LAST_PRIORITY

# One look into the index for each type and priority.
_NEXT_DUE = f"""
select min(head.due_at)
from generate_series({FIRST_PRIORITY}, {LAST_PRIORITY}) as p(priority), unnest(%(types)s::text[]) as k(task_type),
lateral (
  select due_at from scrape_tasks where status = 'pending' and task_type = k.task_type and priority = p.priority
  order by due_at limit 1
) head
"""


def next_due(connection: Connection[Any], types: Sequence[str]) -> datetime | None:
    """The earliest time at which a waiting task of these types is due, past or to come; None while none waits."""
    row = connection.execute(_NEXT_DUE.encode(), {"types": list(types)}).fetchone()
    return None if row is None else row[0]
