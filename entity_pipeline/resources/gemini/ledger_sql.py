"""The ledger's statements on `gemini_usage_events`; an installation whose columns differ changes this file.

Surprising: the clock is the database's, read once in a statement, so that no machine's own clock matters.
`clock_timestamp()` and not `now()`: a transaction that waited for the lock would go by the time it began.
"""

# A server that defaults to a stricter level would count in a snapshot of before the lock.
# Not flushed: if the server dies, a place that was not marked sent may be gone, and then nothing is sent for it.
# MARK_SENT is flushed, and with it all that was written before.
BEGIN = """
begin isolation level read committed;
set local synchronous_commit = off;
select pg_advisory_xact_lock(hashtextextended('entity_pipeline.gemini_ledger', 0));
"""

# Rows of other code may lack quota_day: their day is that of created_at. An event without a model, or with one
# that the registry does not know, counts in every pool.
_DAY = "coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date)"
_UNITS = "case when %(unit)s = 'prompt' then 1 else coalesce(search_queries, %(reserve_units)s) end"
_IN_POOL = "(model = any(%(models_of_other_pools)s)) is not true"

# The ledger for the statements of other modules, in the types they count on: elsewhere a cost may be a float.
EVENTS = """(select id, created_at, quota_day, pipeline, step, model, state, grounded, subject, search_queries,
  prompt_tokens, cached_tokens, output_tokens, thoughts_tokens, tool_tokens, cost_usd::numeric as cost_usd,
  latency_ms, error, metadata from gemini_usage_events) as events"""

# An upper bound that excludes nothing tells the planner that few rows are meant; it would guess a third of all.
_CLOCK = """
with clock as (
  select now, today,
    case when %(period)s = 'month' then date_trunc('month', today)::date else today end as period_start
  from (
    select clock_timestamp() as now, (clock_timestamp() at time zone 'America/Los_Angeles')::date as today
  ) as instant
)
"""
_GROUNDED = f"""
lateral (
  select coalesce(sum(units) filter (where in_pool), 0) as units_in_period,
    coalesce(sum(units) filter (where in_pool and day = today), 0) as units_today,
    coalesce(sum(units) filter (where in_pool and day = today and state = 'reserved'), 0) as reserved_today,
    coalesce(sum(cost_usd) filter (where day = today), 0)::numeric as spent_usd
  from (
    select {_DAY} as day, {_IN_POOL} as in_pool, {_UNITS} as units, state, cost_usd
    from gemini_usage_events
    where grounded and state <> 'released' and {_DAY} between period_start and 'infinity'
  ) as event
) as grounded
"""
_UNGROUNDED = f"""
lateral (
  select coalesce(sum(cost_usd), 0)::numeric as spent_usd
  from gemini_usage_events
  where not grounded and state <> 'released' and {_DAY} = today
) as ungrounded
"""
_BLOCKED = f"""
(select max(blocked_until) from gemini_usage_events where blocked_until > clock.now and {_IN_POOL})
"""

VIEW = f"""
{_CLOCK}
select clock.now, clock.today, grounded.units_in_period, grounded.units_today,
  grounded.spent_usd + ungrounded.spent_usd as spent_usd,
  minute.requests, minute.frees_at, account.claimed_until, account.unused_reply, {_BLOCKED} as blocked_until
from clock, {_GROUNDED}, {_UNGROUNDED}, lateral (
  select count(*) as requests, min(created_at) + interval '60 seconds' as frees_at
  from gemini_usage_events
  where state <> 'released' and created_at > now - interval '60 seconds' and created_at <= 'infinity'
) as minute, lateral (
  select max(state_changed_at) filter (where state in ('reserved', 'sent'))
      + %(stale_after)s * interval '1 second' as claimed_until,
    (array_agg(id order by created_at desc) filter (
      where state = 'settled' and reply is not null
        and metadata->>'kind' = %(kind)s and metadata->>'config_hash' = %(config_hash)s
        and (%(consumed)s::uuid is null
             or created_at > (select created_at from gemini_usage_events where id = %(consumed)s))
    ))[1] as unused_reply
  from gemini_usage_events
  where pipeline = %(pipeline)s and step = %(step)s and subject = %(subject)s
) as account
"""

