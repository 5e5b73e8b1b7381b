-- migrate:up transaction:false

-- The requests of a batch.
create index concurrently if not exists entity_pipeline_usage_batch
    on public.gemini_usage_events (batch_name)
    where batch_name is not null;

-- migrate:down
