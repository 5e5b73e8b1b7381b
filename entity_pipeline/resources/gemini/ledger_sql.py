"""The ledger's statements on `gemini_usage_events`; an installation whose columns differ changes this file.

Surprising: the clock is the database's, read once in a statement, so that no machine's own clock matters.
`clock_timestamp()` and not `now()`: a transaction that waited for the lock would go by the time it began.
"""

LOCK = (
    "set transaction isolation level read committed; "
    "select pg_advisory_xact_lock(hashtextextended('entity_pipeline.gemini_ledger', 0))"
)

# Rows of other code may lack quota_day: their day is that of created_at. An event without a model, or with one
# that the registry does not know, counts in every pool.
_DAY = "coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date)"
_UNITS = "case when %(unit)s = 'prompt' then 1 else coalesce(search_queries, %(reserve_units)s) end"
_IN_POOL = "(model = any(%(pool_models)s) or (model = any(%(known_models)s)) is not true)"

# The ledger for the statements of other modules, in the types they count on: elsewhere a cost may be a float.
EVENTS = """(select id, created_at, quota_day, pipeline, step, model, state, grounded, subject, search_queries,
  prompt_tokens, cached_tokens, output_tokens, thoughts_tokens, tool_tokens, cost_usd::numeric as cost_usd,
  latency_ms, error, metadata from gemini_usage_events) as events"""

_CLOCK = f"""
clock as (
  select clock_timestamp() as now, (clock_timestamp() at time zone 'America/Los_Angeles')::date as today
), pool_events as (
  select state, {_DAY} as day, {_UNITS} as units
  from gemini_usage_events
  where grounded and state <> 'released' and {_IN_POOL}
    and {_DAY} >= (select case when %(period)s = 'month' then date_trunc('month', today)::date
                               else today end from clock)
)
"""
_SPENT = f"""
(select coalesce(sum(cost_usd), 0)::numeric from gemini_usage_events
  where state <> 'released' and created_at > (select now from clock) - interval '26 hours'
    and {_DAY} = (select today from clock))
"""
_BLOCKED = f"""
(select max(blocked_until) from gemini_usage_events
  where blocked_until > (select now from clock) and {_IN_POOL})
"""

VIEW = f"""
with {_CLOCK}, minute as (
  select count(*) as requests, min(created_at) + interval '60 seconds' as frees_at
  from gemini_usage_events
  where state <> 'released' and created_at > (select now from clock) - interval '60 seconds'
)
select clock.now, clock.today,
  (select coalesce(sum(units), 0) from pool_events) as units_in_period,
  (select coalesce(sum(units), 0) from pool_events where day = clock.today) as units_today,
  {_SPENT} as spent_usd,
  minute.requests, minute.frees_at,
  {_BLOCKED} as blocked_until,
  (select max(state_changed_at) + %(stale_after)s * interval '1 second' from gemini_usage_events
    where pipeline = %(pipeline)s and step = %(step)s and subject = %(subject)s
      and state in ('reserved', 'sent')) as claimed_until
from clock, minute
"""

REPLAY = """
select id, reply, model_version, input_hash from gemini_usage_events
where pipeline = %(pipeline)s and step = %(step)s and subject = %(subject)s and state = 'settled'
  and reply is not null and metadata->>'kind' = %(kind)s and metadata->>'config_hash' = %(config_hash)s
  and (%(consumed)s::uuid is null
       or created_at > (select created_at from gemini_usage_events where id = %(consumed)s))
order by created_at desc limit 1
"""

INSERT = """
insert into gemini_usage_events (created_at, state_changed_at, pipeline, step, model, grounded, state, quota_day,
  subject, input_hash, attempt, cost_usd, metadata)
values (%(now)s, %(now)s, %(pipeline)s, %(step)s, %(model)s, %(grounded)s, 'reserved', %(quota_day)s,
  %(subject)s, %(input_hash)s, %(attempt)s, %(cost_usd)s,
  jsonb_build_object('kind', %(kind)s::text, 'config_hash', %(config_hash)s::text, 'run_id', %(run_id)s::text))
returning id
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
with {_CLOCK}
select clock.now, clock.today,
  (select coalesce(sum(units), 0) from pool_events
    where day = clock.today and state not in ('reserved')) as used_today,
  (select coalesce(sum(units), 0) from pool_events
    where day = clock.today and state = 'reserved') as reserved_today,
  (select coalesce(sum(units), 0) from pool_events) as units_in_period,
  {_SPENT} as spent_usd, {_BLOCKED} as blocked_until
from clock
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
