-- migrate:up transaction:false

-- Google asked to wait: a handful of rows, looked at before every request.
create index concurrently if not exists entity_pipeline_usage_blocked
    on public.gemini_usage_events (blocked_until)
    where blocked_until is not null;

-- migrate:down
