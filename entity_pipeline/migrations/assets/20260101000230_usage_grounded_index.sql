-- migrate:up transaction:false

-- The cap counts every grounded event of a quota day; rows of other pipelines may have no quota_day.
create index concurrently if not exists entity_pipeline_usage_grounded
    on public.gemini_usage_events ((coalesce(quota_day, (created_at at time zone 'America/Los_Angeles')::date)))
    where grounded and state <> 'released';

-- migrate:down
