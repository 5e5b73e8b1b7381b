-- migrate:up transaction:false

-- Accounts of the oldest cohorts that wait for a review, without reading the finished ones beside them.
create index concurrently if not exists enrichment_queue_cohort_state on public.enrichment_queue (cohort, state);

-- migrate:down
