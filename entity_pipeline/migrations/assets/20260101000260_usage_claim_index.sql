-- migrate:up transaction:false

-- A live reservation is a claim: no other process may send for the same account and step.
create unique index concurrently if not exists entity_pipeline_usage_claim
    on public.gemini_usage_events (pipeline, step, subject)
    where state in ('reserved', 'sent') and subject is not null;

-- migrate:down
