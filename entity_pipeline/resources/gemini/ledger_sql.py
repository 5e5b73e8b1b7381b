"""The ledger's statements on `gemini_usage_events`. An installation whose columns differ changes this file and the
functions in `migrations/assets/20261129020120_gemini_ledger_limits.sql`, which write, and in
`migrations/assets/20261129100100_gemini_batches.sql`, which count.

The clock is the database's, read once per statement, so that no machine's own clock matters. It is `clock_timestamp()`
on purpose: after waiting for the lock, `now()` would still be the time at which the transaction began.
"""

# A server that defaults to a stricter level would count in a snapshot taken before the lock.
# Not flushed: if the server dies, a place that was not marked sent may be gone, and then nothing is sent for it.
# MARK_SENT is flushed, and with it all that was written before.
BEGIN = """
begin isolation level read committed;
set local synchronous_commit = off;
select pg_advisory_xact_lock(hashtextextended('entity_pipeline.gemini_ledger', 0));
"""

# The ledger for the statements of other modules, in the types they expect: some installations have float costs.
EVENTS = """(select id, created_at, quota_day, pipeline, step, model, state, grounded, subject, search_queries,
  prompt_tokens, cached_tokens, output_tokens, thoughts_tokens, tool_tokens, cost_usd::numeric as cost_usd,
  latency_ms, error, metadata, batch_name from gemini_usage_events) as events"""

_MODEL = (
    "models => %(models)s::jsonb, of_model => %(model)s, of_pipeline => %(pipeline)s, of_domain => %(domain)s"
)

VIEW = f"""
select * from entity_pipeline_ledger_view_2({_MODEL}, of_step => %(step)s, of_subject => %(subject)s,
  of_kind => %(kind)s, of_config_hash => %(config_hash)s, consumed => %(consumed)s)
"""

STATUS = f"select * from entity_pipeline_ledger_view_2({_MODEL})"

KEPT_REQUEST = "select coalesce(request, '{}') from gemini_usage_events where id::text = %s"
REPLY = "select id::text, reply, model_version, input_hash from gemini_usage_events where id = %s"

RESERVE = """
select place::text from entity_pipeline_ledger_reserve_2(read_at => %(read_at)s, today => %(quota_day)s,
  of_pipeline => %(pipeline)s, of_step => %(step)s, of_kind => %(kind)s, of_subject => %(subject)s,
  of_model => %(model)s, billed_as => %(billed_as)s, is_grounded => %(grounded)s, of_input => %(input_hash)s,
  of_config => %(config_hash)s, nth_attempt => %(attempt)s, most_usd => %(cost_usd)s, of_run => %(run_id)s,
  of_claim => %(claim)s)
"""
RESERVE_AND_COMMIT = f"{RESERVE};\ncommit\n"

HELD = """
select id::text, quota_day from gemini_usage_events
where pipeline = %(pipeline)s and step = %(step)s and subject = %(subject)s and state = 'reserved'
  and metadata->>'claim' = %(claim)s
"""

MARK_SENT = "select entity_pipeline_ledger_mark_sent_2(%s, %s, %s::jsonb)"

SETTLE = """
select entity_pipeline_ledger_settle_2(%(id)s, kept => %(reply)s, answered_by => %(model_version)s,
  billed_as => %(billed_as)s, searches => %(search_queries)s, prompt => %(prompt)s, cached => %(cached)s,
  output => %(output)s, thoughts => %(thoughts)s, tool => %(tool)s, paid_usd => %(cost_usd)s, took_ms => %(latency_ms)s)
"""

SWEEP = """
update gemini_usage_events
set state = case state when 'sent' then 'unknown' else 'released' end,
    cost_usd = case state when 'sent' then cost_usd else 0 end,
    state_changed_at = clock_timestamp(),
    error = jsonb_build_object('kind', 'stale', 'message',
      case state when 'sent' then 'no answer was recorded; counted as used' else 'never sent' end)
where state in ('reserved', 'sent') and batch_name is null
  and state_changed_at < clock_timestamp() - %s * interval '1 second'
"""

# The ends of a request without a reply: what changes, for FINISH.
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
  and metadata->>'kind' = %s and metadata->>'config_hash' = %s
"""

COUNT_ANSWERED = """
select count(*) from gemini_usage_events where created_at >= %s and grounded and state = 'settled'
"""

COUNT_SENT = """
select count(*), count(*) filter (where grounded) from gemini_usage_events
where created_at >= %s and state not in ('reserved', 'released')
"""

# Rows of other pipelines that do not say whether they searched: `core/gemini/grounding_of_others.py`.
DOUBTFUL = """
select coalesce(pipeline, 'null'), count(*)::int from gemini_usage_events
where created_at > %s and not grounded and input_hash is null and state <> 'released'
  and (pipeline = any(%s)) is not true
  and entity_pipeline_says_grounded(model, search_queries, tool_tokens, metadata) is null
group by 1 order by 2 desc, 1
"""

# Only this project fills `input_hash`; other pipelines leave it empty.
RECENT_REPLIES = """
select model_version, count(*)::int, (count(*) filter (where coalesce(search_queries, 0) = 0))::int
from gemini_usage_events
where input_hash is not null and model = %(model)s and grounded and state = 'settled'
  and created_at > %(since)s
group by 1
"""
