"""The statements on `gemini_batches`, and those on `gemini_usage_events` that concern the requests of a batch.

What they have in common with single requests is in `ledger_sql.py`, and so is the lock under which a batch is reserved.
"""

# Its process is gone or too slow, and Gemini was never asked to create it.
GIVE_BACK = """
with lost as (
  update gemini_batches set state = 'ended', outcome = 'unsent', ended_at = clock_timestamp()
  where state = 'reserved' and lease_until < clock_timestamp()
  returning name
)
update gemini_usage_events set state = 'released', cost_usd = 0, state_changed_at = clock_timestamp(),
  error = jsonb_build_object('kind', 'stale', 'message', 'its batch was never sent')
where batch_name in (select name from lost) and state = 'reserved'
"""

OPEN_ABOUT = (
    "select name, state, lease_until from gemini_batches where content_hash = %s and state <> 'ended'"
)

# How often in a row Gemini refused to create a batch for this model because of a quota, and when it did last.
REFUSALS = """
select count(*), max(ended_at) from gemini_batches b
where model = %(model)s and outcome = 'refused' and error ->> 'code' = '429'
  and created_at > coalesce((select max(created_at) from gemini_batches
                             where model = %(model)s and submitted_at is not null), '-infinity')
"""

STANDINGS = """
select asked.subject, max(e.state_changed_at) filter (where e.state in ('reserved', 'sent')),
  (array_agg(e.id::text order by e.created_at desc) filter (
    where e.state = 'settled' and e.reply is not null
      and e.metadata ->> 'kind' = asked.kind and e.metadata ->> 'config_hash' = asked.config_hash
      and (asked.consumed is null
           or e.created_at > (select held.created_at from gemini_usage_events held
                              where held.id = entity_pipeline_ledger_id(asked.consumed)))))[1]
from unnest(%(subjects)s::text[], %(kinds)s::text[], %(config_hashes)s::text[], %(consumed)s::text[])
  as asked (subject, kind, config_hash, consumed)
join gemini_usage_events e on e.pipeline = %(pipeline)s and e.step = %(step)s and e.subject = asked.subject
group by asked.subject
"""

ADD_BATCH = """
insert into gemini_batches (name, content_hash, pipeline, step, model, state, requests, run_id, created_at, lease_until)
values (%(name)s, %(content)s, %(pipeline)s, %(step)s, %(model)s, 'reserved', %(requests)s, %(run_id)s, %(read_at)s,
  %(read_at)s + %(lease)s)
"""

# As entity_pipeline_ledger_reserve_2 writes one request. The bounds say what a reply without token counts has cost.
ADD_REQUESTS = """
insert into gemini_usage_events (created_at, state_changed_at, pipeline, step, model, billed_model, grounded, state,
  quota_day, subject, input_hash, attempt, cost_usd, batch_name, metadata)
select %(read_at)s, %(read_at)s, %(pipeline)s, %(step)s, %(model)s, %(billed_as)s, false, 'reserved',
  %(quota_day)s, one.subject, one.input_hash, 1, one.cost_usd, %(name)s,
  jsonb_build_object('kind', one.kind, 'config_hash', one.config_hash, 'run_id', %(run_id)s::text,
    'most_prompt_tokens', one.prompt, 'most_output_tokens', one.output)
from unnest(%(subjects)s::text[], %(kinds)s::text[], %(input_hashes)s::text[], %(config_hashes)s::text[],
  %(costs)s::numeric[], %(prompts)s::bigint[], %(outputs)s::bigint[])
  as one (subject, kind, input_hash, config_hash, cost_usd, prompt, output)
returning subject, id::text
"""

KEEP_REQUEST = "update gemini_usage_events set request = %s::jsonb where id = %s and state = 'reserved'"

