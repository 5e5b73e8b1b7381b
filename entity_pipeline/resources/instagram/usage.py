"""How much of its request windows the pool has used, for people. Changes nothing and names no account.

The windows apply to each account and to each route, so a route with several accounts allows no more than with one.
When a request may be sent belongs to `governor.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from entity_pipeline.core.ports import Database

# Without a usable account, requests go out without one over the direct route.
_WAYS = """
with ways as (
  select r.name from instagram_routes r where r.state <> 'disabled' and exists (
    select from instagram_pool_accounts a where a.route = r.name and a.state in ('active', 'cooling'))
  union
  select name from instagram_routes where name = 'direct' and state <> 'disabled' and not exists (
    select from instagram_pool_accounts where state in ('active', 'cooling'))
)
"""
_USED = f"""{_WAYS}
select (select count(*) from instagram_pool_accounts where state <> 'disabled')::int,
  (select count(*) from instagram_pool_accounts where state in ('active', 'cooling'))::int,
  (select count(*) from ways)::int,
  count(l.id) filter (where l.requested_at > clock_timestamp() - interval '1 hour')::int,
  count(l.id)::int
from ways left join instagram_request_log l
  on l.route = ways.name and l.requested_at > clock_timestamp() - interval '1 day'
"""
_BY_DOMAIN = f"""{_WAYS}
select l.domain, count(*)::int from ways join instagram_request_log l
  on l.route = ways.name and l.requested_at > clock_timestamp() - interval '1 day'
where l.domain is not null
group by 1 order by 1
"""


@dataclass(frozen=True, slots=True)
class PoolUsage:
    """Accounts of the pool, the usable ones, the routes in use, and the requests of the last hour and day.

    `by_domain` has those of the day by the key of the domain.
    """

    accounts: int
    usable: int
    routes: int
    last_hour: int
    last_day: int
    by_domain: Mapping[str, int]


def pool_usage(database: Database) -> PoolUsage:
    """The usage up to now. Raises `DatabaseUnavailable`."""
    with database.connection() as connection:
        row = connection.execute(_USED).fetchone()
        by_domain = dict(connection.execute(_BY_DOMAIN).fetchall())
    assert row is not None
    return PoolUsage(*(*row, by_domain))


_OF_DOMAIN = f"""{_WAYS}
select coalesce(l.operation, '') as operation, count(*)::int as requests,
  count(*) filter (where l.outcome <> 'ok')::int as refused
from ways join instagram_request_log l
  on l.route = ways.name and l.requested_at > clock_timestamp() - interval '1 day'
where l.domain = %s
group by 1 order by 2 desc, 1
"""


@dataclass(frozen=True, slots=True)
class OperationUsage:
    """Requests of one operation; `refused` are those that ended otherwise than well for the account that asked."""

    operation: str
    requests: int
    refused: int


def operations_of(database: Database, domain: str) -> list[OperationUsage]:
    """The requests of a domain in the last 24 hours by operation, the most frequent first."""
    with database.connection() as connection:
        return [OperationUsage(*row) for row in connection.execute(_OF_DOMAIN.encode(), [domain])]