REPLY = "select id, reply, model_version, input_hash from gemini_usage_events where id = %s"

INSERT_AND_COMMIT = """
insert into gemini_usage_events (created_at, state_changed_at, pipeline, step, model, grounded, state, quota_day,
  subject, input_hash, attempt, cost_usd, metadata)
values (%(now)s, %(now)s, %(pipeline)s, %(step)s, %(model)s, %(grounded)s, 'reserved', %(quota_day)s,
  %(subject)s, %(input_hash)s, %(attempt)s, %(cost_usd)s,
  jsonb_build_object('kind', %(kind)s::text, 'config_hash', %(config_hash)s::text, 'run_id', %(run_id)s::text))
returning id;
commit
"""

# A reservation of yesterday is worth nothing today: it is given back, and asked for again.
MARK_SENT = """
update gemini_usage_events set state = 'sent', state_changed_at = clock_timestamp()
where id = %s and state = 'reserved'
  and quota_day = (clock_timestamp() at time zone 'America/Los_Angeles')::date
  and state_changed_at > clock_timestamp() - %s * interval '1 second'
"""

SWEEP = """
update gemini_usage_events
set state = case state when 'sent' then 'unknown' else 'released' end,
    cost_usd = case state when 'sent' then cost_usd else 0 end,
    state_changed_at = clock_timestamp(),
    error = jsonb_build_object('kind', 'stale', 'message',
      case state when 'sent' then 'no answer was recorded; counted as used' else 'never sent' end)
where state in ('reserved', 'sent') and state_changed_at < clock_timestamp() - %s * interval '1 second'
"""

# The ends of a request: what changes, for FINISH.
SETTLED = """state = 'settled', reply = %(reply)s::jsonb, error = null, model_version = %(model_version)s,
  search_queries = %(search_queries)s, prompt_tokens = %(prompt)s, cached_tokens = %(cached)s,
  output_tokens = %(output)s, thoughts_tokens = %(thoughts)s, tool_tokens = %(tool)s,
  cost_usd = %(cost_usd)s, latency_ms = %(latency_ms)s"""
FAILED = """state = 'failed', error = %(error)s::jsonb, cost_usd = 0, latency_ms = %(latency_ms)s,
  blocked_until = %(blocked_until)s"""
UNKNOWN = "state = 'unknown', error = %(error)s::jsonb, latency_ms = %(latency_ms)s"
RELEASED = "state = 'released', error = %(error)s::jsonb, cost_usd = 0"

FINISH = """
update gemini_usage_events set {changes}, state_changed_at = clock_timestamp()
where id = %(id)s and state = any(%(from_states)s)
"""

STATUS = f"""
{_CLOCK}
select clock.now, clock.today, grounded.units_in_period,
  grounded.units_today - grounded.reserved_today as used_today, grounded.reserved_today,
  grounded.spent_usd + ungrounded.spent_usd as spent_usd, {_BLOCKED} as blocked_until
from clock, {_GROUNDED}, {_UNGROUNDED}
"""

STORED_SUBJECTS = """
select distinct subject from gemini_usage_events
where pipeline = %s and step = %s and subject = any(%s) and state = 'settled' and reply is not null
  and metadata->>'kind' = 'review' and metadata->>'config_hash' = %s
"""

COUNT_ANSWERED = """
select count(*) from gemini_usage_events where created_at >= %s and grounded and state = 'settled'
"""

COUNT_SENT = """
select count(*), count(*) filter (where grounded) from gemini_usage_events
where created_at >= %s and state not in ('reserved', 'released')
"""

RECENT_REPLIES = """
select model_version, count(*)::int, (count(*) filter (where coalesce(search_queries, 0) = 0))::int
from gemini_usage_events
where pipeline = %(pipeline)s and model = %(model)s and grounded and state = 'settled' and created_at > %(since)s
group by 1
"""
