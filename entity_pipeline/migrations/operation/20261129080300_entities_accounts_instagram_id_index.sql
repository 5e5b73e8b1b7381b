-- migrate:up transaction:false

-- The rows of one Instagram account under several handles, by its numeric id.
create index concurrently if not exists entity_pipeline_accounts_instagram_id
    on public.instagram_accounts ((metadata #>> '{entity_enrichment,profile_backfill,instagram_id}'))
    where metadata #>> '{entity_enrichment,profile_backfill,instagram_id}' is not null;

-- migrate:down
