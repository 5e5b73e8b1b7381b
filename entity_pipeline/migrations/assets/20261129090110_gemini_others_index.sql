-- migrate:up transaction:false

-- Rows of other pipelines that the cap looks at although their `grounded` is false.
create index concurrently if not exists entity_pipeline_usage_others
    on public.gemini_usage_events ((coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date)))
    where not grounded and input_hash is null and state <> 'released';

-- migrate:down
