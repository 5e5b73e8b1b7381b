-- migrate:up transaction:false

-- The day's budget counts every request. Together with the index of the grounded ones, each row is in one of the two.
create index concurrently if not exists entity_pipeline_usage_ungrounded
    on public.gemini_usage_events ((coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date)))
    where not grounded and state <> 'released';

-- migrate:down
