-- migrate:up transaction:false

-- The earlier requests about one account.
create index concurrently if not exists entity_pipeline_usage_subject
    on public.gemini_usage_events (pipeline, step, subject, created_at);

-- migrate:down
