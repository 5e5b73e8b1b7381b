"""The ledger's statements on `gemini_usage_events`; an installation whose columns differ changes this file, and the
function `entity_pipeline_ledger` in `migrations/assets/20260101000290_ledger_function.sql`, which counts.

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

# The ledger for the statements of other modules, in the types they count on: elsewhere a cost may be a float.
EVENTS = """(select id, created_at, quota_day, pipeline, step, model, state, grounded, subject, search_queries,
  prompt_tokens, cached_tokens, output_tokens, thoughts_tokens, tool_tokens, cost_usd::numeric as cost_usd,
  latency_ms, error, metadata from gemini_usage_events) as events"""

_POOL = """units_of_request => %(units_of_request)s, reserve_units => %(reserve_units)s, by_month => %(by_month)s,
  models_of_other_pools => %(models_of_other_pools)s"""

VIEW = f"""
select * from entity_pipeline_ledger({_POOL}, of_pipeline => %(pipeline)s, of_step => %(step)s,
  of_subject => %(subject)s, of_kind => %(kind)s, of_config_hash => %(config_hash)s, consumed => %(consumed)s::uuid)
"""

STATUS = f"select * from entity_pipeline_ledger({_POOL})"

REPLY = "select id, reply, model_version, input_hash from gemini_usage_events where id = %s"

INSERT_AND_COMMIT = """
insert into gemini_usage_events (created_at, state_changed_at, pipeline, step, model, grounded, state, quota_day,
  subject, input_hash, attempt, cost_usd, metadata)
values (%(now)s, %(now)s, %(pipeline)s, %(step)s, %(model)s, %(grounded)s, 'reserved', %(quota_day)s,
  %(subject)s, %(input_hash)s, %(attempt)s, %(cost_usd)s,
  jsonb_build_object('kind', %(kind)s::text, 'config_hash', %(config_hash)s::text, 'run_id', %(run_id)s::text,
    'claim', %(claim)s::text))
returning id;
commit
"""

HELD = """
select id, quota_day from gemini_usage_events
where pipeline = %(pipeline)s and step = %(step)s and subject = %(subject)s and state = 'reserved'
  and metadata->>'claim' = %(claim)s
"""

# A reservation of yesterday is worth nothing today: it is given back, and asked for again.
MARK_SENT = """
update gemini_usage_events set state = 'sent', state_changed_at = clock_timestamp()
where id = %s and state in ('reserved', 'sent')
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
