-- migrate:up transaction:false

-- Accounts of no cohort, or of one that can't be read: they count to the day on which they were created. There are
-- few or none, so that the accounts of some cohorts are found without reading all others.
create index concurrently if not exists entity_pipeline_accounts_odd_cohort
    on public.instagram_accounts (created_at)
    where (metadata #>> '{entity_enrichment,cohort}' ~ '^20[0-9][0-9]-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$')
        is not true;

-- migrate:down
