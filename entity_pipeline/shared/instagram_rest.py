"""Until when no account and no route may ask Instagram, for planners. Who may ask now is the governor's."""

from datetime import datetime
from typing import Any

from psycopg import Connection

# A way is a route with its accounts, or without any usable account the direct route alone.
_FREE_AT = """
with usable as (
  select route, coalesce(cooling_until, '-infinity') as free_at
  from instagram_pool_accounts where state in ('active', 'cooling')
), ways as (
  select r.name, coalesce(r.cooling_until, '-infinity') as free_at from instagram_routes r
  where r.state <> 'disabled' and (exists (select from usable where route = r.name)
    or (r.name = 'direct' and not exists (select from usable)))
)
select nullif(min(greatest(ways.free_at, coalesce(
  (select min(usable.free_at) from usable where usable.route = ways.name), '-infinity'))), '-infinity')
from ways
"""


def rests_until(connection: Connection[Any], now: datetime) -> datetime | None:
    """When the first way to Instagram is free again; None while one is free, or where there is none at all."""
    row = connection.execute(_FREE_AT).fetchone()
    free_at: datetime | None = row[0] if row is not None else None
    return free_at if free_at is not None and free_at > now else None
