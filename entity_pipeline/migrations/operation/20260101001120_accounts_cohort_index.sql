-- migrate:up transaction:false

-- The accounts of one cohort.
create index concurrently if not exists entity_pipeline_accounts_cohort
    on public.instagram_accounts ((metadata #>> '{entity_enrichment,cohort}'));

-- migrate:down
