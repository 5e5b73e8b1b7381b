-- migrate:up transaction:false

-- Requests after which Google asked to wait: a handful of rows, read before every request.
create index concurrently if not exists entity_pipeline_usage_blocked
    on public.gemini_usage_events (blocked_until)
    where blocked_until is not null;

-- migrate:down