# False where the lease is over, and on another quota day than the one whose budget it holds: then nothing is sent.
MARK_CREATING = """
with marked as (
  update gemini_batches set state = 'creating', creating_at = clock_timestamp()
  where name = %(name)s and state in ('reserved', 'creating') and lease_until > clock_timestamp()
    and (created_at at time zone 'America/Los_Angeles')::date
      = (clock_timestamp() at time zone 'America/Los_Angeles')::date
  returning name
), sent as (
  update gemini_usage_events set state = 'sent', state_changed_at = clock_timestamp()
  where batch_name in (select name from marked) and state in ('reserved', 'sent')
)
select exists (select from marked)
"""

MARK_SUBMITTED = """
update gemini_batches set state = 'submitted', google_name = %(google_name)s, submitted_at = clock_timestamp(),
  absent_since = null
where name = %(name)s and state = 'creating'
"""

NOTE_ABSENT = """
update gemini_batches set absent_since = coalesce(absent_since, clock_timestamp())
where name = %s and state = 'creating'
"""
NOTE_CANCEL = """
update gemini_batches set cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp())
where name = %s and state = 'submitted'
"""

# A second batch of this name at Gemini, which was cancelled: what it cost is unknown, so all of it is counted.
COUNT_TWIN = """
with twin as (
  insert into gemini_usage_events (pipeline, step, model, grounded, state, quota_day, cost_usd, input_hash, metadata)
  select pipeline, step, model, false, 'reserved', min(quota_day), sum(cost_usd), %(twin)s,
    jsonb_build_object('kind', 'twin', 'twin_of', %(name)s::text)
  from gemini_usage_events
  where batch_name = %(name)s and not exists (select from gemini_usage_events where input_hash = %(twin)s)
  group by pipeline, step, model
  returning id
)
select id::text from twin
"""

CLOSE_TWIN = "update gemini_usage_events set state = 'unknown', error = %s::jsonb where id = %s"

# The rest of the requests ends with the batch; what was settled or failed stays.
END_BATCH = """
with ended as (
  update gemini_batches
  set state = 'ended', outcome = %(outcome)s, ended_at = clock_timestamp(), error = %(error)s::jsonb
  where name = %(name)s and state = any(%(from_states)s)
  returning name
)
update gemini_usage_events set state = %(rest)s, state_changed_at = clock_timestamp(), error = %(row_error)s::jsonb,
  cost_usd = case when %(rest)s = 'unknown' then cost_usd else 0 end
where batch_name in (select name from ended) and state in ('reserved', 'sent')
"""

BATCH = """
select name, pipeline, step, model, state, google_name, created_at, lease_until, creating_at, submitted_at,
  absent_since, cancel_requested_at, outcome, clock_timestamp() as now
from gemini_batches where name = %s
"""

OPEN_BATCHES = """
select name from gemini_batches where pipeline = %s and step = %s and state <> 'ended' order by created_at, name
"""

# Uploaded files live for 48 hours.
BATCHES_ABOUT = """
select distinct b.name, b.state <> 'ended' as is_open
from gemini_usage_events e join gemini_batches b on b.name = e.batch_name
where e.pipeline = %s and e.step = %s and e.subject = any(%s::text[])
  and b.created_at > clock_timestamp() - interval '48 hours'
order by 1
"""

SUBJECTS = "select subject, id::text from gemini_usage_events where batch_name = %s and state <> 'released'"

COUNTS = "select state, count(*)::int from gemini_usage_events where batch_name = %s group by state"

# A page of a batch's requests by their ids, without the replies or with them.
REQUESTS = """
select id::text, subject, state, model, billed_model, quota_day, input_hash,
  (metadata ->> 'most_prompt_tokens')::int as most_prompt_tokens,
  (metadata ->> 'most_output_tokens')::int as most_output_tokens
from gemini_usage_events where batch_name = %s
"""
ANSWERS = """
select id::text, subject, state, model, billed_model, model_version, input_hash, error, reply
from gemini_usage_events where id::text = any(%s)
"""
