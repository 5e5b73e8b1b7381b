-- migrate:up transaction:false

-- enrichment_queue_cohort_state begins with the same column.
drop index concurrently if exists public.enrichment_queue_cohort;

-- migrate:down
