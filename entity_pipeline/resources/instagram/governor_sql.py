"""Statements of the governor, on the assets database. No decision is made here."""

LEASE = """
with free as (
    select a.username, r.proxy_secret
    from public.instagram_pool_accounts a
    join public.instagram_routes r on r.name = a.route
    where (a.state = 'active' or (a.state = 'cooling' and a.cooling_until <= %(now)s))
      and (a.lease_expires_at is null or a.lease_expires_at <= %(now)s)
      and r.state <> 'disabled' and (r.cooling_until is null or r.cooling_until <= %(now)s)
      and a.username <> all(%(except_for)s)
      and (%(only)s::text is null or a.username = %(only)s)
    order by a.last_leased_at nulls first, a.username
    limit 1
    for update of a skip locked
)
update public.instagram_pool_accounts a
set state = 'active', cooling_until = null, lease_owner = %(owner)s, lease_expires_at = %(now)s + %(lease)s,
    fence = a.fence + 1, last_leased_at = %(now)s, updated_at = %(now)s
from free where a.username = free.username
returning a.username, a.route, a.fence, a.session_secret, free.proxy_secret
"""

POOL = """
select count(*) as usable, count(*) filter (where r.state <> 'disabled') as routed,
       min(greatest(%(now)s,
                    case when a.state = 'cooling' then a.cooling_until end,
                    r.cooling_until,
                    case when a.lease_expires_at > %(now)s
                         then least(a.lease_expires_at, %(now)s + %(retry)s) end))
           filter (where r.state <> 'disabled' and a.username <> all(%(except_for)s)) as next_at
from public.instagram_pool_accounts a
join public.instagram_routes r on r.name = a.route
where a.state in ('active', 'cooling') and (%(only)s::text is null or a.username = %(only)s)
"""


LOCK = "select pg_advisory_xact_lock(hashtextextended(key, 0)) from unnest(%s::text[]) as key"

ROUTE = "select state, cooling_until, failures from public.instagram_routes where name = %s"

# Shared: a release or a change of the account waits for the end of this transaction.
HELD = """
select 1 from public.instagram_pool_accounts
where username = %(account)s and fence = %(fence)s and lease_owner = %(owner)s and lease_expires_at > %(now)s
  and state = 'active'
for share
"""

RECENT_OF_ACCOUNT = """
select id, requested_at, domain from public.instagram_request_log
where account_key = %(value)s and requested_at > %(since)s order by requested_at desc limit %(limit)s
"""

RECENT_OF_ROUTE = """
select id, requested_at, domain from public.instagram_request_log
where route = %(value)s and requested_at > %(since)s order by requested_at desc limit %(limit)s
"""

COUNT = """
insert into public.instagram_request_log (account_key, route, host, requested_at, domain, operation, target)
values (%(key)s, %(route)s, %(host)s, %(now)s, %(domain)s, %(operation)s, %(target)s) returning id
"""

OUTCOME = "update public.instagram_request_log set outcome = %(outcome)s where id = any(%(ids)s)"

RELEASE = """
update public.instagram_pool_accounts
set lease_owner = null, lease_expires_at = null, updated_at = %(now)s,
    last_outcome = coalesce(%(outcome)s::text, last_outcome),
    state = case state when 'disabled' then state else coalesce(%(state)s::text, state) end,
    cooling_until = coalesce(%(now)s + %(cooling)s::interval, cooling_until)
where username = %(account)s and fence = %(fence)s and lease_owner = %(owner)s
"""

ROUTE_HEALTH = """
update public.instagram_routes
set state = %(state)s, cooling_until = %(cooling_until)s, failures = %(failures)s, last_outcome = %(outcome)s,
    updated_at = %(now)s
where name = %(route)s
"""
