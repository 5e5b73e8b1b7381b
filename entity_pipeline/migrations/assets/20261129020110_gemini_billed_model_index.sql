-- migrate:up transaction:false

-- Whether another model answers in place of the requested one: read before every request.
create index concurrently if not exists entity_pipeline_usage_billed
    on public.gemini_usage_events (model, created_at)
    where billed_model is not null;

-- migrate:down
