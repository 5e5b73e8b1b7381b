-- migrate:up transaction:false

-- Requests of the last minute, and the list on the administration page.
create index concurrently if not exists entity_pipeline_usage_created_at
    on public.gemini_usage_events (created_at);

-- migrate:down
